"""Existence and behavior of each private name of TensorFlow that keras-seq uses."""

import pytest
from helpers import BACKEND

from keras_seq._internal import tensorflow_compat

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="only on TensorFlow")


def test_under_xla():
    import tensorflow as tf

    seen = []

    def function(x):
        seen.append(tensorflow_compat.under_xla())
        return x + 1

    for jit in (False, True):
        tf.function(function, jit_compile=jit)(tf.constant(1.0))
    assert seen == [False, True] and not tensorflow_compat.under_xla()


def test_in_forward_mode():
    import tensorflow as tf

    x, y = tf.constant(1.0), tf.constant(2.0)
    with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)):
        assert tensorflow_compat.in_forward_mode([y, 2 * x])
        assert not tensorflow_compat.in_forward_mode([y])
    assert not tensorflow_compat.in_forward_mode([x])


@pytest.mark.parametrize("warns", [True, False])
def test_without_tracing_warning(monkeypatch, warns):
    import tensorflow as tf

    lines = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda text, *_: lines.append(text))

    def function(x):
        return x + (1 if warns else 2)

    for _ in range(6):
        traced = tf.function(function)
        traced = traced if warns else tensorflow_compat.without_tracing_warning(traced)
        traced(tf.constant(1.0))
    assert bool(lines) == warns
