"""Many to one: what a sequence is."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError, unknown
from keras_seq.batching import EncodedDataset, by_length
from keras_seq.models.sequence_model import SequenceModel
from keras_seq.text.vocabulary import Vocabulary

POOLINGS = ("attention", "last", "max", "middle")


class Classified(NamedTuple):
    """What a text is, how sure the model is, and what decided."""

    label: str
    probability: float
    probabilities: dict
    """Of every label."""
    words: list
    """`(token, weight)` in the order of the text; the weights add up to 1. None unless the model
    pools by attention, token by token."""


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceClassifier(SequenceModel):
    """Embeddings, recurrent layers, one vector of all steps, and a softmax.

        classifier = SequenceClassifier(frequent(chain(*sentences)), ["bad", "good"])
        classifier.compile("adam", loss=classifier.loss_of_labels)
        examples = classifier.encode(sentences, labels)
        classifier.fit(examples.inputs, examples.targets)
        classifier.classify(["What a wonderful film ."])

    It is a `keras.Model` from numbers to logits, `(batch, labels)`; `encode` makes the numbers,
    `classify` takes texts. The vocabulary is saved with the model.

    Args:
        vocabulary: Tokens that are known, all others are `<UNK>`.
        labels: What a sequence can be; at least two.
        split: How a text becomes tokens: a name of `keras_seq.text.tokenizers.SPLITTERS`.
        lower: Whether capitals are read as small letters.
        bigrams: Pairs of tokens that have an embedding of their own.
        embedding: Width of the embedding of a token, None for one-hot input, or a dict of token to
            its vector, which stays as it is; what has none, as `<UNK>` may have, has zeros.
        bigram_embedding: Width of the embedding of a pair.
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer and direction.
        depth: Number of recurrent layers.
        bidirectional: Whether each layer reads from both ends.
        pooling: "attention" (a learned weight a step), "last" (the states after the last step),
            "max" (the largest value of each feature) or "middle" (the states where the two
            directions meet, each one step past the middle if there are two middle steps), for what
            the middle of a sequence decides.
        convolution: `(filters, width, stride)` of a convolution whose outputs the first recurrent
            layer reads in place of the tokens: a step is then a run of tokens. None for none.
        dropout: Share of the features dropped before the first and after each recurrent layer.
        token_dropout: Share of the tokens that are read as `<UNK>` in training.
        foretell: How many of the most frequent tokens the first recurrent layer, which must be
            bidirectional, also learns to foretell, for what it learns by that (Rei 2017): the next
            by its forward half, the one before by its backward half. The output is then a dict of
            "labels", "next" and "previous" (logits), and so are the targets.
        recurrent_dropout: Share of the state dropped from step to step.
        naive_bayes: Whether a `keras_seq.layers.NaiveBayes` over tokens and pairs scores the labels
            beside, see `count`. Each learns for itself: the output is a dict of "labels" and
            "counted" (logits), and so are the targets; `classify` goes by the sum of both. Or
            `(run, places)` of a `keras_seq.layers.WeightArray`, which scores runs of tokens by
            their place from the middle; the tokens then need vectors that stay. It sees all that
            the recurrent layers see, so that `classify` goes by the mean of both.
    """

    def __init__(
        self,
        vocabulary,
        labels,
        *,
        split="words",
        lower=True,
        bigrams=None,
        embedding=64,
        bigram_embedding=32,
        cell="LSTM",
        units=64,
        depth=1,
        bidirectional=True,
        pooling="attention",
        convolution=None,
        dropout=0.3,
        token_dropout=0.0,
        recurrent_dropout=0.0,
        foretell=None,
        naive_bayes=False,
        name="sequence_classifier",
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if pooling not in POOLINGS:
            raise unknown("pooling", pooling, POOLINGS)
        if not vocabulary or len(labels) < 2:
            raise InputError(
                "A SequenceClassifier needs at least one known token and two labels, got "
                f"{len(vocabulary)} and {len(labels)}."
            )
        if pooling == "middle" and not bidirectional:
            raise InputError("The pooling middle needs layers that read from both ends.")
        if foretell and (convolution or not bidirectional or (depth == 1 and pooling == "last")):
            raise InputError(
                "foretell needs a bidirectional first layer that reads tokens and gives out every "
                "step: no convolution; more layers, or another pooling than last."
            )
        by_place = naive_bayes if isinstance(naive_bayes, (list, tuple)) else None
        if by_place and not (embedding is None or isinstance(embedding, dict)):
            raise InputError("Runs of tokens by place need vectors that stay, or none: embedding.")
        tokens = Vocabulary(vocabulary)
        ids = keras.Input((None,), dtype="int32", name="tokens")
        mask = ops.not_equal(ids, 0)
        read = layers.TokenDropout(token_dropout, name="token_dropout")(ids)
        features = [_vectors(read, tokens, embedding)]
        of_tokens = mask  # which a convolution replaces by that of its runs
        there = [ids]
        if bigrams:
            numbers = [[tokens.number(token) for token in pair] for pair in bigrams]
            layer = layers.BigramEmbedding(numbers, bigram_embedding, name="bigram_embedding")
            features.append(layer(read))
            known = layers.Bigrams(numbers, name="bigrams")(ids)
            there.append(ops.where(known > 0, known + len(tokens) - 1, 0))
        x = ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]
        if convolution:
            x, mask = _convolved(x, mask, *convolution)
        outputs = {}
        for number in range(depth):
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
            layer = getattr(layers, cell)(
                units,
                return_sequences=number + 1 < depth or pooling != "last",
                recurrent_dropout=recurrent_dropout,
                name=f"recurrent_{number}",
            )
            if bidirectional:
                layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{number}")
            x = layer(x, mask=mask)
            if foretell and number == 0:
                first = keras.layers.Dropout(dropout, name="dropout_foretell")(x)
                for name_, part in zip(("next", "previous"), ops.split(first, 2, axis=-1)):
                    known = min(foretell, len(tokens))
                    outputs[name_] = keras.layers.Dense(known, name=name_)(part)
        weights = None
        if pooling == "attention":
            pool = layers.AttentionPooling(units, name="pooling")
            x, weights = pool(x, mask=mask, return_weights=True)
            weights = None if convolution else weights
        elif pooling == "max":
            x = ops.max(ops.where(mask[:, :, None], x, -1e9), axis=1)
        elif pooling == "middle":
            x = _in_the_middle(x, mask)
        x = keras.layers.Dropout(dropout, name=f"dropout_{depth}")(x)
        logits = keras.layers.Dense(len(labels), name="logits")(x)
        answer = logits
        if by_place:
            there = [features[0], of_tokens]
            layer = layers.WeightArray(len(labels), *by_place, name="naive_bayes")
            outputs["counted"] = layer(*there)
            answer = (logits + outputs["counted"]) / 2
        elif naive_bayes:
            there = [ops.concatenate(there, axis=1)]
            size = len(tokens) - 1 + len(bigrams or [])
            outputs["counted"] = layers.NaiveBayes(size, len(labels), name="naive_bayes")(*there)
            answer = logits + outputs["counted"]
        outputs = {"labels": logits, **outputs} if outputs else logits
        super().__init__({"tokens": ids}, outputs, arguments, tokens)
        answers = {"logits": answer} | ({} if weights is None else {"weights": weights})
        self._answers = keras.Model({"tokens": ids}, answers)
        self._there = keras.Model({"tokens": ids}, there) if naive_bayes else None
        self._lower, self._foretell = lower, foretell
        self.labels = list(labels)
        self.loss_of_labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def encode(self, sentences, labels=None):
        """Sentences as the model takes them, all padded to the longest.

        Args:
            sentences: Lists of tokens.
            labels: One a sentence.

        Returns:
            `keras_seq.batching.EncodedDataset`; `targets` is None without labels.

        Raises:
            InputError: A sentence is empty, or a label unknown; the message gives its number.
        """
        for number, sentence in enumerate(sentences, 1):
            if not sentence:
                raise InputError(f"Text {number} is empty.")
        lengths = np.array([len(sentence) for sentence in sentences], "int32")
        if self._lower:
            sentences = [[token.lower() for token in sentence] for sentence in sentences]
        inputs = {"tokens": self._tokens.numbers(sentences)}
        if labels is None:
            return EncodedDataset(inputs, None, lengths, ["tokens"])
        numbers = {label: number for number, label in enumerate(self.labels)}
        for number, label in enumerate(labels, 1):
            if label not in numbers:
                raise unknown(f"label (text {number})", label, self.labels)
        targets = np.array([numbers[label] for label in labels], "int32")
        if self._foretell:
            ids = inputs["tokens"]
            ids = np.where(ids < self._foretell, ids, 1)
            following, before = np.zeros((2, *ids.shape), "int32")
            following[:, :-1], before[:, 1:] = ids[:, 1:], ids[:, :-1]
            before[ids == 0] = 0
            targets = {"labels": targets, "next": following, "previous": before}
        if self._there is not None:
            named = targets if self._foretell else {"labels": targets}
            targets = {**named, "counted": named["labels"]}
        sequences = ["tokens", *(["next", "previous"] if self._foretell else [])]
        return EncodedDataset(inputs, targets, lengths, sequences)

    def count(self, inputs, labels):
        """Counts which tokens, pairs or runs go with which labels, for a model with `naive_bayes`.

        Args:
            inputs: As `encode` makes them.
            labels: How much each label is that of each sequence, `(sequences, labels)`.
        """
        there = map(ops.convert_to_numpy, keras.tree.flatten(self._there(inputs)))
        self.get_layer("naive_bayes").count(*there, labels)

    def classify(self, texts, batch_size=64):
        """What texts are.

        Args:
            texts: Strings, none empty.
            batch_size: Texts to work on together; those of like length are.

        Returns:
            A list of `Classified`.
        """
        if isinstance(texts, str):
            raise InputError("classify() takes a list of texts, not one text alone.")
        return self.classify_tokens([self.tokens_of(text) for text in texts], batch_size)

    def classify_tokens(self, sentences, batch_size=64):
        """The same of lists of tokens."""
        examples = self.encode(sentences)
        results = [None] * len(sentences)
        for rows, wide in by_length(examples.lengths, batch_size):
            out = self._answers.predict_on_batch(examples.pad_batch(rows, wide)[0])
            logits, weights = out["logits"], out.get("weights")
            p = np.exp(logits - logits.max(axis=-1, keepdims=True))
            p /= p.sum(axis=-1, keepdims=True)
            for place, (row, chances) in enumerate(zip(rows, p.tolist())):
                best = int(np.argmax(chances))
                words = None
                if weights is not None:
                    words = list(zip(sentences[row], weights[place].tolist()))
                results[row] = Classified(
                    self.labels[best],
                    chances[best],
                    dict(zip(self.labels, chances)),
                    words,
                )
        return results


def _vectors(ids, tokens, embedding):
    """The vectors of numbered tokens `(batch, timesteps, width)`; padding has zeros if they stay.

    Args:
        ids: Integers `(batch, timesteps)`.
        tokens: `keras_seq.text.vocabulary.Vocabulary`.
        embedding: As of `SequenceClassifier`.
    """
    if embedding is None:
        return ops.one_hot(ids, len(tokens))
    if not isinstance(embedding, dict):
        return keras.layers.Embedding(len(tokens), embedding, name="embedding")(ids)
    widths = {len(vector) for vector in embedding.values()}
    if len(widths) != 1:
        raise InputError(f"The vectors of tokens must be of one width, got {sorted(widths)}.")
    nothing = [0.0] * widths.pop()
    table = np.array([embedding.get(token, nothing) for token in tokens.tokens], "float32")
    layer = keras.layers.Embedding(
        *table.shape, embeddings_initializer=lambda *_, **__: table, trainable=False, name="vectors"
    )
    return layer(ids)


def _convolved(x, mask, filters, width, stride):
    """Features of runs of steps, and their mask: a run is there if the first of its own steps is.

    A run has `stride` steps of its own, in the middle of the `width` that are read, so that how far
    sequences are padded makes no difference.

    Args:
        x: `(batch, timesteps, features)`.
        mask: `(batch, timesteps)`, False after the end alone.

    Returns:
        `(batch, runs, filters)` and `(batch, runs)`, `timesteps / stride` runs, rounded up.
    """
    if min(filters, stride) < 1 or width < stride:
        raise InputError(
            "A convolution needs at least 1 filter, and a width of at least its stride, got "
            f"{(filters, width, stride)}."
        )
    before = (width - stride) // 2
    x = ops.where(mask[:, :, None], x, 0.0)
    x = ops.pad(x, [[0, 0], [before, width - 1 - before], [0, 0]])
    layer = keras.layers.Conv1D(
        filters, width, strides=stride, activation="relu", name="convolution"
    )
    return layer(x), mask[:, ::stride]


def _in_the_middle(x, mask):
    """What both directions know where they meet: `(batch, features)` of two directions.

    Args:
        x: `(batch, timesteps, features)`, the first half of the features of the forward direction.
        mask: `(batch, timesteps)`, False after the end alone.
    """
    number = ops.cumsum(ops.cast(mask, "int32"), axis=1)  # from 1, and on after the end
    count = number[:, -1:]
    parts = [
        ops.sum(ops.where((mask & ops.equal(number, place))[:, :, None], half, 0.0), axis=1)
        for half, place in zip(ops.split(x, 2, axis=-1), (count // 2 + 1, (count + 1) // 2))
    ]
    return ops.concatenate(parts, axis=-1)
