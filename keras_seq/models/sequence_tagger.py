"""Tagging: a tag for every token of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.batching import EncodedDataset
from keras_seq.layers.crf import CRF
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.losses import MaskedCrossentropy
from keras_seq.models.text_model import TextModel
from keras_seq.text.code_points import token_code_points
from keras_seq.text.encoder import Text, TextEncoder
from keras_seq.text.tags import TagSet, TextSpan

MAX_CHARACTERS = 20
"""Number of characters of a token that features of its spelling read."""


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceTagger(TextModel):
    """Features of tokens, recurrent layers, and a CRF (Huang et al. 2015; Lample et al. 2016).

    >>> from keras_seq.models import SequenceTagger
    >>> from keras_seq.text.encoder import TextEncoder
    >>> from keras_seq.text.tags import TagSet
    >>> texts = ["Ada lived in London", "in Paris"]
    >>> tags = [["S-PER", "O", "O", "S-LOC"], ["O", "S-LOC"]]
    >>> encoder = TextEncoder.from_examples(texts, lowercase=True)
    >>> tagger = SequenceTagger(encoder, TagSet(["PER", "LOC"]))
    >>> tagger.compile("adam")
    >>> history = tagger.fit(texts, tags, epochs=40, verbose=0)
    >>> [(span.text, span.label) for span in tagger.tag(["Ada lived in London"])[0]]
    [('Ada', 'PER'), ('London', 'LOC')]

    Its parts can be replaced by others, and by a user's own layers:

    >>> from keras_seq import layers
    >>> tagger = SequenceTagger(
    ...     encoder,
    ...     TagSet(["PER", "LOC"], scheme="IOB2"),
    ...     features=[layers.TokenEmbedding(encoder, 32), layers.CharEncoder(25)],
    ...     stack=layers.RNNStack("GRU", 16, num_layers=2, bidirectional=True),
    ... )

    As a network it maps a dict of "tokens", ids `(batch, timesteps)`, to the scores of a
    `keras_seq.layers.CRF`, `(batch, timesteps, tags)`. If a feature reads characters, there is a
    second input, "characters": code points `(batch, timesteps, 20)`.

    Args:
        encoder: Encoder of texts to ids.
        tag_set: Labels, and the tags that stand for them.
        features: Layers from ids `(batch, timesteps)` to vectors `(batch, timesteps, features)`,
            whose outputs are concatenated. A layer whose attribute `reads` is "characters" gets the
            code points instead. Default: a `TokenEmbedding` of width 64.
        stack: Recurrent layers from features and `mask` to outputs of all time steps; or a list of
            such layers, each of which reads the outputs of the one before. Default: a bidirectional
            `RNNStack` of 128 LSTM units.
        crf: Whether tags depend on their neighbors. If not, each is chosen by itself (softmax),
            except that the scheme must hold.
        auxiliary: Head for tags of another kind, such as parts of speech, which the first layer of
            `stack` learns too, for what they teach it (Søgaard & Goldberg 2016). The outputs are
            then a dict of "tags" and "auxiliary" (logits), and so are the targets.
        name: Name of the model.

    Raises:
        InputError: If there is no feature, or if the stack does not return all time steps.
    """

    config_attributes = ("encoder", "tag_set", "features", "stack", "crf", "auxiliary")

    def __init__(
        self,
        encoder: TextEncoder,
        tag_set: TagSet,
        *,
        features: Sequence[keras.layers.Layer] | None = None,
        stack: keras.layers.Layer | Sequence[keras.layers.Layer] | None = None,
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
        ids = keras.Input((None,), dtype="int32", name="tokens")
        inputs, mask = {"tokens": ids}, ops.not_equal(ids, encoder.pad_id)
        if any(_reads_characters(feature) for feature in features):
            inputs["characters"] = keras.Input(
                (None, MAX_CHARACTERS), dtype="int32", name="characters"
            )
        vectors = [
            feature(inputs["characters"] if _reads_characters(feature) else ids)
            for feature in features
        ]
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
        super().__init__(inputs, {"tags": scores, **outputs} if outputs else scores, name=name)
        best = BestTags(crf_layer, name="best_tags")(scores)
        self.inference_model = keras.Model(inputs, dict(zip(("tags", "probabilities"), best)))
        self.crf_layer = crf_layer
        self.encoder, self.tag_set, self.features = encoder, tag_set, list(features)
        self.stack, self.crf, self.auxiliary = stack, crf, auxiliary

    @property
    def reads_characters(self) -> bool:
        """True if a feature layer reads the characters of tokens."""
        return "characters" in self.input

    def default_loss(self) -> Any:
        """Return the negative log likelihood of the tags, and the cross-entropy of others."""
        if self.auxiliary is None:
            return self.crf_layer.loss
        return {"tags": self.crf_layer.loss, "auxiliary": MaskedCrossentropy()}

    def encode(self, examples: Sequence[Text], targets: Any = None) -> EncodedDataset:
        """Return texts and their tags as arrays, padded to the longest text.

        Args:
            examples: Texts, or lists of their tokens.
            targets: For each text a list of tags, one per token, or None. With `auxiliary` a dict
                of such lists: "tags", and "auxiliary", whose unknown names count as one.

        Raises:
            InputError: If a text has no token, not as many tags as tokens, or a tag that is not in
                the tag set. The message gives its number from 1.
        """
        ids, lengths = self.encoder.encode_batch(examples)
        for number, length in enumerate(lengths, 1):
            if not length:
                raise InputError(f"Text {number} is empty.")
        inputs = {"tokens": ids}
        if self.reads_characters:
            spellings = [self.encoder.spellings(text) for text in examples]
            inputs["characters"] = token_code_points(spellings, MAX_CHARACTERS)
        if targets is None:
            return EncodedDataset(inputs, None, lengths, [*inputs])
        if self.auxiliary is None:
            ids = _pad(targets, lengths, self.tag_set.encode)
            return EncodedDataset(inputs, ids, lengths, [*inputs, "targets"])
        if not isinstance(targets, Mapping) or set(targets) != {"tags", "auxiliary"}:
            raise InputError("This SequenceTagger takes a dict of tags and auxiliary as targets.")
        encoders = {"tags": self.tag_set.encode, "auxiliary": self.auxiliary.encode}
        arrays = {name: _pad(targets[name], lengths, encoders[name]) for name in encoders}
        return EncodedDataset(inputs, arrays, lengths, [*inputs, *arrays])

    def tag(self, texts: Sequence[str], *, batch_size: int = 64) -> list[list[TextSpan]]:
        """Return the spans of texts.

        Args:
            texts: Texts of any length; an empty one has no spans.
            batch_size: Number of texts per batch, at most.

        Returns:
            For each text a list of `TextSpan`.

        Raises:
            InputError: If `texts` is one text, or not of strings.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InputError(
                "tag() takes a list of texts; for lists of tokens there is tag_tokens()."
            )
        spans = []
        for text, answer in zip(texts, self.tag_tokens(texts, batch_size=batch_size)):
            tokens = self.encoder.tokenize_with_offsets(text)
            spans.append(self.tag_set.to_text_spans(text, tokens, *answer))
        return spans

    def tag_tokens(
        self, examples: Sequence[Text], *, batch_size: int = 64
    ) -> list[tuple[list[str], np.ndarray]]:
        """Return the tags of the tokens of texts.

        Args:
            examples: Texts, or lists of their tokens; an empty one has no tags.
            batch_size: Number of texts per batch, at most.

        Returns:
            For each text its tags, and their probabilities `(tokens,)`.
        """
        answers: list[Any] = [([], np.zeros(0, "float32")) for _ in examples]
        full = [number for number, text in enumerate(examples) if self.encoder.tokenize(text)]
        dataset = self.encode([examples[number] for number in full])
        predict = self.inference_model.predict_on_batch
        for rows, outputs in self.predict_by_length(dataset, batch_size, predict):
            for place, row in enumerate(rows):
                length = dataset.lengths[row]
                ids = outputs["tags"][place, :length]
                probabilities = outputs["probabilities"][place, :length]
                answers[full[row]] = self.tag_set.decode(ids), probabilities
        return answers


