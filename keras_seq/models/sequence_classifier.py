"""Classification of texts and other sequences of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.batching import EncodedDataset
from keras_seq.layers.attention.attention_pooling import AttentionPooling
from keras_seq.layers.pooling import MiddlePooling
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.experts import LogitMixture
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.layers.text.word_dropout import WordDropout
from keras_seq.models.results import Prediction, make_prediction
from keras_seq.models.text_model import TextModel
from keras_seq.models.transfer import transfer
from keras_seq.text.code_points import lowercase
from keras_seq.text.encoder import Text, TextEncoder


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceClassifier(TextModel):
    """Features of tokens, recurrent layers, pooling, and a softmax over labels.

    It trains and predicts on TensorFlow, JAX and torch.

    >>> import keras_seq
    >>> from keras_seq.models import SequenceClassifier
    >>> from keras_seq.text.encoder import TextEncoder
    >>> texts, labels = ["a good film", "a bad film"], ["good", "bad"]
    >>> encoder = TextEncoder.from_examples(texts, lowercase=True)
    >>> classifier = SequenceClassifier(encoder, ["bad", "good"])
    >>> classifier.compile("adam")
    >>> history = classifier.fit(texts, labels, verbose=0)
    >>> [answer] = classifier.classify(["A GOOD film"])
    >>> [token for token, weight in answer.token_weights]
    ['A', 'GOOD', 'film']

    Its parts can be replaced by others, and by a user's own layers:

    >>> classifier = SequenceClassifier(
    ...     encoder,
    ...     ["bad", "good"],
    ...     features=[keras_seq.layers.TokenEmbedding(encoder, 32)],
    ...     stack=keras_seq.layers.RNNStack("GRU", 16, num_layers=2),
    ...     pooling=keras_seq.layers.MaxPooling(),
    ...     experts=[keras_seq.layers.NaiveBayesExpert(encoder.vocab_size, num_labels=2)],
    ... )
    >>> classifier.compile("adam")
    >>> classifier.adapt_experts(texts, labels)
    >>> history = classifier.fit(texts, labels, verbose=0)

    As a network it maps a dict of "tokens", ids `(batch, timesteps)`, to logits `(batch, labels)`.
    With experts each part learns for itself: outputs and targets are dicts of "labels" and the
    names of the experts. `inference_model` returns the mixture of all logits.

    Args:
        encoder: Encoder of texts to ids.
        labels: At least two labels.
        features: Layers from ids to vectors `(batch, timesteps, features)`, whose outputs are
            concatenated. Default: a `TokenEmbedding` of width 64.
        convolution: Layer from the features to fewer time steps, such as `MaskedConv1D`; it takes
            a `mask` and has `compute_mask`. Default: none.
        stack: Recurrent layers. Default: a bidirectional `RNNStack` of 64 LSTM units. With
            `return_sequences=False` the last outputs are read, and there is no pooling.
        pooling: Layer from outputs and `mask` to one vector per sequence, such as `MaxPooling`,
            `MiddlePooling`, or one of Keras. Default: `AttentionPooling`.
        experts: Layers with different names, from ids to logits `(batch, labels)`, such as
            `NaiveBayesExpert`. They see all tokens, `word_dropout` notwithstanding.
        mixture: Whether the answer is the "sum" or the "mean" of all logits, see `LogitMixture`.
        dropout: Fraction of the pooled features that is dropped.
        word_dropout: Fraction of the tokens that the features see as unknown in training.
        name: Name of the model.

    Raises:
        InputError: If there are too few labels, if two labels are equal, or if pooling and stack do
            not fit.
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
        dropout: float = 0.3,
        word_dropout: float = 0.0,
        name: str = "sequence_classifier",
    ) -> None:
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
        ids = keras.Input((None,), dtype="int32", name="tokens")
        mask = ops.not_equal(ids, encoder.pad_id)
        seen = WordDropout(word_dropout, encoder.unk_id, name="word_dropout")(ids)
        vectors = [feature(seen) for feature in features]
        x = ops.concatenate(vectors, axis=-1) if len(vectors) > 1 else vectors[0]
        if convolution is not None:
            x, mask = convolution(x, mask=mask), convolution.compute_mask(x, mask)
        x = stack(x, mask=mask)
        answer = {}
        if isinstance(pooling, AttentionPooling) and convolution is None:
            x, answer["weights"] = pooling(x, mask=mask, return_attention_scores=True)
        elif pooling is not None:
            x = pooling(x, mask=mask)
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        logits = keras.layers.Dense(len(labels), name="logits")(x)
        outputs = {"labels": logits, **{expert.name: expert(ids) for expert in experts}}
        if len(outputs) <= len(experts):
            raise InputError(
                "The experts of a SequenceClassifier need different names other than 'labels', got "
                f"{[expert.name for expert in experts]}."
            )
        inputs = {"tokens": ids}
        super().__init__(inputs, outputs if experts else logits, name=name)
        answer["logits"] = LogitMixture(mixture, name="mixture")(list(outputs.values()))
        self.inference_model = keras.Model(inputs, answer)
        self.encoder, self.labels = encoder, labels
        self.features, self.convolution, self.stack = list(features), convolution, stack
        self.pooling, self.experts, self.mixture = pooling, list(experts), mixture
        self.dropout, self.word_dropout = dropout, word_dropout

    @property
    def has_token_weights(self) -> bool:
        """Whether answers tell the weight of each token."""
        return "weights" in self.inference_model.output

    def encode(
        self, examples: Sequence[Text], targets: Sequence[str] | None = None
    ) -> EncodedDataset:
        """Return texts and their labels as arrays, padded to the longest text.

        Args:
            examples: Texts, or lists of their tokens.
            targets: Label of each text, or None.

        Raises:
            InputError: If a text has no token, or a label is not one of the model. The message
                gives its number from 1.
        """
        ids, lengths = self.encoder.encode_batch(examples)
        for number, length in enumerate(lengths, 1):
            if not length:
                raise InputError(f"Text {number} is empty.")
        inputs = {"tokens": ids}
        if targets is None:
            return EncodedDataset(inputs, None, lengths, ["tokens"])
        numbers = {label: number for number, label in enumerate(self.labels)}
        for number, label in enumerate(targets, 1):
            if label not in numbers:
                raise unknown_name(f"label (text {number})", label, self.labels)
        array = np.array([numbers[label] for label in targets], "int32")
        names = ["labels", *(expert.name for expert in self.experts)]
        arrays = dict.fromkeys(names, array) if self.experts else array
        return EncodedDataset(inputs, arrays, lengths, ["tokens"])

    def default_loss(self) -> Any:
        """Return the cross-entropy of the labels, for each output its own."""
        losses = [
            keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            for _ in range(1 + len(self.experts))
        ]
        names = ["labels", *(expert.name for expert in self.experts)]
        return dict(zip(names, losses)) if self.experts else losses[0]

    def adapt_experts(self, x: Any, y: Any) -> None:
        """Let the experts that have `adapt` count on training examples.

        Args:
            x: Texts, or `inputs` of `encode`.
            y: Label of each text, or weight of each label for each text, `(texts, labels)`.

        Raises:
            InputError: If an example is not valid. The message gives its number from 1.
        """
        x, y = self._encoded(x, y)
        y = np.asarray(y["labels"] if isinstance(y, dict) else y)
        weights = np.eye(len(self.labels))[y] if y.ndim == 1 else y
        for expert in self.experts:
            if hasattr(expert, "adapt"):
                expert.adapt(x["tokens"], weights)

    def transfer_from(self, other: Any) -> tuple[int, bool]:
        """Start from what another model has learned, see `keras_seq.models.transfer.transfer`.

        Args:
            other: Trained model of texts, such as a `SequenceGenerator`.

        Returns:
            Number of tokens that got its embedding, and whether its recurrent weights were taken.
        """
        return transfer(self, other)

    def classify(self, texts: Sequence[Text], batch_size: int = 64) -> list[Prediction]:
        """Return what each text is.

        Args:
            texts: Texts, or lists of their tokens; none may be empty.
            batch_size: Number of texts per batch, at most.

        Raises:
            InputError: If a text has no token. The message gives its number from 1.
        """
        texts = texts if isinstance(texts, str) else list(texts)
        answers: list[Any] = [None] * len(texts)
        batches = self.predict_by_length(
            self.encode(texts), batch_size, self.inference_model.predict_on_batch
        )
        for rows, out in batches:
            for place, row in enumerate(rows):
                token_weights = None
                if "weights" in out:
                    tokens = self._tokens_as_written(texts[row])
                    token_weights = list(zip(tokens, out["weights"][place].tolist()))
                answers[row] = make_prediction(self.labels, out["logits"][place], token_weights)
        return answers

    def _tokens_as_written(self, text: Text) -> list[str]:
        """Return the tokens of a text in the case in which they are written."""
        if not isinstance(text, str):
            return list(text)
        tokens = self.encoder.tokenize_with_offsets(text)
        written = [(token.text, text[token.start : token.end]) for token in tokens]
        return [as_is if lowercase(as_is) == token else token for token, as_is in written]


def _check_pooling(stack: RNNStack, pooling: keras.layers.Layer | None) -> None:
    if pooling is not None and not stack.return_sequences:
        raise InputError(
            f"The stack {stack.name} has return_sequences=False, which leaves nothing for the "
            f"pooling {pooling.name}: leave one of them out."
        )
    if isinstance(pooling, MiddlePooling) and not stack.bidirectional:
        raise InputError("MiddlePooling needs a stack with bidirectional=True.")
