"""Model of the recipe: raw pixels in, ten logits out."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.train.optimizers import adam_w

from .config import Config
from .images import COLUMNS, ROWS

MEAN, STD = 0.1307, 0.3081
"""Mean and standard deviation of the MNIST training pixels, scaled to 0..1."""


def build(config: Config, train: RawExamples) -> keras.Model:
    """Return a compiled model: recurrent layers over rows, and logits from the last state."""
    images = keras.Input((ROWS, COLUMNS), name="image")
    x = keras.layers.Rescaling(1 / 255)(images)
    if config.augment:
        x = RandomWarp()(x)
    x = keras.layers.Rescaling(1 / STD, -MEAN / STD)(x)
    for number in range(config.num_layers):
        is_last = number == config.num_layers - 1
        layer = getattr(layers, config.cell)(
            config.units, return_sequences=not is_last, **_initializers(config, config.units)
        )
        x = keras.layers.Bidirectional(layer)(x) if config.bidirectional else layer(x)
        if config.dropout:
            x = keras.layers.Dropout(config.dropout)(x)
    initializers = _initializers(config, x.shape[-1], ("kernel", "bias"))
    digit = keras.layers.Dense(10, name="digit", **initializers)
    model = keras.Model(images, digit(x))
    model.compile(
        optimizer=_optimizer(config),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def encode(model: keras.Model, examples: RawExamples) -> EncodedDataset:
    """Return images and digits, which are arrays already."""
    return EncodedDataset(examples.inputs, examples.targets)


def _initializers(
    config: Config, fan: int, kinds: tuple[str, ...] = ("kernel", "recurrent", "bias")
) -> dict[str, Any]:
    """Return the initializer arguments of a layer.

    Args:
        config: Config of the run.
        fan: Units of a recurrent layer, or inputs of a dense one. PyTorch's initializer is uniform
            within 1 / sqrt(fan).
        kinds: Weights that the layer has.
    """
    if config.initializer == "keras":
        return {}
    bound = 1 / fan**0.5
    initializers: dict[str, Any] = {
        f"{kind}_initializer": keras.initializers.RandomUniform(-bound, bound) for kind in kinds
    }
    # PyTorch initializes the bias of the forget gate like the others.
    if "recurrent" in kinds and config.cell.endswith("LSTM"):
        initializers["unit_forget_bias"] = False
    return initializers


def _optimizer(config: Config) -> keras.optimizers.Optimizer:
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum)
    return adam_w(config.learning_rate, config.steps)


@keras.saving.register_keras_serializable(package="keras_seq")
class RandomWarp(keras.layers.Layer):
    """Random affine and elastic distortion of images, in training only.

    Each image is sampled with linear interpolation at the points of a distorted grid; outside of
    the image it is zero. The distortion is a random affine map and a smooth random field
    (Simard et al. 2003).

    >>> import numpy as np
    >>> layer = RandomWarp(degrees=10.0, seed=0)
    >>> tuple(layer(np.ones((2, 28, 28)), training=True).shape)
    (2, 28, 28)

    Args:
        degrees: Maximum rotation in either direction, in degrees.
        scale: Maximum relative change of height and of width.
        shear: Maximum shear.
        shift: Maximum shift, in pixels.
        bend: Standard deviation, in pixels, of the shifts at the 4 x 4 nodes of the random field.
        seed: Random seed.

    Call arguments:
        images: `(batch, rows, columns)`.
        training: Whether to distort the images.

    Returns:
        `(batch, rows, columns)`.
    """

    NODES = 4

    def __init__(
        self,
        degrees: float = 15.0,
        scale: float = 0.15,
        shear: float = 0.15,
        shift: float = 2.0,
        bend: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.degrees, self.scale, self.shear, self.shift = degrees, scale, shear, shift
        self.bend, self.seed = bend, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        rows, columns = (int(size or 0) for size in input_shape[1:])
        y, x = np.mgrid[:rows, :columns].reshape(2, -1).astype("float32")
        self.center = np.array([[(rows - 1) / 2], [(columns - 1) / 2]], dtype="float32")
        self.grid = np.stack([y, x]) - self.center
        self.field = np.einsum(
            "ya,xb->abyx", _node_weights(rows, self.NODES), _node_weights(columns, self.NODES)
        )
        self.field = self.field.reshape(self.NODES**2, rows * columns)

    def call(self, images: Any, training: bool = False) -> Any:
        if not training:
            return images
        return _sample(images, self.random_grid(ops.shape(images)[0]))

    def random_grid(self, batch_size: Any) -> Any:
        """Return the points to sample, `(batch, 2, pixels)`: row and column of each pixel."""
        uniform = keras.random.uniform((batch_size, 6), -1, 1, seed=self.seed_generator)
        turn, shear, tall, wide, down, right = ops.unstack(uniform, 6, axis=1)
        angle = turn * np.radians(self.degrees)
        cos, sin = ops.cos(angle), ops.sin(angle)
        shear, tall, wide = shear * self.shear, 1 + tall * self.scale, 1 + wide * self.scale
        affine = [cos * tall, -sin * wide, sin * tall + cos * shear, cos * wide - sin * shear]
        affine_maps = ops.reshape(ops.stack(affine, axis=1), (-1, 2, 2))
        shift = ops.stack([down, right], axis=1)[..., None] * self.shift
        nodes = keras.random.normal(
            (batch_size, 2, self.NODES**2), stddev=self.bend, seed=self.seed_generator
        )
        elastic = ops.matmul(nodes, self.field)
        return ops.matmul(affine_maps, self.grid) + self.center + shift + elastic

    def get_config(self) -> dict[str, Any]:
        names = ("degrees", "scale", "shear", "shift", "bend", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _node_weights(num_pixels: int, num_nodes: int) -> np.ndarray:
    """Return the weight of each node of a smooth field at each pixel, `(pixels, nodes)`."""
    distance = np.linspace(0, num_nodes - 1, num_pixels)[:, None] - np.arange(num_nodes)
    nearness = np.clip(1 - np.abs(distance), 0, 1)
    return (nearness * nearness * (3 - 2 * nearness)).astype("float32")


def _sample(images: Any, points: Any) -> Any:
    """Return images `(batch, rows, columns)` at points `(batch, 2, pixels)`, interpolated."""
    _, rows, columns = images.shape
    # Points outside of the image read the border of zeros.
    padded = ops.pad(images, ((0, 0), (1, 1), (1, 1)))
    flat = ops.reshape(padded, (-1, (rows + 2) * (columns + 2)))
    y = ops.clip(points[:, 0] + 1, 0, rows + 0.999)
    x = ops.clip(points[:, 1] + 1, 0, columns + 0.999)
    top, left = ops.floor(y), ops.floor(x)
    y_weight, x_weight = y - top, x - left
    first = ops.cast(top * (columns + 2) + left, "int32")

    def pixels_at(offset: int) -> Any:
        return ops.take_along_axis(flat, first + offset, axis=1)

    upper = pixels_at(0) * (1 - x_weight) + pixels_at(1) * x_weight
    lower = pixels_at(columns + 2) * (1 - x_weight) + pixels_at(columns + 3) * x_weight
    return ops.reshape(upper * (1 - y_weight) + lower * y_weight, (-1, rows, columns))
