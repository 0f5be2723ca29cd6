"""Transfer of trained weights between text models."""

from __future__ import annotations

import dataclasses

from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.models.text_model import TextModel
from keras_seq.models.weight_copy import CopyReport


def transfer(target: TextModel, source: TextModel) -> CopyReport:
    """Copy embeddings and recurrent weights from a trained model, such as a language model.

    Tokens in both vocabularies get the embedding of the source. If both models have the same cell
    with the same number of units, the weights of the first recurrent layer are copied too, between
    the forward layers if they are bidirectional. Of the kernel, only the rows that read the
    embedding are copied.

    Args:
        target: `TextModel` that receives the weights.
        source: Trained `TextModel`.

    Returns:
        Number of tokens that received an embedding, and of recurrent weights that were copied.

    Raises:
        InputError: If a model has no trainable embedding, if the vocabularies have no token in
            common, or if the embeddings differ in width.
    """
    table = ops.convert_to_numpy(_embedding_of(source).embeddings)
    embedding = _embedding_of(target)
    source_ids = {token: id_ for id_, token in enumerate(source.encoder.tokens)}
    ids = [source_ids.get(token) for token in target.encoder.vocabulary]
    vectors = {
        token: table[id_]
        for token, id_ in zip(target.encoder.vocabulary, ids, strict=True)
        if id_ is not None
    }
    if not vectors:
        raise InputError(
            f"{source.name} has none of the tokens of {target.name}. Use the same tokenizer."
        )
    num_tokens = embedding.load_pretrained_vectors(vectors)
    names = {"tokens": (num_tokens, len(target.encoder.vocabulary))}
    report = CopyReport(by_name=1, names=names)
    cell, source_cell = target.first_recurrent.cell, source.first_recurrent.cell
    if type(cell) is not type(source_cell) or cell.units != source_cell.units:
        return report
    for weight, trained in zip(cell.weights, source_cell.weights, strict=True):
        values, width = ops.convert_to_numpy(weight).copy(), table.shape[1]
        rows = slice(width) if weight is cell.kernel else slice(None)
        values[rows] = ops.convert_to_numpy(trained)[rows]
        weight.assign(values)
    return dataclasses.replace(report, copied=len(cell.weights))


def _embedding_of(model: TextModel) -> TokenEmbedding:
    if model.token_embedding is None:
        raise InputError(f"{model.name} has no trainable TokenEmbedding to transfer.")
    return model.token_embedding
