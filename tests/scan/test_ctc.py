"""CTC loss against a sum over all alignments: values, derivatives and errors."""

import itertools

import keras
import numpy as np
import pytest
from derivatives import by_differences, of_gradients
from helpers import BACKEND, to_numpy
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.losses import CTC
from keras_seq.scan import compiled
from keras_seq.scan.ctc import NO_ALIGNMENT_LOSS, ctc_loss

# Two equal labels, two different labels, no labels.
LABELS = np.array([[1, 1, 0], [2, 1, 0], [0, 0, 0]])
LOGITS = np.random.default_rng(0).normal(size=(3, 4, 3))
LENGTHS = np.array([4, 3, 2])


def by_alignments(logits, labels=LABELS, lengths=(4, 4, 4)):
    """Return the negative log of the sum over all alignments, in float64, from the definition."""
    losses = []
    for row, text, length in zip(logits, labels, lengths):
        log_probs = row - np.log(np.exp(row).sum(axis=1, keepdims=True))
        text = [label for label in text if label]
        total = sum(
            np.exp(sum(log_probs[t, k] for t, k in enumerate(path)))
            for path in itertools.product(range(row.shape[1]), repeat=length)
            if [k for k, _ in itertools.groupby(path) if k] == text
        )
        losses.append(-np.log(total) if total else NO_ALIGNMENT_LOSS)
    return np.array(losses)


def loss(logits, labels=LABELS, **lengths):
    logits = np.asarray(logits, "float32")
    return to_numpy(CTC(reduction=None)(labels, logits, **lengths))


def test_equals_all_alignments_and_keras():
    np.testing.assert_allclose(loss(LOGITS), by_alignments(LOGITS), rtol=1e-6)
    expected = to_numpy(keras.losses.CTC(reduction=None)(LABELS, LOGITS.astype("float32")))
    np.testing.assert_allclose(loss(LOGITS), expected, rtol=1e-6)


def test_input_and_label_lengths():
    expected = by_alignments(LOGITS, lengths=LENGTHS)
    np.testing.assert_allclose(loss(LOGITS, input_lengths=LENGTHS), expected, rtol=1e-6)
    actual = loss(LOGITS, label_lengths=np.array([1, 2, 0]))
    labels = np.array([[1, 0, 0], [2, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(actual, by_alignments(LOGITS, labels), rtol=1e-6)


def test_mask_of_time_steps():
    mask = np.array([[1, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]], bool)
    logits = ops.convert_to_tensor(LOGITS.astype("float32"))
    keras.src.backend.set_keras_mask(logits, ops.convert_to_tensor(mask))
    actual = to_numpy(CTC(reduction=None)(LABELS, logits))
    for row in range(3):
        alone = LOGITS[row : row + 1, mask[row]]
        expected = by_alignments(alone, LABELS[row : row + 1], [alone.shape[1]])
        np.testing.assert_allclose(actual[row], expected[0], rtol=1e-6)
    assert to_numpy(CTC()(LABELS, logits)) == pytest.approx(actual.mean())


def test_empty_labels():
    expected = by_alignments(LOGITS, np.zeros((3, 0), int))
    np.testing.assert_allclose(loss(LOGITS, np.zeros((3, 0), int)), expected, rtol=1e-6)
    assert loss(LOGITS, input_lengths=np.array([4, 4, 0]))[2] == 0


def test_labels_without_alignment_have_a_constant_loss_and_no_gradient():
    """Two equal labels need a blank between them."""
    labels = np.array([[1, 1, 1], [1, 2, 1], [1, 0, 0]])
    expected = by_alignments(LOGITS, labels)
    assert expected[0] == NO_ALIGNMENT_LOSS == 1e5 and expected[1] < 20
    np.testing.assert_allclose(loss(LOGITS, labels), expected, rtol=1e-6)
    (gradient,), (second,) = of_gradients(lambda x: ops.sum(CTC(None)(labels, x)), [LOGITS])
    assert not gradient[0].any() and not second[0].any()
    assert np.isfinite(gradient).all() and gradient[1].any() and second[1].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_derivatives_equal_differences(dtype):
    """Compare both precisions, since the operators of the backends do not always take float64."""
    counts = (LABELS > 0).sum(axis=1)

    def total(logits):
        lengths = [ops.convert_to_tensor(a.astype("int32")) for a in (LABELS, counts, LENGTHS)]
        return ops.sum(ctc_loss(ops.cast(logits, dtype), *lengths) ** 2)

    actual = of_gradients(total, [LOGITS])
    expected = by_differences(
        lambda logits: (by_alignments(logits, lengths=LENGTHS) ** 2).sum(), [LOGITS]
    )
    for (gradient,), (difference,) in zip(actual, expected):
        tolerance = (1e-8 if dtype == "float64" else 1e-5) * np.abs(difference).max()
        np.testing.assert_allclose(gradient, difference, rtol=0, atol=tolerance)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has several implementations")
@pytest.mark.parametrize("how", ["xla", "gpu"])
def test_tensorflow_implementations_agree(how, monkeypatch):
    import tensorflow as tf

    def value_and_gradient(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = CTC(reduction=None)(LABELS, logits, input_lengths=LENGTHS)
        return value, tape.gradient(value, logits)

    logits = tf.constant(LOGITS, tf.float32)
    expected = value_and_gradient(logits)
    if how == "gpu":
        monkeypatch.setattr(compiled, "has_gpu", lambda: True)
    function = tf.function(value_and_gradient, jit_compile=how == "xla", autograph=False)
    for result, expected_result in zip(function(logits), expected):
        np.testing.assert_allclose(result, expected_result, rtol=1e-5, atol=1e-6)


def fitted(labels, **compile_options):
    """Return the loss per epoch of `fit`."""
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.Dense(3)])
    model.compile("sgd", loss=CTC(), **compile_options)
    return model.fit(LOGITS.astype("float32"), labels, epochs=2, verbose=0).history["loss"]


@pytest.mark.slow
def test_fit_with_jit_compile():
    keras.utils.set_random_seed(0)
    history = fitted(LABELS, jit_compile=BACKEND != "torch")
    assert history[1] < history[0] < 20


@pytest.mark.parametrize("wrong", [3, -1])
def test_labels_out_of_range_raise_errors(wrong):
    labels = np.where(LABELS == 2, wrong, LABELS)
    sentence = rf"CTC takes labels from 1 to 2, got {wrong} in row 1 of the batch, label number 0"
    with pytest.raises(InputError, match=sentence):
        loss(LOGITS, labels)
    with pytest.raises(Exception, match="CTC takes labels from 1 to 2, got"):
        fitted(labels, jit_compile=False)


def test_blanks_among_labels_raise_errors():
    with pytest.raises(InputError, match="got 0 in row 0 of the batch, label number 2"):
        loss(LOGITS, label_lengths=np.array([3, 2, 0]))


def test_wrong_shapes_raise_errors():
    with pytest.raises(InputError, match=r"got shapes \(3,\) and \(3, 4, 3\)"):
        loss(LOGITS, LABELS[:, 0])
