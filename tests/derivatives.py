"""Second derivatives, by each backend and by finite differences."""

import keras
import numpy as np
from helpers import to_numpy
from keras import ops


def weighting(arrays):
    """Return different weights for all elements of gradients."""
    return [np.cos(1 + np.arange(a.size)).reshape(a.shape) for a in arrays]


def of_gradients(function, arrays):
    """Return the gradients of a function, and the derivatives of their weighted sum.

    Args:
        function: Function from tensors to a scalar.
        arrays: Arguments of the function, in float64.
    """
    weights = weighting(arrays)
    if keras.backend.backend() == "jax":
        import jax

        with jax.enable_x64(True):
            arrays = [jax.numpy.array(a) for a in arrays]
            places = tuple(range(len(arrays)))

            def penalty(*arrays):
                gradients = jax.grad(function, places)(*arrays)
                return sum(ops.sum(g * w) for g, w in zip(gradients, weights)), gradients

            second, first = jax.grad(penalty, places, has_aux=True)(*arrays)
    elif keras.backend.backend() == "torch":
        import torch

        arrays = [torch.tensor(a, requires_grad=True) for a in arrays]
        first = torch.autograd.grad(function(*arrays), arrays, create_graph=True)
        total = sum((g * torch.tensor(w)).sum() for g, w in zip(first, weights))
        second = torch.autograd.grad(total, arrays)
        first = [g.detach() for g in first]
    else:
        import tensorflow as tf

        @tf.function(autograph=False)
        def run(*arrays):
            with tf.GradientTape() as outer:
                outer.watch(arrays)
                with tf.GradientTape() as inner:
                    inner.watch(arrays)
                    value = function(*arrays)
                first = inner.gradient(value, arrays)
                total = sum(tf.reduce_sum(g * w) for g, w in zip(first, weights))
            return first, outer.gradient(total, arrays)

        first, second = run(*map(tf.constant, arrays))
    return to_numpy(list(first)), to_numpy(list(second))


def by_differences(function, arrays, step=1e-3):
    """Return the result of `of_gradients` by fourth-order differences of a NumPy function."""

    def gradients(arrays):
        slopes = []
        for i, array in enumerate(arrays):
            slope = np.zeros(array.shape)
            for index in np.ndindex(array.shape):
                for offset, factor in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
                    others = [a.copy() for a in arrays]
                    others[i][index] += offset * step
                    slope[index] += factor * function(*others) / (12 * step)
            slopes.append(slope)
        return slopes

    def along(sign):
        """Return the gradients after a step along the weighting."""
        return gradients([a + sign * step * w for a, w in zip(arrays, weighting(arrays))])

    first = gradients(arrays)
    steps = [(along(1), 8), (along(-1), -8), (along(2), -1), (along(-2), 1)]
    second = [
        sum(factor * slopes[i] for slopes, factor in steps) / (12 * step)
        for i in range(len(arrays))
    ]
    return first, second
