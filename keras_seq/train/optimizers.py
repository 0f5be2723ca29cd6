"""The optimizers of the recipes, and their learning-rate schedule."""

import keras


def adam_w(
    learning_rate: float, steps: int, weight_decay: float = 0.01
) -> keras.optimizers.Optimizer:
    """Return Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    Gradients whose norm, over all weights, is more than 1 are scaled down to it.

    Args:
        learning_rate: Peak learning rate of `warmup_cosine`.
        steps: Optimizer steps in all.
        weight_decay: Decoupled weight decay, relative to the learning rate.
    """
    return keras.optimizers.AdamW(
        warmup_cosine(learning_rate, steps), weight_decay=weight_decay, global_clipnorm=1.0
    )


def muon(
    learning_rate: float, steps: int, weight_decay: float, output: str
) -> keras.optimizers.Optimizer:
    """Return Muon (Jordan et al. 2024; scaled as by Liu et al. 2025).

    What is taken off a kernel is the orthogonal matrix nearest to the mean of its gradients, times
    0.2 and the root of its longer side: so no direction of what it multiplies changes faster than
    another. Weights that are not matrices, and the output layer, are left to Adam, as by `adam_w`.

    Args:
        learning_rate, steps, weight_decay: As for `adam_w`.
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
    learning_rate: float, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a learning rate that rises for a twentieth of the steps, then falls to zero.

    It falls as a cosine does.

    Args:
        learning_rate: Peak learning rate.
        steps: Optimizer steps in all.
    """
    warm_up = steps // 20
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, steps - warm_up, warmup_target=learning_rate, warmup_steps=warm_up
    )
