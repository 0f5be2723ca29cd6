"""Many to fewer, in the same order: speech to text."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.batching import EncodedDataset, RaggedArray
from keras_seq.decoding import Lexicon, collapse, ctc_decode
from keras_seq.decoding.ctc_decoding import Scorer, language_model_scorer
from keras_seq.layers.audio.blank_after_end import BlankAfterEnd
from keras_seq.layers.audio.front_end import FrontEnd
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.losses import CTC
from keras_seq.models.base import BaseModel
from keras_seq.models.ctc_stream import Stream, to_float16
from keras_seq.text.alphabet import Alphabet


@keras.saving.register_keras_serializable(package="keras_seq")
class CTCRecognizer(BaseModel):
    """Speech recognizer: recurrent layers over a spectrogram, trained by CTC (Graves et al. 2006).

    Example:
        >>> import numpy as np
        >>> from keras_seq.layers import BackgroundNoise, FrontEnd, LogMelSpectrogram, RNNStack
        >>> from keras_seq.models import CTCRecognizer
        >>> recordings = list(np.random.default_rng(0).uniform(-0.5, 0.5, (2, 8_000)))
        >>> log_mel = LogMelSpectrogram(8_000, frame_length=200, frame_step=80, num_mel_bins=20)
        >>> recognizer = CTCRecognizer(
        ...     "abcdefghijklmnopqrstuvwxyz ",
        ...     FrontEnd(log_mel, noise=BackgroundNoise()),
        ...     stack=RNNStack("GRU", 16, bidirectional=True),
        ... )
        >>> recognizer.adapt(recordings)
        >>> recognizer.compile("adam")
        >>> history = recognizer.fit(recordings, ["yes", "no"], verbose=0)
        >>> [type(text) for text in recognizer.transcribe(recordings)]
        [<class 'str'>, <class 'str'>]

    It is a `keras.Model` from a dict of `samples`, `(batch, samples)`, and `lengths`, `(batch,)`,
    to the log probabilities of letters at each time step, the blank first, `(batch, timesteps,
    letters + 1)`. `encode` returns such a dict. After the end of a recording the blank is certain,
    so that a loss and a decoder need not know its length.

    It trains and predicts on TensorFlow, JAX and torch; exports need TensorFlow.

    Args:
        alphabet: Letters of the texts, in the order of their classes from 1: a string. A blank
            between words is one of them.
        front_end: From samples to the features of time steps. Default: `FrontEnd()`.
        features: Layers from sequences to sequences between `front_end` and `stack`, such as a
            `BandConvolution`; for streams they must treat each time step by itself.
        stack: Recurrent layers that return all outputs. With `bidirectional=False` the model can
            recognize while the sound arrives, see `stream`. Default: two bidirectional LSTMs of 160
            units with dropout of 0.2 after each.
        lexicon: Words to which texts are restricted by `transcribe`; streams and exports take the
            most likely alignment, whatever it spells.
        name: Name of the model.

    Raises:
        InputError: If the alphabet is empty or has a letter twice, a word of the lexicon has
            another letter, or the parts do not fit each other.
    """

    config_attributes = ("alphabet", "front_end", "features", "stack", "lexicon")

    def __init__(
        self,
        alphabet: Iterable[str],
        front_end: FrontEnd | None = None,
        features: Sequence[keras.layers.Layer] = (),
        stack: RNNStack | None = None,
        lexicon: Iterable[str] | None = None,
        name: str = "ctc_recognizer",
    ) -> None:
        letters = Alphabet(alphabet, "A CTCRecognizer")
        if front_end is None:
            front_end = FrontEnd(name="front_end")
        if stack is None:
            dropout = [0.0, 0.2, 0.2]
            stack = RNNStack("LSTM", 160, 2, bidirectional=True, dropout=dropout, name="stack")
        if not stack.return_sequences or stack.return_state:
            raise InputError(
                f"The stack {stack.name} must return the outputs of all time steps and no states: "
                "set return_sequences=True and return_state=False."
            )
        if front_end.mean_normalize and not stack.bidirectional:
            raise InputError(
                "A model that reads in one direction cannot know the mean of a recording that goes "
                "on: mean_normalize=True needs an RNNStack with bidirectional=True."
            )
        head = keras.layers.Dense(len(letters.characters) + 1, name="logits")
        inputs = {
            "samples": keras.Input((None,), dtype="float32", name="samples"),
            "lengths": keras.Input((), dtype="int32", name="lengths"),
        }
        x, mask = front_end(inputs["samples"], inputs["lengths"])
        for layer in features:
            x = layer(x)
        logits = head(stack(x, mask=mask))
        outputs = BlankAfterEnd(front_end.num_offsets, name="log_probs")(logits, mask)
        super().__init__(inputs, outputs, name=name)
        self.alphabet, self._letters = letters.characters, letters
        self.lexicon = None if lexicon is None else list(lexicon)
        self._lexicon = None if lexicon is None else Lexicon(self.lexicon, self.alphabet)
        self.front_end, self.features, self.stack = front_end, list(features), stack
        self.output_layer = head

    def default_loss(self) -> keras.losses.Loss:
        """Return the loss of CTC."""
        return CTC()

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.front_end.sample_rate

    @property
    def seconds_per_step(self) -> float:
        """Seconds from one time step to the next."""
        return self.front_end.step_hop / self.sample_rate

    @property
    def num_offsets(self) -> int:
        """Number of rows that the recurrent layers have for each recording."""
        return self.front_end.num_offsets

    def num_steps(self, lengths: Any) -> np.ndarray:
        """Return the number of time steps of recordings.

        Args:
            lengths: Number of samples of each recording.
        """
        return np.maximum(-(-np.asarray(lengths) // self.front_end.step_hop), 1)

    # From recordings and texts to arrays.

    def adapt(self, recordings: Sequence[np.ndarray]) -> None:
        """Learn to normalize the spectrogram, and make noise, see `FrontEnd.adapt`.

        Args:
            recordings: Arrays of samples, see `encode`; a few hundred will do.

        Raises:
            InputError: If no recording is as long as a frame.
        """
        self.front_end.adapt(recordings)

    def encode(
        self,
        recordings: Sequence[np.ndarray],
        texts: Sequence[str] | None = None,
        padded: bool = True,
    ) -> EncodedDataset:
        """Return recordings and texts as arrays that the network takes.

        Args:
            recordings: For each an array of its samples: integers of 16 bits, or floats from -1 to
                1.
            texts: Text of each recording; "" for silence.
            padded: Whether all recordings are padded to the longest. If not, they take less memory,
                for `fit` with `keras_seq.batching.make_batches`.

        Returns:
            `inputs`, `targets`, and `lengths` in samples. Samples are float16, since no more is in
            them. `targets` is None without texts.

        Raises:
            InputError: If a text has a letter that is not in the alphabet, or is too long for its
                recording. The message gives its number from 1.
        """
        lengths = np.array([len(recording) for recording in recordings], "int32")
        rows = [to_float16(recording) for recording in recordings]
        samples: Any = RaggedArray(rows, "float16")
        if padded:
            samples = samples[:] if lengths.any() else np.zeros((len(rows), 1), "float16")
        targets = None
        if texts is not None:
            targets = self._letters.encode(texts)
            self._check_lengths(texts, targets, lengths)
        inputs = {"samples": samples, "lengths": lengths}
        return EncodedDataset(
            inputs,
            targets,
            lengths,
            sequences=["samples"],
            min_length=self.sample_rate // 4,
            buckets_per_octave=4,
        )

    def _check_lengths(self, texts: Sequence[str], targets: Any, lengths: Any) -> None:
        # Between two equal letters there must be a blank.
        repeated = (targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] > 0)
        needed = (targets > 0).sum(axis=1) + repeated.sum(axis=1)
        for number, (need, steps) in enumerate(
            zip(needed, self.num_steps(lengths), strict=True), 1
        ):
            if need > steps:
                raise InputError(
                    f"Text {number}, {texts[number - 1][:40]!r}, needs {need} time steps, but "
                    f"its recording of {lengths[number - 1] / self.sample_rate:.2f} s has "
                    f"{steps}: is it the right one? Fewer frames a step make more steps."
                )

    def trace_inputs(self, example: np.ndarray, target: Any = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one recording, and when each time step begins.

        Args:
            example: Array of samples.
            target: Not read.
        """
        starts = np.arange(int(self.num_steps(len(example)))) * self.seconds_per_step
        return self.encode([example]).inputs, [f"{second:.2f} s" for second in starts]

    def spectrogram(self, recording: np.ndarray) -> np.ndarray:
        """Return the log-mel spectrogram of a recording, `(frames, bands)`.

        Args:
            recording: Array of samples.
        """
        return self.front_end.spectrogram(recording)

    def collapse(self, path: Sequence[int]) -> list[tuple[str, int]]:
        """Return the letters of a path with their time steps: the first of equals in a row.

        Args:
            path: Class of a letter, or of the blank, for each time step.
        """
        return [(self.alphabet[label - 1], step) for label, step in collapse(path)]

    def path_to_text(self, path: Sequence[int]) -> str:
        """Return the text of a path.

        Args:
            path: As in `collapse`.
        """
        return self._letters.decode(label for label, _ in collapse(path))

    # What was said.

    def log_probs(self, recordings: Sequence[np.ndarray], batch_size: int = 32) -> list[np.ndarray]:
        """Return the log probabilities of the blank and the letters at each time step.

        Args:
            recordings: As in `encode`.
            batch_size: Number of recordings per batch, at most.

        Returns:
            For each recording `(timesteps, letters + 1)`.
        """
        dataset = self.encode(recordings)
        steps, results = self.num_steps(dataset.lengths), {}
        for rows, outputs in self.predict_by_length(dataset, batch_size):
            results.update({row: out[: steps[row]] for row, out in zip(rows, outputs)})
        return [results[row] for row in range(len(recordings))]

    def transcribe(
        self,
        recordings: Sequence[np.ndarray],
        beam_width: int | None = None,
        batch_size: int = 32,
        *,
        language_model: Any = None,
        lm_weight: float = 0.5,
        length_bonus: float = 0.0,
        use_lexicon: bool = True,
    ) -> list[str]:
        """Return the texts of recordings; silence has an empty text.

        Args:
            recordings: As in `encode`.
            beam_width: As in `decode`.
            batch_size: Number of recordings per batch, at most.
            language_model: As in `decode`.
            lm_weight: As in `decode`.
            length_bonus: As in `decode`.
            use_lexicon: As in `decode`.

        Raises:
            InputError: If `beam_width` is below 1, or the language model does not fit.
        """
        log_probs = self.log_probs(recordings, batch_size)
        return self.decode(
            log_probs, beam_width, language_model, lm_weight, length_bonus, use_lexicon
        )

    def decode(
        self,
        log_probs: Sequence[np.ndarray],
        beam_width: int | None = None,
        language_model: Any = None,
        lm_weight: float = 0.5,
        length_bonus: float = 0.0,
        use_lexicon: bool = True,
    ) -> list[str]:
        """Return the texts of the log probabilities that `log_probs` returns.

        Args:
            log_probs: For each recording `(timesteps, letters + 1)`.
            beam_width: Number of texts to follow, each scored by the sum over its alignments.
                Default: the text of the most likely alignment, or with a lexicon or a language
                model 16 texts.
            language_model: Model with a method `char_log_probs`, such as a `SequenceGenerator`
                over letters (`tokenizer="char"`) without styles.
            lm_weight: Weight of the language model.
            length_bonus: Score per character, in a search with a lexicon or a language model.
            use_lexicon: Whether to restrict texts to the words of the lexicon, if there is one.

        Raises:
            InputError: If `beam_width` is below 1, or the language model does not fit.
        """
        scorers: list[Scorer] = []
        if language_model is not None:
            scorers.append(language_model_scorer(language_model, self._letters, lm_weight))
        if self._lexicon is not None and use_lexicon:
            scorers.append(self._lexicon)
        labels = ctc_decode(log_probs, beam_width, scorers, length_bonus)
        return list(map(self._letters.decode, labels))

    def stream(self) -> Stream:
        """Return a `Stream`, which recognizes while the sound arrives.

        Raises:
            InputError: If the stack reads in both directions.
        """
        return Stream(self)

    def advance(self, features: Any, states: Any) -> tuple[Any, Any]:
        """Return the log probabilities of the next time steps, and the states after them.

        Args:
            features: `(batch, timesteps, features)`, as `front_end.features` returns them.
            states: States of the stack before them, at first `stack.get_initial_state(batch)`.
        """
        for layer in self.features:
            features = layer(features)
        outputs, states = self.stack.advance(features, states)
        logits = self.output_layer(outputs)
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1), states
