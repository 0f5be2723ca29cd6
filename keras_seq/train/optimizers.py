"""Optimizers of the recipes, and their learning-rate schedule."""

import keras

SCHEDULE_NAME = "warmup_cosine"
"""Name by which `set_schedule_steps` recognizes the schedule of `warmup_cosine`."""


def adam_w(
    learning_rate: float, steps: int | None, weight_decay: float = 0.01
) -> keras.optimizers.Optimizer:
    """Return Adam with decoupled weight decay (AdamW, Loshchilov & Hutter 2019).

    Gradients are clipped to a global norm of 1.

    Args:
        learning_rate: Peak learning rate of `warmup_cosine`.
        steps: Number of optimizer steps, as for `warmup_cosine`.
        weight_decay: Decoupled weight decay, relative to the learning rate.
    """
    return keras.optimizers.AdamW(
        warmup_cosine(learning_rate, steps), weight_decay=weight_decay, global_clipnorm=1.0
    )


def muon(
    learning_rate: float, steps: int | None, weight_decay: float, output: str
) -> keras.optimizers.Optimizer:
    """Return Muon (Jordan et al. 2024) with the update scale of Liu et al. 2025.

    Muon orthogonalizes the momentum of each matrix. The update is scaled by 0.2 times the square
    root of the longer side. Embeddings, the output layer and weights that are not matrices use
    AdamW.

    Args:
        learning_rate: Peak learning rate of `warmup_cosine`.
        steps: Number of optimizer steps, as for `warmup_cosine`.
        weight_decay: Decoupled weight decay, relative to the learning rate.
        output: Name of the output layer.
    """
    return keras.optimizers.Muon(
        warmup_cosine(learning_rate, steps),
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        global_clipnorm=1.0,
        exclude_layers=[output],
    )


def warmup_cosine(
    learning_rate: float, steps: int | None
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a schedule with linear warmup over 5% of the steps, then cosine decay to zero.

    Args:
        learning_rate: Peak learning rate.
        steps: Number of optimizer steps. None if it depends on the number of examples: the training
            loop then sets it with `set_schedule_steps`.
    """
    steps = 1 if steps is None else steps
    warmup_steps = steps // 20
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 20,
        steps - warmup_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
        name=SCHEDULE_NAME,
    )


def set_schedule_steps(optimizer: keras.optimizers.Optimizer, steps: int) -> None:
    """Set the number of steps that the schedule of an optimizer spans.

    Other schedules than `warmup_cosine`, and constant learning rates, do not change. Call this
    before the first step, because a compiled step contains the schedule.

    Args:
        optimizer: Optimizer.
        steps: Number of optimizer steps.
    """
    schedule = optimizer.get_config().get("learning_rate")
    settings = schedule["config"] if isinstance(schedule, dict) else {}
    if settings.get("name") == SCHEDULE_NAME:
        optimizer.learning_rate = warmup_cosine(settings["warmup_target"], steps)
