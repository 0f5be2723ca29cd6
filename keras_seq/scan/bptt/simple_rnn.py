"""The plain recurrent cell over a sequence, and its gradient, derived by hand.

Time-major; symbols as in `keras_seq.cells.SimpleRNNCell`:

    dz_t = dh_t * (1 - h_t^2)        dh_{t-1} = dz_t U^T

A masked step passes dh on as it is.
"""

from keras import ops

from keras_seq.scan.bptt import products
from keras_seq.scan.bptt.loop import loop


def forward(weights, x, states, mask, tape):
    """As `keras_seq.scan.bptt.lstm.forward`."""
    kernel, recurrent_kernel, bias = weights

    def step(carry, elements):
        (h,) = carry
        h_new = ops.tanh(elements[0] + ops.matmul(h, recurrent_kernel))
        if mask is not None:
            h_new = ops.where(elements[1] > 0, h_new, h)
        return (h_new,), (h_new,)

    z = products.project(x, kernel, bias)
    sequences = (z,) if mask is None else (z, mask)
    (h,), (hs,) = loop(step, tuple(states), sequences, outputs=1)
    return hs, [h], (hs,)


def backward(weights, x, states, mask, tape, d_outputs, d_states):
    """As `keras_seq.scan.bptt.lstm.backward`."""
    kernel, recurrent_kernel, _ = weights
    (hs,) = tape
    factors = 1 - hs * hs
    if mask is not None:
        factors = factors * mask
    transposed = ops.transpose(recurrent_kernel)

    def step(carry, elements):
        d_h, _ = carry
        factors, *rest = elements
        if d_outputs is not None:
            d_h = d_h + rest[0]
        d_z = d_h * factors
        d_h_previous = ops.matmul(d_z, transposed)
        if mask is not None:
            d_h_previous = d_h_previous + d_h * (1 - rest[-1])
        return (d_h_previous, d_z), (d_z,)

    sequences = (factors, *(s for s in (d_outputs, mask) if s is not None))
    carry = (*d_states, ops.zeros_like(d_states[0]))
    (d_h, _), (d_z,) = loop(step, carry, sequences, outputs=1, reverse=True)
    d_weights = [
        products.weight_gradient(x, d_z),
        products.weight_gradient(products.shifted(states[0], hs), d_z),
        ops.sum(products.flat(d_z), axis=0),
    ]
    return products.unproject(d_z, kernel), d_weights, [d_h]
