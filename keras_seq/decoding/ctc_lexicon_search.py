"""CTC prefix beam search over the words of a lexicon, as a loop of tensors for exported graphs."""

from typing import NamedTuple

import numpy as np
from keras import ops

from keras_seq._internal.portable import take_rows, while_loop
from keras_seq._internal.types import Tensor
from keras_seq.scan.ctc import BLANK
from keras_seq.scan.log_space import NEG_INF, replace_neg_inf
from keras_seq.text.lexicon import START, Automaton


class _Beam(NamedTuple):
    """Prefixes of texts. The first axes are `(batch, beam_width)`, best first.

    A prefix whose log probability is `NEG_INF` only fills the beam.
    """

    labels: Tensor
    """Labels, int32 `(..., timesteps)`, padded with 0."""
    lengths: Tensor
    """Numbers of labels, int32 `(...)`."""
    states: Tensor
    """States of the automaton, int32 `(...)`."""
    ends: Tensor
    """Log probabilities of the alignments that end in a blank, and in a label, `(..., 2)`."""
    begins: Tensor
    """Bools `(..., beam_width)`. Entry [i, j] is True if text i starts with text j. Each text
    starts with itself."""


def ctc_lexicon_search(
    log_probs: Tensor, num_steps: Tensor, automaton: Automaton, beam_width: int
) -> tuple[Tensor, Tensor]:
    """Return the labels that `ctc_beam_search` finds with a lexicon, for a batch.

    The number of iterations depends on the shape only, and the operations exist in TensorFlow, ONNX
    and LiteRT.

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_seq.decoding import Lexicon
    >>> from keras_seq.decoding.ctc_lexicon_search import ctc_lexicon_search
    >>> log_probs = np.log([[[0.1, 0.6, 0.3], [0.5, 0.4, 0.1]]]).astype("float32")
    >>> automaton = Lexicon(["ab", "b"], alphabet="ab").automaton()
    >>> labels, scores = ctc_lexicon_search(log_probs, np.array([2]), automaton, beam_width=4)
    >>> ops.convert_to_numpy(labels).tolist(), round(float(ops.exp(scores)[0]), 2)
    ([[2, 0]], 0.19)

    Args:
        log_probs: float32 `(batch, timesteps, labels + 1)`; column 0 is the blank, which has
            probability 1 after the end of a sequence.
        num_steps: Number of time steps of each sequence, int32 `(batch,)`, at least 1.
        automaton: Automaton of a `Lexicon`.
        beam_width: Number of prefixes to keep, at least 1.

    Returns:
        Labels, int32 `(batch, timesteps)`, padded with 0; and their log probabilities `(batch,)`,
        summed over the alignments in the beam.
    """
    automaton = Automaton(*map(ops.convert_to_tensor, automaton))
    log_probs = replace_neg_inf(ops.convert_to_tensor(log_probs))
    batch, timesteps, _ = ops.shape(log_probs)
    by_step = ops.transpose(log_probs, (1, 0, 2))
    last_steps = ops.cast(num_steps, "int32")[:, None] - 1
    # Only the first prefix is valid. It is empty, and its only alignment ends in a blank.
    ends = np.full((beam_width, 2), NEG_INF, "float32")
    ends[0, 0] = 0.0
    zeros = ops.zeros((batch, beam_width), "int32")
    is_same = np.eye(beam_width, dtype=bool)
    start = _Beam(
        labels=ops.zeros((batch, beam_width, timesteps), "int32"),
        lengths=zeros,
        states=zeros + START,
        ends=ops.broadcast_to(ops.convert_to_tensor(ends), (batch, beam_width, 2)),
        begins=ops.broadcast_to(ops.convert_to_tensor(is_same), (batch, beam_width, beam_width)),
    )

    def cond(step: Tensor, _: _Beam) -> Tensor:
        return step < timesteps

    def body(step: Tensor, beam: _Beam) -> tuple[Tensor, _Beam]:
        return step + 1, _advance(beam, by_step[step], step >= last_steps, automaton)

    first = ops.convert_to_tensor(0, dtype="int32")
    _, beam = while_loop(cond, body, (first, start))
    scores = _log_add(beam.ends[:, 0, 0], beam.ends[:, 0, 1])
    is_valid = _is_valid(scores)
    # If no prefix may end, the text is empty.
    empty = ops.sum(log_probs[:, :, BLANK], axis=1)
    labels = ops.where(is_valid[:, None], beam.labels[:, 0], 0)
    return labels, ops.where(is_valid, scores, empty)


