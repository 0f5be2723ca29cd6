"""The model: raw pixels in, ten logits out."""

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.train.optimizers import adam_w

from .config import Config
from .data import COLUMNS, ROWS

MEAN, DEVIATION = 0.1307, 0.3081
"""Of the pixels of MNIST's training digits, scaled to 0..1."""


def build(config: Config, train: RawExamples) -> keras.Model:
    """Return recurrent layers over the rows, whose last states name the digit."""
    images = keras.Input((ROWS, COLUMNS), name="image")
    x = keras.layers.Rescaling(1 / 255)(images)
    if config.augment:
        x = RandomWarp()(x)
    x = keras.layers.Rescaling(1 / DEVIATION, -MEAN / DEVIATION)(x)
    for number in range(config.num_layers):
        last = number == config.num_layers - 1
        layer = getattr(layers, config.cell)(
            config.units, return_sequences=not last, **_start(config, config.units)
        )
        x = keras.layers.Bidirectional(layer)(x) if config.bidirectional else layer(x)
        if config.dropout:
            x = keras.layers.Dropout(config.dropout)(x)
    digit = keras.layers.Dense(10, name="digit", **_start(config, x.shape[-1], ("kernel", "bias")))
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


def _start(config, fan, kinds=("kernel", "recurrent", "bias")):
    """Arguments that say how the weights of a layer start."""
    if config.initializer == "keras":
        return {}
    bound = 1 / fan**0.5
    uniform = {
        f"{kind}_initializer": keras.initializers.RandomUniform(-bound, bound) for kind in kinds
    }
    # PyTorch's forget gates start like the other gates.
    forget = "recurrent" in kinds and config.cell.endswith("LSTM")
    return uniform | ({"unit_forget_bias": False} if forget else {})


def _optimizer(config):
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum)
    return adam_w(config.learning_rate, config.steps)


@keras.saving.register_keras_serializable(package="keras_seq")
class RandomWarp(keras.layers.Layer):
    """Turns, scales, shears, shifts and bends images (batch, rows, columns), in training only.

    Every image is read at the places of a grid that is moved by a random affine map and by a
    smooth random field, with linear interpolation; outside of the image there is zero.

    Args:
        degrees: Largest turn either way.
        scale: Largest relative change of height and of width.
        shear: Largest shear.
        shift: Largest shift in pixels.
        bend: Standard deviation, in pixels, of the shifts at the 4 x 4 nodes of the field.
        seed: Of the random numbers.
    """

    NODES = 4

    def __init__(
        self, degrees=15.0, scale=0.15, shear=0.15, shift=2.0, bend=1.0, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.degrees, self.scale, self.shear, self.shift = degrees, scale, shear, shift
        self.bend, self.seed = bend, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        _, rows, columns = input_shape
        y, x = np.mgrid[:rows, :columns].reshape(2, -1).astype("float32")
        self.centre = np.array([[(rows - 1) / 2], [(columns - 1) / 2]], dtype="float32")
        self.grid = np.stack([y, x]) - self.centre
        self.field = np.einsum(
            "ya,xb->abyx", _weights(rows, self.NODES), _weights(columns, self.NODES)
        )
        self.field = self.field.reshape(self.NODES**2, rows * columns)

    def call(self, images, training=False):
        if not training:
            return images
        return _read(images, self.places(ops.shape(images)[0]))

    def places(self, batch):
        """Where each pixel is read from: (batch, 2, pixels), row and column."""
        uniform = keras.random.uniform((batch, 6), -1, 1, seed=self.seed_generator)
        turn, shear, tall, wide, down, right = ops.unstack(uniform, 6, axis=1)
        cos, sin = (
            ops.cos(turn * np.radians(self.degrees)),
            ops.sin(turn * np.radians(self.degrees)),
        )
        shear, tall, wide = shear * self.shear, 1 + tall * self.scale, 1 + wide * self.scale
        affine = [cos * tall, -sin * wide, sin * tall + cos * shear, cos * wide - sin * shear]
        affine = ops.reshape(ops.stack(affine, axis=1), (-1, 2, 2))
        shift = ops.stack([down, right], axis=1)[..., None] * self.shift
        nodes = keras.random.normal(
            (batch, 2, self.NODES**2), stddev=self.bend, seed=self.seed_generator
        )
        bent = ops.matmul(nodes, self.field)
        return ops.matmul(affine, self.grid) + self.centre + shift + bent

    def get_config(self):
        names = ("degrees", "scale", "shear", "shift", "bend", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _weights(pixels, nodes):
    """How much each node of a smooth field counts at each pixel: (pixels, nodes)."""
    distance = np.linspace(0, nodes - 1, pixels)[:, None] - np.arange(nodes)
    near = np.clip(1 - np.abs(distance), 0, 1)
    return (near * near * (3 - 2 * near)).astype("float32")


def _read(images, places):
    """Images (batch, rows, columns) at places (batch, 2, pixels), linearly interpolated."""
    _, rows, columns = images.shape
    # A border of one zero on every side makes all that lies outside read as zero.
    padded = ops.pad(images, ((0, 0), (1, 1), (1, 1)))
    flat = ops.reshape(padded, (-1, (rows + 2) * (columns + 2)))
    y = ops.clip(places[:, 0] + 1, 0, rows + 0.999)
    x = ops.clip(places[:, 1] + 1, 0, columns + 0.999)
    top, left = ops.floor(y), ops.floor(x)
    below, beside = y - top, x - left
    first = ops.cast(top * (columns + 2) + left, "int32")

    def at(offset):
        return ops.take_along_axis(flat, first + offset, axis=1)

    upper = at(0) * (1 - beside) + at(1) * beside
    lower = at(columns + 2) * (1 - beside) + at(columns + 3) * beside
    return ops.reshape(upper * (1 - below) + lower * below, (-1, rows, columns))