@keras.saving.register_keras_serializable(package="keras_seq")
class AuxiliaryTags(keras.layers.Layer):
    """Head of a `SequenceTagger` for tags of another kind, such as parts of speech.

    The id 0 is padding, and 1 that of all names that are not known.

    >>> head = AuxiliaryTags(["noun", "verb"])
    >>> head.encode(["verb", "adverb", "noun"])
    [3, 1, 2]
    >>> tuple(head(np.zeros((1, 3, 8))).shape)
    (1, 3, 4)

    Args:
        names: Different names, at least one.
        dropout: Fraction of the inputs that is dropped.

    Call arguments:
        inputs: `(batch, timesteps, features)`.
        training: Whether dropout applies.

    Returns:
        Logits `(batch, timesteps, names + 2)`.

    Raises:
        InputError: If there is no name, or one twice.
    """

    def __init__(self, names: Sequence[str], dropout: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.encoder = TextEncoder(names)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.output_layer = keras.layers.Dense(
            self.encoder.vocab_size, dtype=self.dtype_policy, name="logits"
        )

    def encode(self, names: Sequence[str]) -> list[int]:
        """Return the ids of names.

        Args:
            names: Names.
        """
        return self.encoder.encode(list(names))

    def build(self, input_shape: Any) -> None:
        self.output_layer.build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.output_layer(self.dropout(inputs, training=training))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.encoder.vocab_size)

    def get_config(self) -> dict[str, Any]:
        own = {"names": self.encoder.vocabulary, "dropout": self.dropout.rate}
        return {**super().get_config(), **own}


