"""Export of a `VideoClassifier`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_seq._internal.types import Tensor
from keras_seq.export.signatures.base import Adapter, Endpoint, register
from keras_seq.models.video_classifier import VideoClassifier


class VideoClassifierAdapter(Adapter):
    """Adapter of a `VideoClassifier`, with the endpoint `classify`. Examples are clips."""

    def example_inputs(self) -> Sequence[np.ndarray]:
        """Return three clips of noise."""
        return [
            *np.random.default_rng(0).integers(0, 256, (3, 6, *self.model.frame_shape), "uint8")
        ]

    def text_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `classify`, from frames to labels.

        Input: `frames` `(batch, timesteps, *frame_shape)`, uint8. Outputs: `labels` `(batch,)`,
        strings, and `probabilities` `(batch, labels)`.

        Args:
            examples: Clips to verify the export on.
        """
        import tensorflow as tf

        names = tf.constant(self.model.labels)

        def classify(frames: Tensor) -> dict[str, Tensor]:
            logits = self.model.logits(frames)
            return {
                "labels": tf.gather(names, tf.argmax(logits, axis=-1)),
                "probabilities": tf.nn.softmax(logits),
            }

        return {"classify": Endpoint(classify, self._signature(), _batches(examples))}

    def tensor_signatures(self, examples: Sequence[np.ndarray]) -> dict[str, Endpoint]:
        """Return `classify`, from frames to probabilities.

        Input: `frames` `(batch, timesteps, *frame_shape)`, uint8. Output: `probabilities`
        `(batch, labels)`.

        Args:
            examples: Clips to verify the export on.
        """
        import tensorflow as tf

        def classify(frames: Tensor) -> dict[str, Tensor]:
            return {"probabilities": tf.nn.softmax(self.model.logits(frames))}

        return {"classify": Endpoint(classify, self._signature(), _batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the frame shape, how frames are sampled from videos, and the labels by id."""
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
    """Return the longest clip alone, and all clips truncated to the length of the shortest."""
    shortest = min(len(clip) for clip in clips)
    longest = max(clips, key=len)
    return [[longest[None]], [np.stack([clip[:shortest] for clip in clips])]]


register(VideoClassifier, VideoClassifierAdapter)
