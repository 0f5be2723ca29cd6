"""Many to fewer, in the same order: speech to text."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError
from keras_seq.batching import Examples, Ragged, by_length, filled
from keras_seq.data.audio import backgrounds
from keras_seq.decoding import Lexicon, ctc_beam_search
from keras_seq.layers.audio.front_end import FrontEnd, floats
from keras_seq.losses import CTC

BLANK = 0
"""The number of the blank, which is no letter; that of the first letter is 1."""

NEVER = -1e4
"""The log probability of a letter where the recording has ended."""


class Heard(NamedTuple):
    """What a piece of a recording added to what was heard before."""

    text: str
    log_probs: np.ndarray
    """(steps, letters + 1), the blank first."""


@keras.saving.register_keras_serializable(package="keras_seq")
class CTCRecognizer(keras.Model):
    """Recurrent layers over a spectrogram, trained by CTC (Graves et al. 2006).

        recognizer = CTCRecognizer("abcdefghijklmnopqrstuvwxyz ")
        recognizer.adapt(recordings)
        recognizer.compile("adam", loss=recognizer.loss_of_texts)
        examples = recognizer.encode(recordings, texts)
        recognizer.fit(examples.inputs, examples.targets)
        recognizer.transcribe(recordings)

    It is a `keras.Model` from samples to the log probabilities of letters at each time step, the
    blank first, `(batch, steps, letters + 1)`. After the end of a recording the blank is certain,
    so that a loss and a decoder need not know its length. The log-mel spectrogram is part of the
    model; what a step reads are some frames of it side by side.

    Args:
        alphabet: The letters that are written, a blank between words among them: a string.
        lexicon: Words; if given, texts are of these alone, unless they are streamed or exported,
            which takes the likeliest alignment whatever it spells.
        sample_rate: Samples a second.
        window, hop: Of the spectrogram, in seconds, see `keras_seq.layers.LogMel`.
        bands: Of the spectrogram.
        stack: Frames that a time step reads.
        stride: Frames from step to step, at most `stack`, which is the default.
        polyphase: Whether a recording is heard once from each frame of the first stride on, the
            probabilities of a step being the mean; in training from one of them, another for each
            batch. It takes `stride` times as long to recognize, and no longer to train.
        noise: Whether in training there is noise beside each recording, another every time: white
            to brown noise, or the talk of several recordings that `adapt` has heard
            (`keras_seq.layers.BackgroundNoise`).
        warp: In training, frequencies are up to this share higher or lower
            (`keras_seq.layers.SpectralWarping`).
        masks: How many bands and stretches of time are blotted out in training.
        centred: Whether the mean of each feature over a recording is taken off, with which goes how
            loud it is and how it was recorded; not for who recognizes while it hears.
        filters: Of a convolution over the bands of each step, of which the largest of some
            neighbours counts, so that a voice that is higher is much the same
            (Abdel-Hamid et al. 2014); 0 for none.
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer and direction.
        depth: Number of recurrent layers.
        bidirectional: Whether each layer reads from both ends; if not, the model can recognize
            while it hears, see `stream`.
        dropout: Share of the features dropped after each recurrent layer.
        recurrent_dropout: Share of the state dropped from step to step.
        normalization: Whether what the first recurrent layer reads and what each of them gives is
            normalized at every step (layer normalization, Ba, Kiros & Hinton 2016).
    """

    def __init__(
        self,
        alphabet,
        *,
        lexicon=None,
        sample_rate=16_000,
        window=0.025,
        hop=0.01,
        bands=40,
        stack=4,
        stride=None,
        polyphase=False,
        noise=False,
        warp=0.0,
        masks=0,
        centred=False,
        filters=0,
        cell="LSTM",
        units=160,
        depth=2,
        bidirectional=True,
        dropout=0.2,
        recurrent_dropout=0.0,
        normalization=False,
        name="ctc_recognizer",
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        alphabet = "".join(alphabet)
        if not alphabet or len(set(alphabet)) < len(alphabet):
            raise InputError(
                f"A CTCRecognizer needs an alphabet of different letters, got {alphabet!r}."
            )
        if centred and not bidirectional:
            raise InputError(
                "A model that reads in one direction cannot know the mean of a recording that goes "
                "on: centred=True needs bidirectional=True."
            )
        front = FrontEnd(
            round(window * sample_rate),
            round(hop * sample_rate),
            sample_rate,
            bands,
            stack,
            stack if stride is None else stride,
            noise,
            warp,
            masks,
            centred,
            polyphase,
            name="front_end",
        )
        bank = _over_bands(stack, bands, filters) if filters else []
        if normalization:
            bank.append(keras.layers.LayerNormalization(name="normalization"))
        recurrent, after = [], []
        for number in range(depth):
            layer = getattr(layers, cell)(
                units,
                return_sequences=True,
                return_state=not bidirectional,
                recurrent_dropout=recurrent_dropout,
                name=f"recurrent_{number}",
            )
            if bidirectional:
                layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{number}")
            recurrent.append(layer)
            after.append([keras.layers.Dropout(dropout, name=f"dropout_{number}")])
            if normalization:
                after[-1].append(keras.layers.LayerNormalization(name=f"normalization_{number}"))
        head = keras.layers.Dense(len(alphabet) + 1, name="letters")
        ended = EndedByBlanks(front.phases, name="log_probs")
        inputs = {
            "samples": keras.Input((None,), dtype="float32", name="samples"),
            "lengths": keras.Input((), dtype="int32", name="lengths"),
        }
        x, mask = front(inputs["samples"], inputs["lengths"])
        x = _through(bank, x)
        for layer, followed in zip(recurrent, after):
            x = layer(x, mask=mask)
            x = _through(followed, x if bidirectional else x[0])
        super().__init__(inputs, ended(head(x), mask), name=name)
        self._arguments = {
            **arguments,
            "alphabet": alphabet,
            "lexicon": None if lexicon is None else list(lexicon),
        }
        self.alphabet, self.sample_rate = alphabet, sample_rate
        self.loss_of_texts = CTC()
        self._lexicon = None if lexicon is None else Lexicon(lexicon, alphabet)
        self._front, self._from_steps = front, None
        if not bidirectional:
            # From some steps and the states before them to the states after them.
            steps = keras.Input((None, front.features), name="steps")
            x, states_before, states_after = _through(bank, steps), [], []
            for number, layer in enumerate(recurrent):
                sizes = layer.cell.state_size
                sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
                states = [
                    keras.Input((size,), name=f"layer_{number}_{name}")
                    for name, size in zip("hc", sizes)
                ]
                x, *later = layer(x, initial_state=states)
                x = _through(after[number], x)
                states_before, states_after = states_before + states, states_after + later
            x = ops.log_softmax(head(x), axis=-1)
            self._from_steps = keras.Model(
                [steps, *states_before], [x, *states_after], name="from_steps"
            )

    @property
    def seconds_a_step(self):
        """Seconds from one time step to the next."""
        return self._front.advance / self.sample_rate

    @property
    def hearings(self):
        """How often it hears each recording, in rows of the batch after each other."""
        return self._front.phases

    def steps(self, lengths):
        """How many time steps recordings have.

        Args:
            lengths: Samples of each.
        """
        return np.maximum(-(-np.asarray(lengths) // self._front.advance), 1)

    # From recordings and texts to numbers.

    def adapt(self, recordings):
        """Learns the mean and the deviation of each band, by which what is read is made even.

        If there is noise in training, the talk of others in it is of these recordings.

        Args:
            recordings: Arrays of samples, see `encode`; a few hundred will do.
        """
        counts, sums, squares = 0, 0.0, 0.0
        for recording in recordings:
            if len(recording) < self._front.log_mel.window:
                continue
            log_mel = self.spectrogram(recording)
            counts += len(log_mel)
            sums = sums + log_mel.sum(axis=0, dtype="float64")
            squares = squares + (log_mel.astype("float64") ** 2).sum(axis=0)
        if not counts:
            raise InputError("adapt() needs a recording that is as long as a frame.")
        if self._front.noise is not None:
            heard = [floats(recording) for recording in recordings]
            self._front.noise.hear(backgrounds(heard, self.sample_rate))
        mean = sums / counts
        self._front.mean.assign(mean)
        self._front.deviation.assign(np.sqrt(np.maximum(squares / counts - mean**2, 1e-2)))

    def encode(self, recordings, texts=None, padded=True):
        """Recordings as the model takes them.

        Args:
            recordings: For each an array of its samples: whole numbers of 16 bits, or floats within
                -1 to 1.
            texts: What is said in each; "" for silence.
            padded: Whether all are padded to the longest; if not, they take less memory, for `fit`
                with `keras_seq.batching.epochs_of_batches`.

        Returns:
            `keras_seq.batching.Examples`, whose lengths are in samples, float16 since no more is in
            them; `targets` is None without texts.

        Raises:
            InputError: A text has a letter that is not in the alphabet, or is too long for its
                recording; the message gives its number from 1.
        """
        lengths = np.array([len(recording) for recording in recordings], "int32")
        rows = [_rounded(recording) for recording in recordings]
        samples = Ragged(rows, "float16")
        if padded:
            samples = samples[:] if lengths.any() else np.zeros((len(rows), 1), "float16")
        targets = None
        if texts is not None:
            targets = self.numbers(texts)
            # Between two equal letters there must be a blank.
            again = (targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] > 0)
            needed = (targets > 0).sum(axis=1) + again.sum(axis=1)
            for number, (need, there) in enumerate(zip(needed, self.steps(lengths)), 1):
                if need > there:
                    raise InputError(
                        f"Text {number}, {texts[number - 1][:40]!r}, needs {need} time steps, but "
                        f"its recording of {lengths[number - 1] / self.sample_rate:.2f} s has "
                        f"{there}: is it the right one? Fewer frames a step make more steps."
                    )
        inputs = {"samples": samples, "lengths": lengths}
        return Examples(inputs, targets, lengths, least=self.sample_rate // 4, an_octave=4)

    def numbers(self, texts):
        """The numbers of the letters of texts, `(texts, letters)`, zeros at the end.

        Raises:
            InputError: A letter is not in the alphabet.
        """
        numbers = {letter: number for number, letter in enumerate(self.alphabet, 1)}
        targets = np.zeros((len(texts), max([1, *map(len, texts)])), "int32")
        for number, (row, text) in enumerate(zip(targets, texts), 1):
            for position, letter in enumerate(text):
                if letter not in numbers:
                    raise InputError(
                        f"Text {number} has {letter!r} at position {position + 1}, which is not in "
                        f"the alphabet {self.alphabet!r}."
                    )
                row[position] = numbers[letter]
        return targets

    def step_by_step(self, recording):
        """What the model reads of a recording, a batch of one, and when each time step begins."""
        begins = np.arange(self.steps(len(recording))) * self.seconds_a_step
        return self.encode([recording]).inputs, [f"{second:.2f} s" for second in begins]

    def letters_of(self, path):
        """The letters of a path, and their steps: of equals in a row the first, and no blank.

        Args:
            path: The number of a letter, or of the blank, at each step.
        """
        before = [BLANK, *path]
        return [
            (self.alphabet[number - 1], step)
            for step, number in enumerate(path)
            if number not in (BLANK, before[step])
        ]

    def spectrogram(self, recording):
        """The log-mel spectrogram that the model sees of a recording, `(frames, bands)`."""
        samples = floats(recording)
        samples = np.pad(samples, (0, max(0, self._front.log_mel.window - len(samples))))
        return ops.convert_to_numpy(self._front.log_mel(samples[None]))[0]

    def text_of(self, path):
        """The text of a path, see `letters_of`."""
        return "".join(letter for letter, _ in self.letters_of(path))

    # What was said.

    def log_probs(self, recordings, batch_size=32):
        """The log probability of the blank and of each letter at each step.

        Args:
            recordings: As in `encode`.
            batch_size: Recordings to work on together; those of like length are.

        Returns:
            For each recording `(steps, letters + 1)`.
        """
        results = [None] * len(recordings)
        if not len(recordings):
            return results
        examples = self.encode(recordings)
        for rows, wide in by_length(examples.lengths, batch_size):
            found = self.predict_on_batch(filled(examples.inputs, rows, wide))
            for row, array in zip(rows, found):
                results[row] = array[: self.steps(examples.lengths[row])]
        return results

    def transcribe(self, recordings, beam_width=None, batch_size=32, **how):
        """The texts of recordings.

        Args:
            recordings: As in `encode`; silence has an empty text.
            beam_width: How many texts are followed at a time, all alignments of a text added up.
                If not given, the text of the likeliest alignment is taken (greedy), or with a
                lexicon or a language model 16 texts are followed.
            batch_size: As in `log_probs`.
            how: A language model, or no lexicon, see `decode`.
        """
        return self.decode(self.log_probs(recordings, batch_size), beam_width, **how)

    def decode(
        self,
        log_probs,
        beam_width=None,
        language_model=None,
        weight=0.5,
        bonus=0.0,
        any_words=False,
    ):
        """Texts of the log probabilities that `log_probs` gives.

        Args:
            log_probs: For each recording `(steps, letters + 1)`.
            beam_width: As in `transcribe`.
            language_model: A `SequenceGenerator` over letters (`split="text"`), without styles.
            weight: Of the language model.
            bonus: For each letter, in a search by a lexicon or a language model, see
                `keras_seq.decoding.ctc_beam_search`.
            any_words: Whether words may be written that are not in the lexicon, if there is one.
        """
        if beam_width is not None and beam_width < 1:
            raise InputError(f"beam_width must be at least 1, got {beam_width}.")
        if not log_probs:
            return []
        guides = []
        if language_model is not None:
            guides.append(self._foretelling(language_model, weight))
        if self._lexicon is not None and not any_words:
            guides.append(self._lexicon)
        if guides:

            def foretell(beginnings):
                return sum(guide(beginnings) for guide in guides)

            beam = beam_width or 16
            found = [ctc_beam_search(one, beam, foretell, 1.0, bonus)[0] for one in log_probs]
            return [self._joined(numbers) for numbers in found]
        lengths = np.array([len(one) for one in log_probs], "int32")
        together = np.zeros((len(log_probs), lengths.max(), len(self.alphabet) + 1), "float32")
        for row, one in zip(together, log_probs):
            row[: len(one)] = one
        how = {"strategy": "greedy"}
        if beam_width is not None:
            how = {"strategy": "beam_search", "beam_width": beam_width}
        found, _ = ops.ctc_decode(together, lengths, mask_index=BLANK, **how)
        return [self._joined(row[row > BLANK]) for row in ops.convert_to_numpy(found)[0]]

    def _joined(self, numbers):
        return "".join(self.alphabet[number - 1] for number in numbers)

    def _foretelling(self, language_model, weight):
        """What `ctc_beam_search` asks of a language model, times its weight."""
        config = language_model.get_config()
        if config.get("split") != "text" or config.get("styles") is not None:
            raise InputError(
                f"{language_model.name} cannot be the language model: needed is one over letters "
                "(`--tokens characters`), without styles."
            )
        columns = [language_model.end]
        columns += [language_model._tokens.number(letter) for letter in self.alphabet]

        def foretell(beginnings):
            texts = [self._joined(numbers) for numbers in beginnings]
            log_probs = language_model.next_log_probs(texts)[:, columns]
            # Zero times minus infinity is to stay impossible.
            impossible = np.full_like(log_probs, -np.inf)
            return np.multiply(weight, log_probs, out=impossible, where=log_probs > -np.inf)

        return foretell

    def stream(self):
        """A `Stream`: recognizes while it hears.

        Raises:
            InputError: The model reads from both ends.
        """
        return Stream(self)

    def get_config(self):
        return dict(self._arguments)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


class Stream:
    """A recording that is heard in pieces; what it gives is as of the whole.

        stream = recognizer.stream()
        for piece in pieces:
            print(stream.feed(piece).text, end="")
        print(stream.finish().text)

    Args:
        recognizer: A `CTCRecognizer` that reads in one direction.

    Raises:
        InputError: It reads from both ends.
    """

    def __init__(self, recognizer):
        if recognizer._from_steps is None:
            raise InputError(
                "A model that reads from both ends must hear the whole before it can say anything: "
                "a stream needs bidirectional=False."
            )
        self._recognizer, self._front = recognizer, recognizer._front
        self._begin()

    def _begin(self):
        states = self._recognizer._from_steps.inputs[1:]
        phases = self._front.phases
        self._states = [np.zeros((phases, state.shape[-1]), "float32") for state in states]
        self._samples = np.zeros(0, "float32")  # from the first that the next step needs
        self._last = BLANK

    def feed(self, samples):
        """Hears the next piece, of any length, and returns what it adds (`Heard`)."""
        self._samples = np.concatenate([self._samples, _rounded(samples)])
        beyond = len(self._samples) - self._front.span
        return self._read(0 if beyond < 0 else 1 + beyond // self._front.advance)

    def finish(self):
        """What the last samples add (`Heard`), filled up with silence; then another may begin."""
        steps = -(-len(self._samples) // self._front.advance)
        wanted = self._front.span + (steps - 1) * self._front.advance
        self._samples = np.pad(self._samples, (0, max(0, wanted - len(self._samples))))
        heard = self._read(steps)
        self._begin()
        return heard

    def _read(self, steps):
        recognizer, front = self._recognizer, self._front
        if not steps:
            return Heard("", np.zeros((0, len(recognizer.alphabet) + 1), "float32"))
        needed = self._samples[: front.span + (steps - 1) * front.advance]
        features = ops.convert_to_numpy(front.of_whole_steps(needed[None]))
        found = recognizer._from_steps.predict_on_batch([features, *self._states])
        log_probs, *self._states = found
        log_probs = np.logaddexp.reduce(log_probs, axis=0) - np.float32(np.log(front.phases))
        self._samples = self._samples[steps * front.advance :]
        path = [self._last, *log_probs.argmax(axis=-1)]
        self._last = path[-1]
        text = "".join(letter for letter, step in recognizer.letters_of(path) if step)
        return Heard(text, log_probs)


def _rounded(recording):
    """Samples as the model takes them, float16, in pieces the same as in the whole."""
    return floats(recording).astype("float16")


def _through(sequence, x):
    """What some layers make of `x`, one after the other."""
    for layer in sequence:
        x = layer(x)
    return x


def _over_bands(stack, bands, filters, width=8, pool=3):
    """Layers of a convolution over the bands of a step, whose frames are the channels."""
    features = (bands - width + 1) // pool * filters
    if features <= 0:
        raise InputError(
            f"A convolution over {bands} bands is too wide; {width + pool - 1} would do."
        )
    return [
        keras.layers.Reshape((-1, stack, bands), name="frames"),
        keras.layers.Permute((1, 3, 2), name="bands"),
        keras.layers.Conv2D(filters, (1, width), activation="relu", name="over_bands"),
        keras.layers.MaxPooling2D((1, pool), name="largest"),
        keras.layers.Reshape((-1, features), name="features"),
    ]


@keras.saving.register_keras_serializable(package="keras_seq")
class EndedByBlanks(keras.layers.Layer):
    """Log probabilities of logits, float32; where the mask is False, the first is certain.

    Args:
        phases: How many hearings of a recording follow each other in the batch, unless it is in
            training: their mean probabilities are given.
    """

    def __init__(self, phases=1, **kwargs):
        super().__init__(**kwargs)
        self.phases = phases
        self.supports_masking = True

    def call(self, logits, mask, training=False):
        found = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        if self.phases > 1 and not training:
            found = ops.reshape(found, (-1, self.phases, *ops.shape(found)[1:]))
            found = ops.logsumexp(found, axis=1) - np.float32(np.log(self.phases))
            mask = mask[:: self.phases]
        certain = np.full(logits.shape[-1], NEVER, "float32")
        certain[BLANK] = 0.0
        return ops.where(mask[:, :, None], found, certain)

    def compute_mask(self, inputs, previous_mask):
        return None  # all steps count from here on

    def compute_output_spec(self, logits, mask, training=False):
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self):
        return {**super().get_config(), "phases": self.phases}