class BestTags(keras.layers.Layer):
    """Most likely chain of tags, and the probability of each, from the scores of a CRF.

    Args:
        crf: The `keras_seq.layers.CRF`.

    Call arguments:
        scores: `(batch, timesteps, tags)`.

    Returns:
        Ids of tags and their probabilities, both `(batch, timesteps)`.
    """

    def __init__(self, crf: CRF, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        # In a function, since the layer's weights are saved where they belong.
        self._crf = lambda: crf

    def call(self, scores: Any) -> tuple[Any, Any]:
        tags, marginals = self._crf().decode_with_marginals(scores)
        one_hot = ops.one_hot(tags, marginals.shape[-1], dtype=marginals.dtype)
        return tags, ops.sum(one_hot * marginals, axis=-1)

    def compute_output_spec(self, scores: Any) -> tuple[Any, Any]:
        shape = scores.shape[:-1]
        return keras.KerasTensor(shape, "int32"), keras.KerasTensor(shape, scores.dtype)


def _reads_characters(feature: keras.layers.Layer) -> bool:
    return getattr(feature, "reads", "tokens") == "characters"


def _pad(targets: Sequence[Sequence[str]], lengths: np.ndarray, encode: Any) -> np.ndarray:
    """Return the ids of tags, padded to the longest text.

    Args:
        targets: Lists of tags.
        lengths: Number of tokens of each text.
        encode: Function from a list of tags to their ids.
    """
    if len(targets) != len(lengths):
        raise InputError(f"There are {len(lengths)} texts but {len(targets)} lists of tags.")
    array = np.zeros((len(lengths), lengths.max(initial=0)), "int32")
    for number, (row, tags, length) in enumerate(zip(array, targets, lengths), 1):
        if len(tags) != length:
            raise InputError(f"Text {number} has {length} tokens but {len(tags)} tags.")
        try:
            row[:length] = encode(tags)
        except InputError as error:
            raise InputError(f"Text {number}: {error}") from None
    return array
