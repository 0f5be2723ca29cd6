"""Transfer of learned weights from one model of texts to another."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_seq._internal.errors import InputError


def transfer(target: Any, source: Any) -> tuple[int, bool]:
    """Start a model from what another one has learned, such as a language model.

    Tokens that both know get the embedding of the source. If the first recurrent layers have the
    same cell and as many units, that of the target (its forward half, if it is bidirectional) gets
    the weights of the source; of the kernel only the rows of the embedding.

    Both models have these public attributes: `name`; `encoder`, with its `tokens` in the order of
    their ids; `token_embedding`, the layer with the weight `embeddings`, or None; and
    `first_recurrent`, a recurrent layer of one direction with its `cell`.

    Args:
        target: Model that gets the weights.
        source: Trained model.

    Returns:
        Number of tokens of the target that got an embedding, and whether weights of the recurrent
        layer were taken.

    Raises:
        InputError: If one of the models has no embedding, if the source knows none of the tokens,
            or if its embedding has another width.
    """
    for model in (source, target):
        if model.token_embedding is None:
            raise InputError(f"{model.name} has no embedding that a transfer could use.")
    table = ops.convert_to_numpy(source.token_embedding.embeddings)
    theirs = {token: id_ for id_, token in enumerate(source.encoder.tokens)}
    ids = [theirs.get(token) for token in target.encoder.vocabulary]
    vectors = {
        token: table[id_]
        for token, id_ in zip(target.encoder.vocabulary, ids, strict=True)
        if id_ is not None
    }
    if not vectors:
        raise InputError(
            f"{source.name} knows none of the tokens: both models need the same tokenizer."
        )
    count = target.token_embedding.load_pretrained_vectors(vectors)
    cell, learned = target.first_recurrent.cell, source.first_recurrent.cell
    if type(cell) is not type(learned) or cell.units != learned.units:
        return count, False
    for weight, trained in zip(cell.weights, learned.weights, strict=True):
        values, width = ops.convert_to_numpy(weight).copy(), table.shape[1]
        rows = slice(width) if weight is cell.kernel else slice(None)
        values[rows] = ops.convert_to_numpy(trained)[rows]
        weight.assign(values)
    return count, True
