"""Optimizers of the recipes, and their learning-rate schedule."""

import math
from typing import Any

import keras
from keras import ops

from keras_seq._internal.types import Config

WARMUP_RATIO = 20
"""Number of steps per step of the warmup, and the peak over the rate of the first step."""


@keras.saving.register_keras_serializable(package="keras_seq")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Schedule with linear warmup over 5% of the steps, then cosine decay to zero.

    It returns the values of `keras.optimizers.schedules.CosineDecay`. That one has conditional
    branches, which TensorFlow traces again for each weight: this took 2 of the 11 seconds of the
    first train step.

    Args:
        learning_rate: Peak learning rate.
        steps: Number of optimizer steps. None if it depends on the number of examples: the training
            loop then sets it with `set_schedule_steps`.
    """

    def __init__(self, learning_rate: float, steps: int | None) -> None:
        self.learning_rate, self.steps = learning_rate, steps

    def __call__(self, step: Any) -> Any:
        steps = 1 if self.steps is None else self.steps
        warmup_steps = steps // WARMUP_RATIO
        step = ops.cast(step, "float32")
        rising = (1 + (WARMUP_RATIO - 1) * step / max(1, warmup_steps)) / WARMUP_RATIO
        progress = ops.clip((step - warmup_steps) / (steps - warmup_steps), 0, 1)
        falling = (1 + ops.cos(math.pi * progress)) / 2
        return self.learning_rate * ops.where(step < warmup_steps, rising, falling)

    def get_config(self) -> Config:
        return {"learning_rate": self.learning_rate, "steps": self.steps}


def adam_w(
    learning_rate: float, steps: int | None, weight_decay: float = 0.01
) -> keras.optimizers.Optimizer:
    """Return Adam with decoupled weight decay (AdamW, Loshchilov & Hutter 2019).

    Gradients are clipped to a global norm of 1.

    Args:
        learning_rate: Peak learning rate of `WarmupCosine`.
        steps: Number of optimizer steps, as for `WarmupCosine`.
        weight_decay: Decoupled weight decay, relative to the learning rate.
    """
    return keras.optimizers.AdamW(
        WarmupCosine(learning_rate, steps), weight_decay=weight_decay, global_clipnorm=1.0
    )


def muon(
    learning_rate: float, steps: int | None, weight_decay: float, output: str
) -> keras.optimizers.Optimizer:
    """Return Muon (Jordan et al. 2024) with the update scale of Liu et al. 2025.

    Muon orthogonalizes the momentum of each matrix. The update is scaled by 0.2 times the square
    root of the longer side. Embeddings, the output layer and weights that are not matrices use
    AdamW.

    Args:
        learning_rate: Peak learning rate of `WarmupCosine`.
        steps: Number of optimizer steps, as for `WarmupCosine`.
        weight_decay: Decoupled weight decay, relative to the learning rate.
        output: Name of the output layer.
    """
    return keras.optimizers.Muon(
        WarmupCosine(learning_rate, steps),
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        global_clipnorm=1.0,
        exclude_layers=[output],
    )


def set_schedule_steps(optimizer: keras.optimizers.Optimizer, steps: int) -> None:
    """Set the number of steps that the schedule of an optimizer spans.

    Other schedules than `WarmupCosine`, and constant learning rates, do not change. Call this
    before the first step, because a compiled step contains the schedule.

    Args:
        optimizer: Optimizer.
        steps: Number of optimizer steps.
    """
    schedule = optimizer.get_config().get("learning_rate")
    if isinstance(schedule, dict) and schedule["class_name"] == WarmupCosine.__name__:
        optimizer.learning_rate = WarmupCosine(schedule["config"]["learning_rate"], steps)