def _advance(beam: _Beam, log_probs: Tensor, is_end: Tensor, automaton: Automaton) -> _Beam:
    """Return the beam after one more time step.

    Args:
        beam: Beam before it.
        log_probs: Log probabilities of the blank and the labels, `(batch, labels + 1)`.
        is_end: Whether only complete texts are kept, bools `(batch, 1)`.
        automaton: Automaton of the lexicon.
    """
    blank, label = beam.ends[:, :, 0], beam.ends[:, :, 1]
    total = _log_add(blank, label)
    last_label = take_rows(automaton.labels, beam.states)
    num_classes = log_probs.shape[-1]
    classes = ops.arange(num_classes, dtype="int32")
    is_last = last_label[:, :, None] == classes
    log_probs = log_probs[:, None]
    repeat = ops.sum(ops.where(is_last, log_probs, 0.0), axis=2)
    # A repeated label is a new one only after a blank.
    extended = ops.where(is_last, blank[:, :, None], total[:, :, None]) + log_probs
    # The extension of a prefix may be another prefix of the beam. Axis 1 is the longer of the two.
    is_parent = beam.begins & (beam.lengths[:, :, None] == beam.lengths[:, None] + 1)
    is_parent = is_parent & _is_valid(total)[:, :, None]
    is_repeated = last_label[:, :, None] == last_label[:, None]
    from_parent = ops.where(is_repeated, blank[:, None], total[:, None]) + repeat[:, :, None]
    from_parent = ops.max(ops.where(is_parent, from_parent, NEG_INF), axis=2)
    kept_ends = ops.stack(
        [total + log_probs[:, :, BLANK], _log_add(label + repeat, from_parent)], axis=2
    )
    parents = ops.cast(ops.swapaxes(is_parent, 1, 2), "float32")
    is_in_beam = ops.matmul(parents, ops.cast(is_last, "float32")) > 0

    # Candidates are the prefixes in column 0, and their extensions by a label.
    next_states = take_rows(automaton.transitions, beam.states)
    is_new = (next_states > START) & ~is_in_beam
    kept = _log_add(kept_ends[:, :, 0], kept_ends[:, :, 1])
    candidates = ops.where(is_new, extended, NEG_INF)
    candidates = ops.where(classes == BLANK, kept[:, :, None], candidates)
    is_accepting = take_rows(automaton.is_accepting, next_states)
    candidates = ops.where(is_end[:, :, None] & ~is_accepting, NEG_INF, candidates)
    beam_width = candidates.shape[1]
    flat = ops.reshape(candidates, (-1, beam_width * num_classes))
    scores, chosen = ops.top_k(flat, beam_width)
    chosen = ops.cast(chosen, "int32")
    parent, new_label = chosen // num_classes, chosen % num_classes

    is_kept = new_label == BLANK
    labels, lengths = _gather(beam.labels, parent), _gather(beam.lengths, parent)
    position = ops.arange(ops.shape(labels)[2], dtype="int32")
    labels = ops.where(position == lengths[:, :, None], new_label[:, :, None], labels)
    lengths = lengths + ops.cast(~is_kept, "int32")
    new_ends = ops.stack([ops.full_like(scores, NEG_INF), scores], axis=2)
    ends = ops.where(is_kept[:, :, None], _gather(kept_ends, parent), new_ends)
    # A new prefix begins another one if its parent does, and its last label comes next there.
    begins = ops.swapaxes(_gather(ops.swapaxes(_gather(beam.begins, parent), 1, 2), parent), 1, 2)
    by_position = ops.swapaxes(labels, 1, 2)
    aligned = ops.swapaxes(_gather(by_position, ops.maximum(lengths - 1, 0)), 1, 2)
    return _Beam(
        labels,
        lengths,
        _gather(ops.reshape(next_states, (-1, beam_width * num_classes)), chosen),
        ops.where(_is_valid(scores)[:, :, None], ends, NEG_INF),
        begins & (is_kept[:, None] | (aligned == new_label[:, None])),
    )


def _gather(x: Tensor, indices: Tensor) -> Tensor:
    """Return entries of axis 1 of `x`, `(batch, indices, ...)`, at indices `(batch, indices)`."""
    batch, size, *rest = ops.shape(x)
    first = size * ops.arange(batch, dtype="int32")[:, None]
    return take_rows(ops.reshape(x, (batch * size, *rest)), first + indices)


def _is_valid(scores: Tensor) -> Tensor:
    return scores > NEG_INF / 2


def _log_add(a: Tensor, b: Tensor) -> Tensor:
    """Return log(exp(a) + exp(b)) of finite numbers, by operations that LiteRT has."""
    return ops.maximum(a, b) + ops.log(1.0 + ops.exp(-ops.abs(a - b)))
