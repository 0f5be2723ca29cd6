"""Export of a `VideoClassifier`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_seq.export.signatures.base import Adapter, Endpoint, register
from keras_seq.models.video_classifier import VideoClassifier


class VideoClassifierAdapter(Adapter):
    """Adapter of a `VideoClassifier`: `classify`; examples are clips."""

    def example_inputs(self) -> Sequence[np.ndarray]:
        """Return three clips of noise."""
        return [
            *np.random.default_rng(0).integers(0, 256, (3, 6, *self.model.frame_shape), "uint8")
        ]

    def text_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `classify`, from frames to labels.

        It takes `frames` `(batch, timesteps, *frame)`, uint8, and returns a dict of `labels`
        `(batch,)`, strings, and `probabilities` `(batch, labels)`.

        Args:
            examples: Clips to compare on.
        """
        import tensorflow as tf

        names = tf.constant(self.model.labels)

        def classify(frames: Any) -> dict[str, Any]:
            logits = self.model.logits(frames)
            return {
                "labels": tf.gather(names, tf.argmax(logits, axis=-1)),
                "probabilities": tf.nn.softmax(logits),
            }

        return {"classify": Endpoint(classify, self._signature(), _batches(examples))}

    def tensor_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `classify`, from frames to probabilities.

        It takes `frames` `(batch, timesteps, *frame)`, uint8, and returns a dict of `probabilities`
        `(batch, labels)`.

        Args:
            examples: Clips to compare on.
        """
        import tensorflow as tf

        def classify(frames: Any) -> dict[str, Any]:
            return {"probabilities": tf.nn.softmax(self.model.logits(frames))}

        return {"classify": Endpoint(classify, self._signature(), _batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the shape of a frame, how clips are taken from videos, and the labels."""
        model = self.model
        return {
            "frame_shape": list(model.frame_shape),
            "frame_sampling": model.frame_sampling,
            "labels": model.labels,
        }

    def _signature(self) -> list[Any]:
        import tensorflow as tf

        return [tf.TensorSpec([None, None, *self.model.frame_shape], tf.uint8, "frames")]


def _batches(clips: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """Return the longest clip alone, and all clips cut to the shortest."""
    shortest = min(len(clip) for clip in clips)
    longest = max(clips, key=len)
    return [[longest[None]], [np.stack([clip[:shortest] for clip in clips])]]


register(VideoClassifier, VideoClassifierAdapter)
