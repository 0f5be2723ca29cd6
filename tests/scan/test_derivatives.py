"""Derivatives of the layers by all APIs of a backend, against the general loop."""

import contextlib
import itertools

import keras
import numpy as np
import pytest
from helpers import (
    BACKEND,
    CELLS,
    MASK,
    UNITS,
    assert_close,
    make,
    normal,
    states,
    to_numpy,
)
from keras import ops

from keras_seq import layers, scan
from keras_seq.scan import derivatives

FAST = [name for name in CELLS if name != "GRUResetBefore"]
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="APIs of TensorFlow")
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="APIs of JAX")


def both_ways(function):
    """Return the results of a function by the fast path and by the general loop, as flat lists."""
    fast = to_numpy(list(function()))
    with scan.general_only():
        return fast, to_numpy(list(function()))


def second_derivatives(layer, x, initial_state, mask):
    """Return gradients of a function of the gradients, for inputs, states and weights."""
    weights = [w.value for w in layer.trainable_weights]
    given = [ops.convert_to_tensor(a) for a in (x, *initial_state)]

    def total(results):
        return sum(ops.sum(ops.sin(2 * result)) for result in results)

    def penalty(gradients):
        return sum(ops.sum(ops.sin(gradient)) for gradient in gradients)

    if BACKEND == "jax":
        import jax

        others = [v.value for v in layer.non_trainable_variables]

        def value(weights, x, *initial_state):
            results, _ = layer.stateless_call(
                weights, others, x, initial_state=list(initial_state), mask=mask
            )
            return total(results)

        places = tuple(range(1 + len(given)))

        def of_gradients(*arguments):
            d_weights, *others = jax.grad(value, places)(*arguments)
            return penalty([*d_weights, *others])

        d_weights, *d_given = jax.jit(jax.grad(of_gradients, places))(weights, *given)
        return [*d_weights, *d_given]
    import tensorflow as tf

    with tf.GradientTape() as outer:
        outer.watch(given)
        with tf.GradientTape() as inner:
            inner.watch(given)
            value = total(layer(given[0], initial_state=given[1:], mask=mask, training=True))
        gradients = inner.gradient(value, weights + given, unconnected_gradients="zero")
        value = penalty(gradients)
    return outer.gradient(value, weights + given, unconnected_gradients="zero")


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "torch", reason="in test_torch_functions.py")
@pytest.mark.parametrize(("name", "backwards"), [("LSTM", False), *((n, True) for n in FAST)])
def test_second_derivatives_equal_those_of_the_general_loop(name, backwards):
    """Compare all outputs of masked backward scans, and the last output of plain scans."""
    options = {"go_backwards": backwards, "return_sequences": backwards, "return_state": True}
    layer = make(name, **options)
    x, mask = normal(4, 3, 3), MASK[:, 2:] if backwards else None
    assert_close(
        *both_ways(lambda: second_derivatives(layer, x, states(layer), mask)), tolerance=1e-5
    )


# APIs of TensorFlow. Each function takes a layer and its input, and returns gradients.


def weights_of(layer):
    return [weight.value for weight in layer.trainable_weights]


def persistent_tape(layer, x):
    import tensorflow as tf

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        value = tf.reduce_sum(layer(x, training=True) ** 3)
    return [tape.gradient(value, x), *tape.gradient(value, weights_of(layer))]


def two_tapes(layer, x):
    import tensorflow as tf

    with tf.GradientTape() as tape, tf.GradientTape() as other:
        tape.watch(x)
        value = tf.reduce_sum(layer(x, training=True) ** 3)
    return [tape.gradient(value, x), *other.gradient(value, weights_of(layer))]


def gradient_penalty(layer, x):
    """Gradient penalty of Gulrajani et al. (2017), "Improved training of Wasserstein GANs"."""
    import tensorflow as tf

    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = layer(x, training=True)
        norms = tf.norm(tf.reshape(inner.gradient(value, x), (x.shape[0], -1)), axis=1)
        value = tf.reduce_mean(value) + tf.reduce_mean((norms - 1) ** 2)
    return outer.gradient(value, weights_of(layer))


def saliency_within_a_tape(layer, x):
    import tensorflow as tf

    with tf.GradientTape() as outer:
        value = tf.reduce_sum(layer(x, training=True) ** 3)
        with tf.GradientTape() as inner:
            inner.watch(x)
            saliency = layer(x)
        actual = inner.gradient(saliency, x)
    return [actual, *outer.gradient(value, weights_of(layer))]


def batch_jacobian(layer, x):
    import tensorflow as tf

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = layer(x)
    return [tape.batch_jacobian(y, x), tape.batch_jacobian(y, x, experimental_use_pfor=False)]


