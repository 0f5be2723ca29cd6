"""Encoders of video frames."""

import inspect
from collections.abc import Callable
from typing import Any, Literal, cast

import keras
from keras import ops

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Config, Shape, Tensor
from keras_seq.layers.recurrent.time_distributed import FlattenTime


@keras.saving.register_keras_serializable(package="keras_seq")
class SmallFrameEncoder(keras.layers.Layer):
    """Small convolutional network that maps each video frame to a vector.

    Strided convolutions halve height and width until both are at most 4. A dense layer follows.

    >>> import numpy as np
    >>> from keras_seq.layers import SmallFrameEncoder
    >>> encoder = SmallFrameEncoder(channels=8, features=32)
    >>> clips = np.random.default_rng(0).uniform(0, 255, (2, 5, 16, 16, 1))  # 2 clips of 5 frames
    >>> tuple(encoder(clips).shape)
    (2, 5, 32)

    Args:
        channels: Number of filters of the first convolution. It doubles from one convolution to the
            next, up to `4 * channels`.
        features: Number of features per frame.
        frame_difference: Whether the convolutions also read the difference from the previous frame,
            which shows motion. The difference of the first frame is 0.

    Call arguments:
        clips: `(batch, timesteps, height, width, channels)`, values from 0 to 255.

    Returns:
        `(batch, timesteps, features)`.
    """

    def __init__(
        self,
        channels: PositiveInt = 16,
        features: PositiveInt = 128,
        frame_difference: bool = True,
        **kwargs: Any,
    ) -> None:
        check_arguments(SmallFrameEncoder, locals())
        super().__init__(**kwargs)
        self.channels, self.features = channels, features
        self.frame_difference = frame_difference

    def build(self, clips_shape: Shape) -> None:
        height, width, channels = cast(tuple[int, int, int], clips_shape[2:])
        frame_shape = (height, width, channels * (2 if self.frame_difference else 1))
        self.frames = FlattenTime(self._convolutions(frame_shape), name="frames")

    def _convolutions(self, frame_shape: tuple[int, int, int]) -> keras.Model:
        frame = keras.Input(frame_shape, name="frame")
        x = keras.layers.Rescaling(1 / 127.5, dtype=self.dtype_policy)(frame)
        filters = self.channels
        while max(x.shape[1:3]) > 4:
            x = keras.layers.Conv2D(
                filters, 3, 2, padding="same", activation="relu", dtype=self.dtype_policy
            )(x)
            filters = min(2 * filters, 4 * self.channels)
        x = keras.layers.Flatten(dtype=self.dtype_policy)(x)
        x = keras.layers.Dense(self.features, activation="relu", dtype=self.dtype_policy)(x)
        return keras.Model(frame, x, name="convolutions")

    def call(self, clips: Tensor) -> Tensor:
        if self.frame_difference:
            previous = ops.concatenate([clips[:, :1], clips[:, :-1]], axis=1)
            clips = ops.concatenate([clips, clips - previous], axis=-1)
        return self.frames(clips)

    def compute_output_shape(self, clips_shape: Shape) -> Shape:
        return (*clips_shape[:2], self.features)

    def get_config(self) -> Config:
        names = ("channels", "features", "frame_difference")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_seq")
class ApplicationFrameEncoder(keras.layers.Layer):
    """Model of `keras.applications` and a dense layer that map each video frame to a vector.

    >>> from keras_seq.layers import ApplicationFrameEncoder
    >>> encoder = ApplicationFrameEncoder("MobileNetV2", features=32)
    >>> encoder.compute_output_shape((2, 5, 64, 64, 3))
    (2, 5, 32)

    Args:
        application: Name of a model in `keras.applications`, such as "MobileNetV2".
        features: Number of features per frame.
        weights: "imagenet" for weights trained on ImageNet, which Keras downloads; None for random
            weights. A loaded layer has the saved weights.
        freeze: Whether to keep the weights of the application fixed in training.

    Call arguments:
        clips: `(batch, timesteps, height, width, channels)`, values from 0 to 255, with 1 or 3
            channels.

    Returns:
        `(batch, timesteps, features)`.

    Raises:
        InputError: If Keras has no such model, or its weights cannot be downloaded.
    """

    def __init__(
        self,
        application: str,
        features: PositiveInt = 128,
        weights: Literal["imagenet"] | None = None,
        freeze: bool = False,
        **kwargs: Any,
    ) -> None:
        check_arguments(ApplicationFrameEncoder, locals())
        super().__init__(**kwargs)
        applications = _applications()
        if application not in applications:
            raise unknown_name("model of keras.applications", application, applications)
        if weights not in ("imagenet", None):
            raise unknown_name("set of weights", weights, ["imagenet"])
        self.application, self.features = application, features
        self.weights_to_load, self.freeze = weights, freeze

    def build(self, clips_shape: Shape) -> None:
        make, preprocess = _applications()[self.application]
        frame = keras.Input(clips_shape[2:], name="frame")
        x = frame if clips_shape[-1] == 3 else ops.repeat(frame, 3, axis=-1)
        body = make(
            include_top=False,
            weights=None,
            input_shape=x.shape[1:],
            pooling="avg",
            name="application",
        )
        if self.weights_to_load is not None:
            # `weights="imagenet"` would warn unless the frames have ImageNet's size.
            body.set_weights(_imagenet(self.application, make).get_weights())
        body.trainable = not self.freeze
        x = keras.layers.Dense(self.features, activation="relu")(body(preprocess(x)))
        self.frames = FlattenTime(keras.Model(frame, x, name="encoder"), name="frames")

    def call(self, clips: Tensor) -> Tensor:
        # An application does not have the dtype policy of this layer.
        return ops.cast(self.frames(clips), self.compute_dtype)

    def compute_output_shape(self, clips_shape: Shape) -> Shape:
        return (*clips_shape[:2], self.features)

    def get_config(self) -> Config:
        # `weights` is left out, since a loaded layer has the weights of the file.
        names = ("application", "features", "freeze")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _imagenet(name: str, make: Callable[..., keras.Model]) -> keras.Model:
    """Return an application without its top layer, with weights trained on ImageNet."""
    try:
        return make(include_top=False, weights="imagenet")
    except Exception as error:
        # Without a network, keras.utils.get_file raises a plain `Exception`.
        if type(error) is not Exception and not isinstance(error, OSError | ValueError):
            raise
        raise InputError(f"The weights of {name} cannot be downloaded: {error}") from error


def _applications() -> dict[str, tuple[Callable[..., keras.Model], Callable[[Tensor], Tensor]]]:
    """Return the constructor and the preprocessing function of each Keras application."""
    modules = [m for _, m in inspect.getmembers(keras.applications, inspect.ismodule)]
    return {
        name: (make, module.preprocess_input)
        for module in modules
        for name, make in inspect.getmembers(module, inspect.isfunction)
        if hasattr(module, "preprocess_input") and name[0].isupper()
    }
