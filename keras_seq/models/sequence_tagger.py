"""Sequence tagger: one tag per token."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError, check_list, excerpt
from keras_seq._internal.types import Array, Tensor
from keras_seq.batching import EncodedDataset
from keras_seq.layers.crf import CRF
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.losses import MaskedCrossentropy
from keras_seq.models.any_length import AnyLengthModel
from keras_seq.models.auxiliary_tags import AuxiliaryTags
from keras_seq.models.tag_experts import expert_scores
from keras_seq.models.text_model import TextModel
from keras_seq.models.token_inputs import apply_layer, encode_texts, make_inputs
from keras_seq.text.encoder import Text, TextEncoder
from keras_seq.text.tags import TagSet, TextSpan


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceTagger(TextModel):
    """Tagger with recurrent layers and a CRF (Huang et al. 2015; Lample et al. 2016).

    >>> from keras_seq.models import SequenceTagger
    >>> from keras_seq.text import TagSet, TextEncoder
    >>> texts = ["Ada lived in London", "in Paris"]
    >>> tags = [["S-PER", "O", "O", "S-LOC"], ["O", "S-LOC"]]
    >>> encoder = TextEncoder.from_examples(texts, lowercase=True)
    >>> tagger = SequenceTagger(encoder, TagSet(["PER", "LOC"]))
    >>> tagger.compile("adam")
    >>> tagger.fit(texts, tags, epochs=40)  # doctest: +SKIP
    >>> [spans] = tagger.tag(["Ada lived in London"])
    >>> [(span.text, span.label) for span in spans]  # doctest: +SKIP
    [('Ada', 'PER'), ('London', 'LOC')]

    Its layers can be replaced, also by custom ones:

    >>> from keras_seq import layers
    >>> tagger = SequenceTagger(
    ...     encoder,
    ...     TagSet(["PER", "LOC"], scheme="IOB2"),
    ...     features=[layers.TokenEmbedding(encoder, 32), layers.CharEncoder(25)],
    ...     stack=layers.RNNStack("GRU", 16, num_layers=2, bidirectional=True),
    ... )

    On small data, a linear expert over template features helps:

    >>> tags = TagSet(["PER", "LOC"])
    >>> sentences = [text.split() for text in texts]
    >>> expert = layers.TemplateFeatures.from_examples(sentences, len(tags), dropout=0.3)
    >>> tagger = SequenceTagger(encoder, tags, experts=[expert])

    As a `keras.Model`, it maps a dict of "tokens", ids `(batch, timesteps)`, to the scores of a
    `keras_seq.layers.CRF`, `(batch, timesteps, tags)`. If a feature reads characters, there is a
    second input, "characters": code points `(batch, timesteps, 20)`. With experts, outputs and
    targets are dicts of "tags" and the names of the experts, each with its own loss, but with one
    set of transitions. `inference_model` tags by the mean of all scores.

    Args:
        encoder: Encoder of texts to ids.
        tag_set: Labels of spans, and their tags in a tag scheme.
        features: Layers from ids `(batch, timesteps)` to vectors `(batch, timesteps, features)`.
            Their outputs are concatenated. A layer whose attribute `reads` is "characters" gets the
            code points instead. Default: a `TokenEmbedding` of width 64.
        stack: Recurrent layers that return all outputs, or a list of such layers, which are applied
            one after the other. Default: a bidirectional `RNNStack` of 128 LSTM units per
            direction.
        experts: Layers with different names, from ids to scores `(batch, timesteps, tags)`, such as
            `TemplateFeatures`. `reads` is as in `features`.
        crf: Whether to learn transition scores between tags. False means a softmax per token,
            restricted to sequences that are valid in the tag scheme.
        auxiliary: Head for a second task on the outputs of the first layer of `stack`, such as
            part-of-speech tagging (Søgaard & Goldberg 2016). Outputs and targets are then dicts of
            "tags" and "auxiliary". Default: none.
        name: Name of the model.

    Raises:
        InputError: If `features` is empty, or if the stack does not return all outputs.
    """

    config_attributes = (
        *("encoder", "tag_set", "features", "stack", "experts", "crf", "auxiliary"),
    )

    def __init__(
        self,
        encoder: TextEncoder,
        tag_set: TagSet,
        *,
        features: Sequence[keras.layers.Layer] | None = None,
        stack: keras.layers.Layer | Sequence[keras.layers.Layer] | None = None,
        experts: Sequence[keras.layers.Layer] = (),
        crf: bool = True,
        auxiliary: AuxiliaryTags | None = None,
        name: str = "sequence_tagger",
    ) -> None:
        if features is None:
            features = [TokenEmbedding(encoder, 64, name="token_embedding")]
        if stack is None:
            stack = RNNStack("LSTM", 128, bidirectional=True, dropout=0.3, name="stack")
        if not features:
            raise InputError("A SequenceTagger needs at least one feature layer.")
        inputs = make_inputs([*features, *experts])
        mask = ops.not_equal(inputs["tokens"], encoder.pad_id)
        vectors = [apply_layer(feature, inputs) for feature in features]
        x = ops.concatenate(vectors, axis=-1) if len(vectors) > 1 else vectors[0]
        outputs = {}
        for number, layer in enumerate(stack if isinstance(stack, (list, tuple)) else [stack]):
            x = layer(x, mask=mask)
            if isinstance(x, (list, tuple)) or len(x.shape) != 3:
                raise InputError(
                    f"The stack {layer.name} must return the outputs of all time steps: set "
                    "return_sequences=True and return_state=False."
                )
            if auxiliary is not None and number == 0:
                outputs["auxiliary"] = auxiliary(x)
        crf_layer = CRF(
            len(tag_set),
            use_transitions=crf,
            tags=tag_set.tags,
            scheme=tag_set.scheme,
            name="crf",
        )
        scores = crf_layer(x, mask=mask)
        outputs = {"tags": scores, **outputs}
        outputs |= expert_scores(experts, inputs, mask, crf_layer.variable_dtype)
        super().__init__(inputs, outputs if len(outputs) > 1 else scores, name=name)
        if experts:
            # Masked scores are minus infinity, also in the mean.
            average = keras.layers.Average(dtype=crf_layer.variable_dtype, name="mixture")
            scores = average([scores, *(outputs[expert.name] for expert in experts)])
        best = BestTags(crf_layer, name="best_tags")(scores)
        self.inference_model = AnyLengthModel(inputs, dict(zip(("tags", "probabilities"), best)))
        self.crf_layer = crf_layer
        self.encoder, self.tag_set, self.features = encoder, tag_set, list(features)
        self.stack, self.experts = stack, list(experts)
        self.crf, self.auxiliary = crf, auxiliary

    def default_loss(self) -> Any:
        """Return the negative log likelihood of the tags, and the auxiliary cross-entropy.

        With experts, there is one negative log likelihood per expert too.
        """
        if not isinstance(self.output, dict):
            return self.crf_layer.loss
        losses = dict.fromkeys(self.output, self.crf_layer.loss)
        return losses | ({"auxiliary": MaskedCrossentropy()} if self.auxiliary is not None else {})

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens or tags."""
        tags = AxisNames("tags", self.tag_set.tags)
        tokens = AxisNames("tokens", self.encoder.tokens)
        weights = super().named_weights() + self.crf_layer.named_weights(tags)
        for expert in self.experts:
            if hasattr(expert, "named_weights"):
                weights += expert.named_weights(tokens, tags)
        if self.auxiliary is not None:
            weights += self.auxiliary.named_weights()
        return weights

    def encode(self, examples: Sequence[Text], targets: Any = None) -> EncodedDataset:
        """Convert texts and tags to arrays, padded to the longest text.

        Args:
            examples: Texts, or lists of tokens. `check_tokenizer` checks lists that have targets.
            targets: For each text a list of tags, one per token, or None. With `auxiliary`, a dict
                of such lists: "tags" and "auxiliary". Unknown auxiliary tags share one id.

        Raises:
            InputError: If a text has no tokens, another number of tags than tokens, an unknown tag,
                or tags that are invalid in the scheme. The message gives its number, from 1.
        """
        if targets is not None:
            self.check_tokenizer(examples)
        inputs, lengths = encode_texts(self.encoder, examples, self.reads_characters)
        if targets is None:
            return EncodedDataset(inputs, None, lengths, [*inputs])
        encode_tags: Callable[..., list[int]] = functools.partial(self.tag_set.encode, strict=True)
        if self.auxiliary is None:
            ids = _pad(targets, lengths, encode_tags)
            if not self.experts:
                return EncodedDataset(inputs, ids, lengths, [*inputs, "targets"])
            arrays = dict.fromkeys(self.output, ids)
            return EncodedDataset(inputs, arrays, lengths, [*inputs, *arrays])
        if not isinstance(targets, Mapping) or set(targets) != {"tags", "auxiliary"}:
            raise InputError(
                "The targets of a SequenceTagger with auxiliary must be a dict of 'tags' and "
                "'auxiliary'."
            )
        encoders = {"tags": encode_tags, "auxiliary": self.auxiliary.encode}
        arrays = {name: _pad(targets[name], lengths, encoders[name]) for name in encoders}
        arrays |= {expert.name: arrays["tags"] for expert in self.experts}
        return EncodedDataset(inputs, arrays, lengths, [*inputs, *arrays])

    def tag(self, texts: Sequence[str], *, batch_size: int = 64) -> list[list[TextSpan]]:
        """Return the labeled spans of texts.

        Args:
            texts: Texts. An empty text has no spans.
            batch_size: Largest number of texts per batch.

        Returns:
            For each text a list of `TextSpan`.

        Raises:
            InputError: If `texts` is not a list of strings.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InputError("tag() takes a list of texts. For lists of tokens use tag_tokens().")
        spans = []
        for text, result in zip(texts, self.tag_tokens(texts, batch_size=batch_size)):
            tokens = self.encoder.tokenize_with_offsets(text)
            spans.append(self.tag_set.to_text_spans(text, tokens, *result))
        return spans

    def tag_tokens(
        self, examples: Sequence[Text], *, batch_size: int = 64
    ) -> list[tuple[list[str], Array]]:
        """Return the tags of texts, and their marginal probabilities.

        Args:
            examples: Texts, or lists of their tokens. An empty text has no tags.
            batch_size: Largest number of texts per batch.

        Returns:
            For each text its tags, and their probabilities `(tokens,)`.
        """
        check_list(examples, "texts")
        results: list[Any] = [([], np.zeros(0, "float32")) for _ in examples]
        nonempty = [index for index, text in enumerate(examples) if self.encoder.tokenize(text)]
        dataset = self.encode([examples[index] for index in nonempty])
        predict = self.inference_model.predict_on_batch
        for rows, outputs in self.predict_by_length(dataset, batch_size, predict):
            for number, row in enumerate(rows):
                length = dataset.lengths[row]
                ids = outputs["tags"][number, :length]
                probabilities = outputs["probabilities"][number, :length]
                results[nonempty[row]] = self.tag_set.decode(ids), probabilities
        return results


class BestTags(keras.layers.Layer):
    """Most likely tag sequence of a CRF, and the marginal probabilities of its tags.

    Args:
        crf: CRF layer.

    Call arguments:
        scores: `(batch, timesteps, tags)`.

    Returns:
        Ids of tags, int32, and their probabilities, both `(batch, timesteps)`.
    """

    def __init__(self, crf: CRF, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        # A function hides the layer from Keras, which would save its weights twice.
        self._crf = lambda: crf

    def call(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        tags, marginals = self._crf().decode_with_marginals(scores)
        one_hot = ops.one_hot(tags, marginals.shape[-1], dtype=marginals.dtype)
        return tags, ops.sum(one_hot * marginals, axis=-1)

    def compute_output_spec(self, scores: Tensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        shape = scores.shape[:-1]
        return keras.KerasTensor(shape, "int32"), keras.KerasTensor(shape, scores.dtype)


def _pad(
    targets: Sequence[Sequence[str]],
    lengths: Array,
    encode: Callable[[Sequence[str]], Sequence[int]],
) -> Array:
    """Return the ids of tags `(texts, timesteps)`, padded to the longest text.

    Args:
        targets: Tags of each text.
        lengths: Number of tokens of each text.
        encode: Function from a list of tags to their ids.
    """
    check_list(targets, "tags")
    if len(targets) != len(lengths):
        raise InputError(f"There are {len(lengths)} texts but {len(targets)} lists of tags.")
    array = np.zeros((len(lengths), lengths.max(initial=0)), "int32")
    for number, (row, tags, length) in enumerate(zip(array, targets, lengths), 1):
        if isinstance(tags, str):
            raise InputError(f"Text {number}: expected a list of tags, got {excerpt(tags)!r}.")
        if len(tags) != length:
            raise InputError(f"Text {number} has {length} tokens but {len(tags)} tags.")
        try:
            row[:length] = encode(tags)
        except InputError as error:
            raise InputError(f"Text {number}: {error}") from None
    return array
