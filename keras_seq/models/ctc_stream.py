"""Streaming speech recognition."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.no_gradients import no_gradients
from keras_seq._internal.types import Array
from keras_seq.decoding import collapse
from keras_seq.layers.audio.front_end import as_floats
from keras_seq.scan.ctc import BLANK

if TYPE_CHECKING:
    from keras_seq.models.ctc_recognizer import CTCRecognizer


class StreamingResult(NamedTuple):
    """Text that a chunk of audio adds to a transcript."""

    text: str
    """New characters."""
    log_probs: Array
    """Natural log probabilities `(timesteps, characters + 1)`, the blank first."""


class Stream:
    """Streaming transcription in chunks, with the same result as for the whole recording.

        stream = recognizer.stream()
        for chunk in chunks:
            print(stream.feed(chunk).text, end="")
        print(stream.finish().text)

    The text is that of the most likely alignment. After `finish`, the stream is ready for another
    recording.

    Args:
        recognizer: A `CTCRecognizer` whose stack is not bidirectional.

    Raises:
        InputError: If the stack is bidirectional.
    """

    def __init__(self, recognizer: "CTCRecognizer") -> None:
        if recognizer.stack.bidirectional:
            raise InputError(
                f"The stack {recognizer.stack.name} is bidirectional, so it needs all samples: "
                "use an RNNStack with bidirectional=False."
            )
        self._recognizer = recognizer
        self._reset()

    def _reset(self) -> None:
        recognizer = self._recognizer
        self._states = recognizer.stack.get_initial_state(recognizer.front_end.num_offsets)
        # Samples from the first one that the next time step reads.
        self._samples = np.zeros(0, "float32")
        # Class of the last time step.
        self._last = BLANK

    def feed(self, samples: Array) -> StreamingResult:
        """Return the text that the next chunk adds.

        Args:
            samples: `(samples,)`, int16, or floats from -1 to 1, of any length.
        """
        front_end = self._recognizer.front_end
        self._samples = np.concatenate([self._samples, to_float16(samples)])
        rest = len(self._samples) - front_end.receptive_field
        return self._read(0 if rest < 0 else 1 + rest // front_end.step_hop)

    def finish(self) -> StreamingResult:
        """Return the text that the remaining samples add, and reset the stream."""
        front_end = self._recognizer.front_end
        steps = -(-len(self._samples) // front_end.step_hop)
        needed = front_end.receptive_field + (steps - 1) * front_end.step_hop
        self._samples = np.pad(self._samples, (0, max(0, needed - len(self._samples))))
        result = self._read(steps)
        self._reset()
        return result

    def _read(self, steps: int) -> StreamingResult:
        recognizer, front_end = self._recognizer, self._recognizer.front_end
        if not steps:
            return StreamingResult("", np.zeros((0, len(recognizer.alphabet) + 1), "float32"))
        needed = front_end.receptive_field + (steps - 1) * front_end.step_hop
        with no_gradients():
            features = front_end.features(ops.convert_to_tensor(self._samples[None, :needed]))
            log_probs, self._states = recognizer.advance(features, self._states)
        log_probs = np.logaddexp.reduce(ops.convert_to_numpy(log_probs), axis=0)
        log_probs -= np.float32(np.log(front_end.num_offsets))
        self._samples = self._samples[steps * front_end.step_hop :]
        path = [self._last, *log_probs.argmax(axis=-1)]
        self._last = path[-1]
        characters = [recognizer.alphabet[label - 1] for label, step in collapse(path) if step]
        return StreamingResult("".join(characters), log_probs)


def to_float16(recording: Array) -> Array:
    """Return samples as float16, so that chunks and whole recordings have equal values."""
    return as_floats(recording).astype("float16")