def jacobian(layer, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        y = layer(x)
    return tape.jacobian(y, weights_of(layer))


def hessian(layer, x):
    import tensorflow as tf

    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = tf.reduce_sum(layer(x, training=True) ** 3)
        gradient = inner.gradient(value, x)
    return [outer.jacobian(gradient, x, experimental_use_pfor=False)]


def third_derivative(layer, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = sum(tf.reduce_sum(gradient**2) for gradient in gradient_penalty(layer, x))
    return [tape.gradient(value, x)]


def forward_mode(layer, x):
    import tensorflow as tf

    with tf.autodiff.ForwardAccumulator(x, tf.cos(x)) as accumulator:
        y = layer(x)
    return [accumulator.jvp(y)]


def forward_mode_for_the_weights(layer, x):
    import tensorflow as tf

    weights = weights_of(layer)
    with tf.autodiff.ForwardAccumulator(weights, list(map(tf.cos, weights))) as accumulator:
        y = layer(x)
    return [accumulator.jvp(y)]


def forward_over_reverse(layer, x):
    import tensorflow as tf

    with tf.autodiff.ForwardAccumulator(x, tf.cos(x)) as accumulator:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(layer(x, training=True) ** 3)
        gradient = tape.gradient(value, x)
    return [accumulator.jvp(gradient)]


def forward_mode_of_what_comes_upstream(layer, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    upstream = tf.sin(y)
    with tf.autodiff.ForwardAccumulator(upstream, tf.cos(y)) as accumulator:
        gradient = tape.gradient(y, x, upstream)
    return [accumulator.jvp(gradient)]


FORMS = [
    persistent_tape,
    two_tapes,
    gradient_penalty,
    saliency_within_a_tape,
    batch_jacobian,
    jacobian,
    hessian,
    forward_mode,
    forward_mode_for_the_weights,
    forward_mode_of_what_comes_upstream,
]
SLOW = [
    (forward_over_reverse, True, None),
    *itertools.product(FORMS, [False, True], [None, True]),
    *itertools.product([third_derivative], [False, True], [None, False, True]),
]


def check(form, checkpoint, jit):
    """Compare derivatives in a graph (eagerly if `jit` is None) with those of the general loop."""
    import tensorflow as tf

    layer, x = make("SimpleRNN", checkpoint=checkpoint), tf.constant(normal(2, 3, 3))

    def run():
        return form(layer, x)

    fast = run if jit is None else tf.function(run, jit_compile=jit, autograph=False)
    actual = to_numpy(list(fast()))
    plain = make("SimpleRNN")
    with scan.general_only():
        expected = to_numpy(list(form(plain, x)))
    assert_close(actual, expected, 1e-5)


@pytest.mark.slow
@on_tensorflow
@pytest.mark.parametrize("form", FORMS)
def test_derivatives_in_a_graph(form):
    check(form, False, False)


@pytest.mark.slow
@on_tensorflow
def test_forward_over_reverse_is_right_eagerly_and_right_or_an_error_in_a_graph():
    """In a graph, TensorFlow mostly fails, also with the layers of Keras."""
    check(forward_over_reverse, False, None)
    with contextlib.suppress(SystemError, TypeError):
        check(forward_over_reverse, False, False)


@on_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(("form", "checkpoint", "jit"), SLOW)
def test_derivatives_eagerly_compiled_and_checkpointed(form, checkpoint, jit):
    check(form, checkpoint, jit)


@pytest.mark.slow
@on_tensorflow
@pytest.mark.parametrize(("backwards", "timesteps"), [(False, 3), (True, 33)])
def test_second_gradients_in_a_graph_of_unknown_length(backwards, timesteps):
    import tensorflow as tf

    layer = make("LSTM", return_sequences=backwards, go_backwards=backwards)
    x = normal(2, timesteps, 3)

    def twice(x):
        (gradient,) = tf.gradients(tf.reduce_sum(layer(x) ** 3), x)
        return tf.gradients(tf.reduce_sum(tf.sin(gradient)), x)

    def run():
        signature = [tf.TensorSpec([None, None, 3])]
        return tf.function(twice, input_signature=signature, autograph=False)(x)

    assert_close(*both_ways(run), tolerance=1e-5)


@pytest.mark.slow
@on_tensorflow
def test_per_example_gradients():
    import tensorflow as tf

    layer, x = make("GRU"), tf.constant(normal(3, 4, 3))

    def of_one(row):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(layer(row[None], training=True) ** 3)
        return tape.gradient(value, weights_of(layer))

    with scan.general_only():
        expected = [np.stack(actual) for actual in zip(*(to_numpy(of_one(row)) for row in x))]
    assert_close(to_numpy(tf.vectorized_map(of_one, x)), expected, 1e-5)


@pytest.mark.slow
@on_tensorflow
def test_custom_train_step_with_a_persistent_tape():
    import tensorflow as tf

    class Model(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(x)
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            weights = self.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss, "slope": tf.reduce_max(abs(tape.gradient(loss, x)))}

    def trained():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3, 2))
        model = Model(inputs, layers.PeepholeLSTM(UNITS)(inputs))
        model.compile("sgd")
        history = model.fit(normal(4, 3, 2), normal(4, UNITS), epochs=2, verbose=0).history
        return [*model.get_weights(), *map(np.array, history.values())]

    assert_close(*both_ways(trained), tolerance=1e-5)


@on_tensorflow
def test_second_derivatives_where_functions_run_eagerly():
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        check(gradient_penalty, False, None)
    finally:
        tf.config.run_functions_eagerly(False)


@on_tensorflow
def test_the_reference_is_not_traced_for_a_first_derivative(monkeypatch):
    import tensorflow as tf

    def fail(*arguments):
        raise AssertionError

    monkeypatch.setattr(derivatives, "_differentiate", fail)
    layer, x = make("LSTM"), tf.constant(normal(2, 3, 3))
    tf.function(persistent_tape, autograph=False)(layer, x)
    with pytest.raises(AssertionError):
        tf.function(gradient_penalty, autograph=False)(layer, x)


@on_jax
def test_derivatives_on_jax():
    """Forward over reverse mode is right; plain forward mode raises an error."""
    import jax

    # cuDNN has no second derivative.
    layer, x = make("LSTM", use_cudnn=False), normal(1, 2, 3)

    def value(x):
        return ops.sum(layer(x) ** 3)

    def forms():
        return [
            jax.jit(jax.hessian(value))(x),
            jax.jit(jax.jacrev(jax.grad(value)))(x),
            jax.jit(jax.vmap(jax.grad(value)))(np.stack([x, 2 * x])),
        ]

    assert_close(*both_ways(forms), tolerance=1e-5)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(value, [x], [x])
    with scan.general_only():
        jax.jvp(value, [x], [x])
