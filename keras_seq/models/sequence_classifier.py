"""Text classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError, check_list, unknown_name
from keras_seq._internal.ranges import Probability, check_arguments
from keras_seq.batching import EncodedDataset
from keras_seq.layers.attention.attention_pooling import AttentionPooling
from keras_seq.layers.named_weights import AxisNames, NamedWeight, dense_weights
from keras_seq.layers.pooling import MiddlePooling
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.experts import LogitMixture, fit_factor
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.layers.text.word_dropout import WordDropout
from keras_seq.losses import LabelCrossentropy
from keras_seq.models.any_length import AnyLengthModel
from keras_seq.models.results import Prediction, make_prediction
from keras_seq.models.text_model import TextModel
from keras_seq.models.token_inputs import apply_layer, encode_texts, input_name, make_inputs
from keras_seq.models.transfer import transfer
from keras_seq.models.weight_copy import CopyReport
from keras_seq.text.code_points import lowercase
from keras_seq.text.encoder import Text, TextEncoder


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceClassifier(TextModel):
    """Classifier of texts: token features, recurrent layers, pooling, and a softmax over labels.

    It trains and predicts on TensorFlow, JAX and torch.

    >>> from keras_seq import layers
    >>> from keras_seq.models import SequenceClassifier
    >>> from keras_seq.text import TextEncoder
    >>> texts, labels = ["a good film", "a bad film"], ["good", "bad"]
    >>> encoder = TextEncoder.from_examples(texts, lowercase=True)
    >>> classifier = SequenceClassifier(encoder, ["bad", "good"])
    >>> classifier.compile("adam")
    >>> classifier.fit(texts, labels)  # doctest: +SKIP
    >>> [prediction] = classifier.classify(["A GOOD film"])
    >>> [token for token, weight in prediction.token_weights]
    ['A', 'GOOD', 'film']

    Its layers can be replaced, also by custom ones:

    >>> classifier = SequenceClassifier(
    ...     encoder,
    ...     ["bad", "good"],
    ...     features=[layers.TokenEmbedding(encoder, 32)],
    ...     stack=layers.RNNStack("GRU", 16, num_layers=2),
    ...     pooling=layers.MaxPooling(),
    ...     experts=[
    ...         layers.NaiveBayesExpert(encoder.vocab_size, num_labels=2),
    ...         layers.CharNgramExpert(num_labels=2),
    ...     ],
    ... )
    >>> classifier.adapt_experts(texts, labels)

    As a `keras.Model`, it maps a dict of "tokens", ids `(batch, timesteps)`, to logits `(batch,
    labels)`. If a feature or an expert reads characters, there is a second input, "characters":
    code points `(batch, timesteps, 20)`. With experts, outputs and targets are dicts of "labels"
    and the names of the experts, each with its own loss. `inference_model` returns the mixture of
    all logits.

    Args:
        encoder: Encoder of texts to ids.
        labels: Names of the classes, at least two, all different.
        features: Layers from ids to vectors `(batch, timesteps, features)`. Their outputs are
            concatenated. A layer whose attribute `reads` is "characters" gets the code points
            instead. Default: a `TokenEmbedding` of width 64.
        convolution: Layer between features and `stack` that takes a `mask` and has `compute_mask`,
            such as `MaskedConv1D`. Default: none.
        stack: Recurrent layers. Default: a bidirectional `RNNStack` of 64 LSTM units per direction.
            With `return_sequences=False` its last output is used without pooling.
        pooling: Layer from sequences and `mask` to one vector each, such as `MaxPooling`,
            `MiddlePooling` or `keras.layers.GlobalAveragePooling1D`. Default: `AttentionPooling`.
        experts: Layers with different names, from ids to logits `(batch, labels)`, such as
            `NaiveBayesExpert`. `reads` is as in `features`. `word_dropout` does not apply to their
            inputs.
        mixture: "sum" or "mean" of the logits of network and experts, see `LogitMixture`.
        dropout: Fraction of the pooled features to drop in training.
        word_dropout: Probability of replacing a token by `<UNK>` in training, see `WordDropout`. It
            does not apply to characters.
        name: Name of the model.

    Raises:
        InputError: If there are fewer than two labels, if labels or names of experts are equal, or
            if pooling and stack are incompatible.
    """

    config_attributes = (
        *("encoder", "labels", "features", "convolution", "stack", "pooling", "experts"),
        *("mixture", "dropout", "word_dropout"),
    )

    def __init__(
        self,
        encoder: TextEncoder,
        labels: Sequence[str],
        *,
        features: Sequence[keras.layers.Layer] | None = None,
        convolution: keras.layers.Layer | None = None,
        stack: RNNStack | None = None,
        pooling: keras.layers.Layer | None = None,
        experts: Sequence[keras.layers.Layer] = (),
        mixture: Literal["sum", "mean"] = "sum",
        dropout: Probability = 0.3,
        word_dropout: Probability = 0.0,
        name: str = "sequence_classifier",
    ) -> None:
        check_arguments(SequenceClassifier, locals())
        check_list(labels, "labels")
        labels = list(labels)
        if len(set(labels)) < max(2, len(labels)):
            raise InputError(
                f"A SequenceClassifier needs at least two labels, all different, got {labels}."
            )
        if features is None:
            features = [TokenEmbedding(encoder, name="token_embedding")]
        if stack is None:
            stack = RNNStack("LSTM", 64, bidirectional=True, dropout=[0.3, 0.0], name="stack")
        if pooling is None and stack.return_sequences:
            pooling = AttentionPooling(64, name="pooling")
        _check_pooling(stack, pooling)
        inputs = make_inputs([*features, *experts])
        mask = ops.not_equal(inputs["tokens"], encoder.pad_id)
        dropped = WordDropout(word_dropout, encoder.unk_id, name="word_dropout")(inputs["tokens"])
        kept = {**inputs, "tokens": dropped}
        vectors = [apply_layer(feature, kept) for feature in features]
        x = ops.concatenate(vectors, axis=-1) if len(vectors) > 1 else vectors[0]
        if convolution is not None:
            x, mask = convolution(x, mask=mask), convolution.compute_mask(x, mask)
        x = stack(x, mask=mask)
        result = {}
        if isinstance(pooling, AttentionPooling) and convolution is None:
            x, result["weights"] = pooling(x, mask=mask, return_attention_scores=True)
        elif pooling is not None:
            x = pooling(x, mask=mask)
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        logits = keras.layers.Dense(len(labels), name="logits")(x)
        outputs = {"labels": logits}
        outputs |= {expert.name: apply_layer(expert, inputs) for expert in experts}
        if len(outputs) <= len(experts):
            raise InputError(
                "The experts of a SequenceClassifier need different names other than 'labels', got "
                f"{[expert.name for expert in experts]}."
            )
        super().__init__(inputs, outputs if experts else logits, name=name)
        result["logits"] = LogitMixture(mixture, name="mixture")(list(outputs.values()))
        self.inference_model = AnyLengthModel(inputs, result)
        self.encoder, self.labels = encoder, labels
        self.features, self.convolution, self.stack = list(features), convolution, stack
        self.pooling, self.experts, self.mixture = pooling, list(experts), mixture
        self.dropout, self.word_dropout = dropout, word_dropout

    @property
    def has_token_weights(self) -> bool:
        """True if predictions have `token_weights`."""
        return "weights" in self.inference_model.output

    def encode(
        self, examples: Sequence[Text], targets: Sequence[str] | None = None
    ) -> EncodedDataset:
        """Convert texts and labels to arrays, padded to the longest text.

        Args:
            examples: Texts, or lists of their tokens.
            targets: Label of each text, or None.

        Raises:
            InputError: If a text has no tokens, a label is unknown, or there are more or fewer
                labels than texts. The message has the number of the text, counted from 1.
        """
        inputs, lengths = encode_texts(self.encoder, examples, self.reads_characters)
        if targets is None:
            return EncodedDataset(inputs, None, lengths, [*inputs])
        check_list(targets, "labels")
        if len(targets) != len(lengths):
            raise InputError(f"There are {len(lengths)} texts but {len(targets)} labels.")
        label_ids = {label: number for number, label in enumerate(self.labels)}
        for number, label in enumerate(targets, 1):
            if label not in label_ids:
                raise unknown_name(f"label (text {number})", label, self.labels)
        array = np.array([label_ids[label] for label in targets], "int32")
        names = ["labels", *(expert.name for expert in self.experts)]
        arrays = dict.fromkeys(names, array) if self.experts else array
        return EncodedDataset(inputs, arrays, lengths, [*inputs])

    def default_loss(self) -> Any:
        """Return the cross-entropy of the labels, with experts one per output."""
        losses = [LabelCrossentropy() for _ in range(1 + len(self.experts))]
        names = ["labels", *(expert.name for expert in self.experts)]
        return dict(zip(names, losses)) if self.experts else losses[0]

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens or labels."""
        tokens = AxisNames("tokens", self.encoder.tokens)
        labels = AxisNames("labels", self.labels)
        weights = super().named_weights() + dense_weights(self.get_layer("logits"), labels)
        for expert in self.experts:
            if hasattr(expert, "named_weights"):
                weights += expert.named_weights(tokens, labels)
        return weights

    def adapt_experts(self, x: Any, y: Any, calibrate: bool = False) -> None:
        """Call `adapt` on training examples for each expert that has it.

        Args:
            x: Texts, or the `inputs` of a result of `encode`.
            y: Label of each text. With `inputs`, ids of labels `(texts,)` or label weights
                `(texts, labels)`.
            calibrate: Whether to multiply the logits of all experts by one factor, with which the
                cross-entropy of their sum is lowest on the examples. The counts of an example
                itself are left out. The experts need the methods `adapt_leave_one_out` and
                `scale`, as `NaiveBayesExpert` and `CharNgramExpert` have.

        Raises:
            InputError: If an example is invalid. The message gives its number, from 1.
        """
        x, y = self._encoded(x, y)
        y = np.asarray(y["labels"] if isinstance(y, dict) else y)
        weights = np.eye(len(self.labels))[y] if y.ndim == 1 else y
        if calibrate:
            logits = [e.adapt_leave_one_out(x[input_name(e)], weights) for e in self.experts]
            factor = fit_factor(sum(logits, np.zeros(weights.shape)), weights)
            for expert in self.experts:
                expert.scale(factor)
            return
        for expert in self.experts:
            if hasattr(expert, "adapt"):
                expert.adapt(x[input_name(expert)], weights)

    def transfer_from(self, other: TextModel) -> CopyReport:
        """Copy embeddings and recurrent weights from a trained model.

        See `keras_seq.models.transfer.transfer`.

        Args:
            other: Trained text model, such as a `SequenceGenerator`.

        Returns:
            Number of tokens that received an embedding, and of recurrent weights that were copied.
        """
        return transfer(self, other)

    def classify(self, texts: Sequence[Text], batch_size: int = 64) -> list[Prediction]:
        """Return the prediction for each text.

        Args:
            texts: Texts, or lists of their tokens. None may be empty.
            batch_size: Largest number of texts per batch.

        Raises:
            InputError: If a text has no tokens. The message gives its number, from 1.
        """
        check_list(texts, "texts")
        texts = list(texts)
        predictions: list[Any] = [None] * len(texts)
        batches = self.predict_by_length(
            self.encode(texts), batch_size, self.inference_model.predict_on_batch
        )
        for rows, out in batches:
            for number, row in enumerate(rows):
                token_weights = None
                if "weights" in out:
                    tokens = self._original_tokens(texts[row])
                    token_weights = list(zip(tokens, out["weights"][number].tolist()))
                predictions[row] = make_prediction(
                    self.labels, out["logits"][number], token_weights
                )
        return predictions

    def _original_tokens(self, text: Text) -> list[str]:
        """Return the tokens of a text in their original case."""
        if not isinstance(text, str):
            return list(text)
        tokens = self.encoder.tokenize_with_offsets(text)
        pairs = [(token.text, text[token.start : token.end]) for token in tokens]
        return [original if lowercase(original) == token else token for token, original in pairs]


def _check_pooling(stack: RNNStack, pooling: keras.layers.Layer | None) -> None:
    if pooling is not None and not stack.return_sequences:
        raise InputError(
            f"The pooling {pooling.name} needs the outputs of all time steps: set "
            f"return_sequences=True in the stack {stack.name}, or leave pooling out."
        )
    if isinstance(pooling, MiddlePooling) and not stack.bidirectional:
        raise InputError("MiddlePooling needs a stack with bidirectional=True.")
