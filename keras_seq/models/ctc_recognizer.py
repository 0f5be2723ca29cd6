"""Speech recognition by connectionist temporal classification (CTC)."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError, check_list
from keras_seq._internal.types import Array
from keras_seq.batching import EncodedDataset, RaggedArray
from keras_seq.decoding import Lexicon, collapse, ctc_decode
from keras_seq.decoding.ctc_decoding import Scorer, language_model_scorer
from keras_seq.layers.audio.blank_after_end import BlankAfterEnd
from keras_seq.layers.audio.front_end import FrontEnd, check_recording
from keras_seq.layers.named_weights import AxisNames, NamedWeight, dense_weights
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.losses import CTC
from keras_seq.models.base import BaseModel
from keras_seq.models.ctc_checks import check_lengths
from keras_seq.models.ctc_stream import Stream, to_float16
from keras_seq.text.alphabet import Alphabet


@keras.saving.register_keras_serializable(package="keras_seq")
class CTCRecognizer(BaseModel):
    """Speech recognizer: recurrent layers over a spectrogram, and CTC (Graves et al. 2006).

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
    >>> recognizer.fit(recordings, ["yes", "no"])  # doctest: +SKIP
    >>> [type(text) for text in recognizer.transcribe(recordings)]
    [<class 'str'>, <class 'str'>]

    As a `keras.Model`, it maps a dict of "samples" `(batch, samples)` and "lengths" `(batch,)` to
    log probabilities `(batch, timesteps, characters + 1)`, the blank first. `encode` returns such a
    dict. After the end of a recording the blank has probability 1, so neither loss nor decoder
    needs the lengths.

    It trains and predicts on TensorFlow, JAX and torch. Export needs TensorFlow.

    Args:
        alphabet: Characters of the texts, in the order of their classes from 1, as a string or a
            list. Include the space if texts have several words.
        front_end: Layer from samples to features. Default: `FrontEnd()`.
        features: Layers between `front_end` and `stack`, such as a `BandConvolution`. For streaming
            they must process each time step on its own.
        stack: Recurrent layers that return all outputs. With `bidirectional=False` the model can
            transcribe a stream, see `stream`. Default: two bidirectional LSTM layers of 160 units
            per direction, each followed by dropout of 0.2.
        lexicon: Words, without spaces, to which `transcribe` and exported models restrict the
            texts. Streams ignore it and return the most likely alignment.
        name: Name of the model.

    Raises:
        InputError: If the alphabet is empty or repeats a character, if a word of the lexicon has
            another character or a space, or if the layers are incompatible.
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
        checked_alphabet = Alphabet(alphabet, "A CTCRecognizer")
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
                "mean_normalize=True needs an RNNStack with bidirectional=True, since it needs the "
                "whole recording."
            )
        head = keras.layers.Dense(len(checked_alphabet.characters) + 1, name="logits")
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
        self.alphabet, self._alphabet = checked_alphabet.characters, checked_alphabet
        check_list(lexicon, "words")
        words = None if lexicon is None else list(lexicon)
        self.lexicon = words
        self._lexicon = None if words is None else Lexicon(words, self.alphabet)
        self.front_end, self.features, self.stack = front_end, list(features), stack
        self.output_layer = head

    def default_loss(self) -> keras.losses.Loss:
        """Return the CTC loss."""
        return CTC()

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by characters."""
        return dense_weights(self.output_layer, AxisNames("characters", ["", *self.alphabet]))

    @property
    def sample_rate(self) -> int:
        """Sampling rate of recordings in Hz."""
        return self.front_end.sample_rate

    @property
    def seconds_per_step(self) -> float:
        """Duration of a time step in seconds."""
        return self.front_end.step_hop / self.sample_rate

    @property
    def num_offsets(self) -> int:
        """Number of rows per recording in the recurrent layers, see `FrontEnd`."""
        return self.front_end.num_offsets

    def num_steps(self, lengths: Any) -> Array:
        """Return the number of time steps of each recording.

        Args:
            lengths: Number of samples of each recording.
        """
        return np.maximum(-(-np.asarray(lengths) // self.front_end.step_hop), 1)

    # From recordings and texts to arrays.

    def adapt(self, recordings: Sequence[Array]) -> None:
        """Learn the statistics of the spectrogram, and set the noise tracks; see `FrontEnd.adapt`.

        Args:
            recordings: As in `encode`. A few hundred suffice.

        Raises:
            InputError: If all recordings are shorter than a frame.
        """
        self.front_end.adapt(recordings)

    def encode(
        self,
        recordings: Sequence[Array],
        texts: Sequence[str] | None = None,
        padded: bool = True,
    ) -> EncodedDataset:
        """Convert recordings and texts to arrays for the network.

        Args:
            recordings: Arrays of samples `(samples,)`: int16, or floats from -1 to 1.
            texts: Text of each recording; "" for silence.
            padded: Whether to pad all recordings to the longest. False saves memory, for `fit` with
                `keras_seq.batching.make_batches`.

        Returns:
            Dataset with `lengths` in samples. Samples are float16, to save memory. `targets` is
            None without texts.

        Raises:
            InputError: If a text has a character that is not in the alphabet, or is too long for
                its recording. The message gives its number, from 1.
        """
        lengths = np.array([len(recording) for recording in recordings], "int32")
        rows = list(map(check_recording, recordings))
        # The recordings are not copied: a corpus of them is the largest part of the memory.
        samples: Any = RaggedArray(rows, "float16", to_float16)
        if padded:
            samples = samples[:] if lengths.any() else np.zeros((len(lengths), 1), "float16")
        targets = None
        if texts is not None:
            targets = self._alphabet.encode(texts)
            check_lengths(texts, targets, self.num_steps(lengths), lengths / self.sample_rate)
        inputs = {"samples": samples, "lengths": lengths}
        return EncodedDataset(
            inputs,
            targets,
            lengths,
            sequences=["samples"],
            min_length=self.sample_rate // 4,
            buckets_per_octave=4,
            step_length=self.front_end.step_hop,
        )

    def trace_inputs(self, example: Array, target: Any = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one recording, and the start of each time step.

        Args:
            example: Array of samples.
            target: Not used.
        """
        starts = np.arange(int(self.num_steps(len(example)))) * self.seconds_per_step
        return self.encode([example]).inputs, [f"{second:.2f} s" for second in starts]

    def spectrogram(self, recording: Array) -> Array:
        """Return the log-mel spectrogram of a recording, `(frames, num_mel_bins)`.

        Args:
            recording: Array of samples.
        """
        return self.front_end.spectrogram(recording)

    def collapse(self, path: Sequence[int]) -> list[tuple[str, int]]:
        """Return the characters of a CTC path with their time steps, see `decoding.collapse`.

        Args:
            path: Class of each time step; 0 is the blank.
        """
        return [(self.alphabet[label - 1], step) for label, step in collapse(path)]

    def path_to_text(self, path: Sequence[int]) -> str:
        """Return the text of a CTC path.

        Args:
            path: As in `collapse`.
        """
        return self._alphabet.decode(label for label, _ in collapse(path))

    # Transcription.

    def log_probs(self, recordings: Sequence[Array], batch_size: int = 32) -> list[Array]:
        """Return the natural log probabilities of the blank and the characters at each time step.

        Args:
            recordings: As in `encode`.
            batch_size: Largest number of recordings per batch.

        Returns:
            For each recording `(timesteps, characters + 1)`.
        """
        dataset = self.encode(recordings)
        steps, results = self.num_steps(dataset.lengths), {}
        for rows, outputs in self.predict_by_length(dataset, batch_size):
            results.update({row: out[: steps[row]] for row, out in zip(rows, outputs)})
        return [results[row] for row in range(len(recordings))]

    def transcribe(
        self,
        recordings: Sequence[Array],
        beam_width: int | None = None,
        batch_size: int = 32,
        *,
        language_model: Any = None,
        lm_weight: float = 0.5,
        length_bonus: float = 0.0,
        use_lexicon: bool = True,
    ) -> list[str]:
        """Return the texts of recordings. The text of silence is empty.

        Args:
            recordings: As in `encode`.
            beam_width: As in `decode`.
            batch_size: Largest number of recordings per batch.
            language_model: As in `decode`.
            lm_weight: As in `decode`.
            length_bonus: As in `decode`.
            use_lexicon: As in `decode`.

        Raises:
            InputError: As `decode`.
        """
        log_probs = self.log_probs(recordings, batch_size)
        return self.decode(
            log_probs, beam_width, language_model, lm_weight, length_bonus, use_lexicon
        )

    def decode(
        self,
        log_probs: Sequence[Array],
        beam_width: int | None = None,
        language_model: Any = None,
        lm_weight: float = 0.5,
        length_bonus: float = 0.0,
        use_lexicon: bool = True,
    ) -> list[str]:
        """Decode log probabilities to texts.

        Args:
            log_probs: Result of `log_probs`: for each recording `(timesteps, characters + 1)`.
            beam_width: Number of texts in the beam, each scored by the sum over its alignments.
                Default: 16 with a lexicon or a language model, otherwise the text of the most
                likely alignment.
            language_model: Model with a method `char_log_probs`, such as a `SequenceGenerator` with
                `tokenizer="char"` and without styles.
            lm_weight: Weight of the language model.
            length_bonus: Score per character. It needs a lexicon or a language model.
            use_lexicon: Whether to restrict texts to the words of the lexicon, if there is one.

        Raises:
            InputError: If `beam_width` is below 1, or if the language model has styles, or tokens
                other than characters.
        """
        scorers: list[Scorer] = []
        if language_model is not None:
            scorers.append(language_model_scorer(language_model, self._alphabet, lm_weight))
        if self._lexicon is not None and use_lexicon:
            scorers.append(self._lexicon)
        labels = ctc_decode(log_probs, beam_width, scorers, length_bonus)
        return list(map(self._alphabet.decode, labels))

    def stream(self) -> Stream:
        """Return a new `Stream`, which transcribes a recording in chunks.

        Raises:
            InputError: If the stack is bidirectional.
        """
        return Stream(self)

    def advance(self, features: Any, states: Any) -> tuple[Any, Any]:
        """Return the log probabilities of the next time steps, and the new states.

        Args:
            features: `(batch, timesteps, features)`, as `front_end.features` returns them.
            states: States of the stack, initially `stack.get_initial_state(batch_size)`.

        Returns:
            `(batch, timesteps, characters + 1)`, the blank first; and the new states.
        """
        for layer in self.features:
            features = layer(features)
        outputs, states = self.stack.advance(features, states)
        logits = self.output_layer(outputs)
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1), states
