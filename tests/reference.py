"""Recurrent cells in float64 NumPy, with backpropagation through time derived by hand.

They follow the published equations, independently of the package.

Notation: `x` (batch, D) is the input of a step; a trailing underscore marks the previous step
(`h_` is h at t-1); `da` is the gradient with respect to pre-activations; sigma is the logistic.
Shapes: B batch, T timesteps, D features, H units.
"""

from dataclasses import dataclass

import numpy as np


def sigma(a):
    """Return the logistic function, in a form that cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def d_sigma(s):
    """Return the derivative of the logistic function from its value."""
    return s * (1 - s)


def d_tanh(y):
    """Return the derivative of tanh from its value."""
    return 1 - y * y


def split(a, n):
    """Return n equal blocks of the last axis, one per gate."""
    return np.split(a, n, axis=-1)


def join(*blocks):
    """Concatenate blocks; the inverse of `split`."""
    return np.concatenate(blocks, axis=-1)


# Each cell has
#   forward(weights, x, states_) -> states, gates
#   backward(weights, x, states_, states, gates, d_states) -> d_weights, d_x, d_states_
# where states[0] is the output, and `d_states` includes the gradient of that output.


class SimpleRNN:
    """Elman (1990)."""

    weights = ("kernel (D, H)", "recurrent_kernel (H, H)", "bias (H)")
    states = ("h",)
    gates = ("candidate",)

    @staticmethod
    def forward(weights, x, states_):
        (W, U, b), (h_,) = weights, states_
        h = np.tanh(x @ W + b + h_ @ U)
        return (h,), (h,)

    @staticmethod
    def backward(weights, x, states_, states, gates, d_states):
        (W, U, _), (h_,), (h,), (dh,) = weights, states_, states, d_states
        da = dh * d_tanh(h)
        return (x.T @ da, h_.T @ da, da.sum(0)), da @ W.T, (da @ U.T,)


class GRU:
    """Cho et al. (2014, arXiv:1406.1078v1): reset gate after the recurrent product; z|r|h."""

    weights = ("kernel (D, 3H)", "recurrent_kernel (H, 3H)", "bias (2, 3H)")
    states = ("h",)
    gates = ("update", "reset", "candidate")

    @staticmethod
    def forward(weights, x, states_):
        (W, U, b), (h_,) = weights, states_
        xz, xr, xn = split(x @ W + b[0], 3)
        hz, hr, hn = split(h_ @ U + b[1], 3)
        z = sigma(xz + hz)
        r = sigma(xr + hr)
        n = np.tanh(xn + r * hn)
        h = z * h_ + (1 - z) * n
        return (h,), (z, r, n)

    @staticmethod
    def backward(weights, x, states_, states, gates, d_states):
        (W, U, b), (h_,), (z, r, n), (dh,) = weights, states_, gates, d_states
        hn = split(h_ @ U + b[1], 3)[2]
        dan = dh * (1 - z) * d_tanh(n)
        dar = dan * hn * d_sigma(r)
        daz = dh * (h_ - n) * d_sigma(z)
        dax, dah = join(daz, dar, dan), join(daz, dar, dan * r)
        db = np.stack([dax.sum(0), dah.sum(0)])
        return (x.T @ dax, h_.T @ dah, db), dax @ W.T, (dh * z + dah @ U.T,)


class GRUResetBefore:
    """Cho et al. (2014, arXiv:1406.1078v3): reset gate before the recurrent product; z|r|h."""

    weights = ("kernel (D, 3H)", "recurrent_kernel (H, 3H)", "bias (3H)")
    states = ("h",)
    gates = ("update", "reset", "candidate")

    @staticmethod
    def forward(weights, x, states_):
        (W, U, b), (h_,) = weights, states_
        xz, xr, xn = split(x @ W + b, 3)
        Uz, Ur, Un = split(U, 3)
        z = sigma(xz + h_ @ Uz)
        r = sigma(xr + h_ @ Ur)
        n = np.tanh(xn + (r * h_) @ Un)
        h = z * h_ + (1 - z) * n
        return (h,), (z, r, n)

    @staticmethod
    def backward(weights, x, states_, states, gates, d_states):
        (W, U, _), (h_,), (z, r, n), (dh,) = weights, states_, gates, d_states
        Uz, Ur, Un = split(U, 3)
        dan = dh * (1 - z) * d_tanh(n)
        drh = dan @ Un.T  # with respect to the product r * h_
        dar = drh * h_ * d_sigma(r)
        daz = dh * (h_ - n) * d_sigma(z)
        da = join(daz, dar, dan)
        dU = join(h_.T @ daz, h_.T @ dar, (r * h_).T @ dan)
        dh_ = dh * z + drh * r + daz @ Uz.T + dar @ Ur.T
        return (x.T @ da, dU, da.sum(0)), da @ W.T, (dh_,)


class LSTM:
    """Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000); i|f|c|o."""

    weights = ("kernel (D, 4H)", "recurrent_kernel (H, 4H)", "bias (4H)")
    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")

    @staticmethod
    def forward(weights, x, states_):
        (W, U, b), (h_, c_) = weights, states_
        ai, af, ag, ao = split(x @ W + b + h_ @ U, 4)
        i, f, g, o = sigma(ai), sigma(af), np.tanh(ag), sigma(ao)
        c = f * c_ + i * g
        h = o * np.tanh(c)
        return (h, c), (i, f, g, o)

    @staticmethod
    def backward(weights, x, states_, states, gates, d_states):
        (W, U, _), (h_, c_), (_, c), (dh, dc) = weights, states_, states, d_states
        i, f, g, o = gates
        y = np.tanh(c)
        dc = dc + dh * o * d_tanh(y)
        da = join(
            dc * g * d_sigma(i), dc * c_ * d_sigma(f), dc * i * d_tanh(g), dh * y * d_sigma(o)
        )
        return (x.T @ da, h_.T @ da, da.sum(0)), da @ W.T, (da @ U.T, dc * f)


class PeepholeLSTM:
    """Gers & Schmidhuber (2000) in its full-matrix form: the gates read c_ in place of h_.

    Kernel and bias i|f|c|o, recurrent kernel i|f|o; the candidate reads x alone.
    """

    weights = ("kernel (D, 4H)", "recurrent_kernel (H, 3H)", "bias (4H)")
    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")

    @staticmethod
    def forward(weights, x, states_):
        (W, U, b), (_, c_) = weights, states_
        xi, xf, xg, xo = split(x @ W + b, 4)
        ci, cf, co = split(c_ @ U, 3)
        i, f, g, o = sigma(xi + ci), sigma(xf + cf), np.tanh(xg), sigma(xo + co)
        c = f * c_ + i * g
        h = o * np.tanh(c)
        return (h, c), (i, f, g, o)

    @staticmethod
    def backward(weights, x, states_, states, gates, d_states):
        (W, U, _), (h_, c_), (_, c), (dh, dc) = weights, states_, states, d_states
        i, f, g, o = gates
        y = np.tanh(c)
        dc = dc + dh * o * d_tanh(y)
        dai, daf = dc * g * d_sigma(i), dc * c_ * d_sigma(f)
        dag, dao = dc * i * d_tanh(g), dh * y * d_sigma(o)
        dax, dac = join(dai, daf, dag, dao), join(dai, daf, dao)
        dc_ = dc * f + dac @ U.T
        return (x.T @ dax, c_.T @ dac, dax.sum(0)), dax @ W.T, (np.zeros_like(h_), dc_)


class DiagonalPeepholeLSTM:
    """Gers & Schmidhuber (2000), Graves (2013): elementwise peepholes, i, f on c_ and o on c."""

    weights = (*LSTM.weights, "p_i (H)", "p_f (H)", "p_o (H)")
    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")

    @staticmethod
    def forward(weights, x, states_):
        (W, U, b, pi, pf, po), (h_, c_) = weights, states_
        ai, af, ag, ao = split(x @ W + b + h_ @ U, 4)
        i, f, g = sigma(ai + pi * c_), sigma(af + pf * c_), np.tanh(ag)
        c = f * c_ + i * g
        o = sigma(ao + po * c)
        h = o * np.tanh(c)
        return (h, c), (i, f, g, o)

    @staticmethod
    def backward(weights, x, states_, states, gates, d_states):
        (W, U, _, pi, pf, po), (h_, c_), (_, c) = weights, states_, states
        (i, f, g, o), (dh, dc) = gates, d_states
        y = np.tanh(c)
        dao = dh * y * d_sigma(o)
        dc = dc + dh * o * d_tanh(y) + dao * po  # o reads the new c
        dai, daf, dag = dc * g * d_sigma(i), dc * c_ * d_sigma(f), dc * i * d_tanh(g)
        da = join(dai, daf, dag, dao)
        dp = (dai * c_).sum(0), (daf * c_).sum(0), (dao * c).sum(0)
        dc_ = dc * f + dai * pi + daf * pf
        return (x.T @ da, h_.T @ da, da.sum(0), *dp), da @ W.T, (da @ U.T, dc_)


CELLS = {
    cell.__name__: cell
    for cell in (SimpleRNN, GRU, GRUResetBefore, LSTM, PeepholeLSTM, DiagonalPeepholeLSTM)
}


@dataclass
class Run:
    """A forward pass. Everything indexed by time is in processing order."""

    outputs: np.ndarray  # (B, T, H)
    last_output: np.ndarray  # (B, H)
    states: list  # final states, each (B, H)
    gates: dict  # name -> (B, T, H), as computed at each step whatever the mask

    # Values for the backward pass.
    cell: type
    weights: list  # zeros for a missing bias
    use_bias: bool
    steps: list  # (x, states_, states, gates) of each step, before masking
    mask: np.ndarray  # (B, T)
    go_backwards: bool
    zero_output_for_mask: bool


@dataclass
class Gradients:
    """Gradients of a scalar with respect to the arguments of `run`."""

    weights: list  # shaped and ordered as given
    inputs: np.ndarray  # (B, T, D), in input order
    initial_state: list  # each (B, H)


def run(
    cell,
    weights,
    inputs,
    initial_state=None,
    mask=None,
    go_backwards=False,
    zero_output_for_mask=False,
):
    """Run a cell over `inputs` (B, T, D), under Keras's rules for masks and direction.

    `weights` is ordered as the cell's `weights`, the bias left out if there is none;
    `initial_state` is a list of (B, H), zeros by default; `mask` (B, T) is true at real steps.
    """
    cell = CELLS[cell]
    weights = [np.array(w, np.float64) for w in weights]
    use_bias = len(weights) == len(cell.weights)
    if not use_bias:
        width = weights[0].shape[1]
        weights.insert(2, np.zeros((2, width) if cell is GRU else width))

    inputs = np.array(inputs, np.float64)
    batch, timesteps, _ = inputs.shape
    zeros = np.zeros((batch, weights[1].shape[0]))
    states = [np.array(s, np.float64) for s in initial_state or [zeros] * len(cell.states)]
    mask = np.ones((batch, timesteps), bool) if mask is None else np.array(mask, bool)
    if go_backwards:
        inputs, mask = inputs[:, ::-1], mask[:, ::-1]

    output, outputs, steps = zeros, [], []
    for t in range(timesteps):
        x, m = inputs[:, t], mask[:, t, None]
        new, gates = cell.forward(weights, x, states)
        steps.append((x, states, new, gates))
        # A masked step keeps the states, and repeats the last output: at first zeros, not h.
        states = [np.where(m, s, s_) for s, s_ in zip(new, states, strict=True)]
        output = np.where(m, new[0], zeros if zero_output_for_mask else output)
        outputs.append(output)

    by_gate = zip(*(gates for *_, gates in steps), strict=True)
    return Run(
        outputs=np.stack(outputs, axis=1),
        last_output=output,
        states=states,
        gates={k: np.stack(v, axis=1) for k, v in zip(cell.gates, by_gate, strict=True)},
        cell=cell,
        weights=weights,
        use_bias=use_bias,
        steps=steps,
        mask=mask,
        go_backwards=go_backwards,
        zero_output_for_mask=zero_output_for_mask,
    )


def gradients(run, d_outputs=None, d_last_output=None, d_states=None):
    """Backpropagate a scalar through a `Run`, given its gradients with respect to the results.

    `d_outputs` (B, T, H) is in processing order, as the outputs are; `d_last_output` is (B, H)
    and `d_states` a list of (B, H). They add up. Default: zeros.
    """
    zeros = np.zeros_like(run.last_output)
    d_outputs = np.zeros_like(run.outputs) if d_outputs is None else np.asarray(d_outputs)
    d_states = [zeros] * len(run.states) if d_states is None else d_states
    d_output = zeros if d_last_output is None else d_last_output
    d_weights = [np.zeros_like(w) for w in run.weights]
    d_inputs = []

    for t in reversed(range(len(run.steps))):
        m = run.mask[:, t, None]
        d_output = d_output + d_outputs[:, t]
        # Gradients pass through the cell at real steps, and around it at masked ones.
        d_new = [np.where(m, d, 0) for d in d_states]
        d_new[0] = d_new[0] + np.where(m, d_output, 0)
        dw, dx, d_prev = run.cell.backward(run.weights, *run.steps[t], d_new)
        d_states = [d + np.where(m, 0, d_kept) for d, d_kept in zip(d_prev, d_states, strict=True)]
        d_output = zeros if run.zero_output_for_mask else np.where(m, 0, d_output)
        d_weights = [total + d for total, d in zip(d_weights, dw, strict=True)]
        d_inputs.append(dx)

    # `d_inputs` starts with the last processed step.
    d_inputs = np.stack(d_inputs if run.go_backwards else d_inputs[::-1], axis=1)
    if not run.use_bias:
        del d_weights[2]
    return Gradients(weights=d_weights, inputs=d_inputs, initial_state=list(d_states))
