"""Many to many, aligned: a tag for every token of a sentence."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError, unknown
from keras_seq.batching import EncodedDataset, by_length
from keras_seq.models.sequence_model import SequenceModel
from keras_seq.text.tag_schemes import make_tags, tags_to_spans
from keras_seq.text.vocabulary import Vocabulary

LETTERS = 20
"""How many letters of a token its spelling is read from."""


class TaggedSpan(NamedTuple):
    """A stretch of a text, `text[start:end]`, what it is, and how sure the model is, 0 to 1."""

    text: str
    label: str
    start: int
    end: int
    score: float


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceTagger(SequenceModel):
    """Embeddings, recurrent layers and a CRF or a softmax (Huang et al. 2015, Lample et al. 2016).

        tagger = SequenceTagger(frequent(chain(*sentences)), ["PER", "LOC"], split="words")
        tagger.compile("adam", loss=tagger.crf.loss, metrics=[tagger.crf.accuracy])
        examples = tagger.encode(sentences, tags)
        tagger.fit(examples.inputs, examples.targets)
        tagger.tag(["Ada Lovelace lived in London ."])

    It is a `keras.Model` from numbers to scores, `(batch, timesteps, tags)`; `encode` makes the
    numbers, `tag` goes from texts to spans. The vocabularies are saved with the model.

    Args:
        vocabulary: Tokens that are known; all others are `<UNK>`.
        labels: What spans can be, such as "PER".
        scheme: How spans become tags: "IOB2" or "IOBES".
        split: How a text becomes tokens: "characters" or "words".
        letters: Characters that are known within a token; if given, a recurrent sub-model reads
            the spelling of each token, up to 20 of its letters.
        bigrams: Pairs of tokens that have an embedding of their own.
        embedding: Width of the embedding of a token, or None for one-hot input.
        bigram_embedding: Width of the embedding of a pair.
        bigram_dropout: Share of the steps at which both pairs are dropped in training, so that the
            model does not rely on pairs that it knows.
        letter_units: Units, a direction, of the sub-model of spelling, and its embedding's width.
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer and direction.
        depth: Number of recurrent layers.
        bidirectional: Whether each layer reads from both ends.
        dropout: Share of the features dropped before the first and after each recurrent layer.
        recurrent_dropout: Share of the state dropped from step to step.
        crf: Whether tags depend on their neighbours; if not, each is chosen by itself (softmax),
            except that the scheme must hold.
        auxiliary: Names of tags of another kind, such as parts of speech. If given, the first
            recurrent layer learns these too, for what they teach it (Søgaard & Goldberg 2016);
            the output is then a dict of "tags" and "auxiliary" (logits), and so are the targets.
    """

    def __init__(
        self,
        vocabulary,
        labels,
        *,
        scheme="IOBES",
        split="characters",
        letters=None,
        bigrams=None,
        embedding=64,
        bigram_embedding=64,
        bigram_dropout=0.3,
        letter_units=25,
        cell="LSTM",
        units=128,
        depth=1,
        bidirectional=True,
        dropout=0.3,
        recurrent_dropout=0.0,
        crf=True,
        auxiliary=None,
        name="sequence_tagger",
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if not vocabulary or not labels:
            raise InputError("A SequenceTagger needs at least one known token and one label.")
        tokens = Vocabulary(vocabulary)
        spelling = None if letters is None else Vocabulary(letters)
        tags = make_tags(labels, scheme)
        ids = keras.Input((None,), dtype="int32", name="tokens")
        inputs, mask = {"tokens": ids}, ops.not_equal(ids, 0)
        if embedding is None:
            features = [ops.one_hot(ids, len(tokens))]
        else:
            features = [keras.layers.Embedding(len(tokens), embedding, name="embedding")(ids)]
        if bigrams is not None:
            numbers = [[tokens.number(token) for token in pair] for pair in bigrams]
            layer = layers.BigramEmbedding(numbers, bigram_embedding, name="bigram_embedding")
            # All features of a step at once.
            drop = keras.layers.Dropout(bigram_dropout, (None, None, 1), name="dropout_bigrams")
            features.append(drop(layer(ids)))
        if spelling is not None:
            inputs["letters"] = keras.Input((None, LETTERS), dtype="int32", name="letters")
            reader = Speller(len(spelling), letter_units, cell, name="speller")
            features.append(reader(inputs["letters"]))
        x = ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]
        beside = None if auxiliary is None else Vocabulary(auxiliary)
        outputs = {}
        for number in range(depth):
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
            layer = getattr(layers, cell)(
                units,
                return_sequences=True,
                recurrent_dropout=recurrent_dropout,
                name=f"recurrent_{number}",
            )
            if bidirectional:
                layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{number}")
            x = layer(x, mask=mask)
            if beside is not None and number == 0:
                first = keras.layers.Dropout(dropout, name="dropout_auxiliary")(x)
                outputs["auxiliary"] = keras.layers.Dense(len(beside), name="auxiliary")(first)
        x = keras.layers.Dropout(dropout, name=f"dropout_{depth}")(x)
        head = layers.CRF(len(tags), use_transitions=crf, tags=tags, scheme=scheme, name="crf")
        scores = head(x, mask=mask)
        outputs = {"tags": scores, **outputs} if outputs else scores
        super().__init__(inputs, outputs, arguments, tokens)
        self._to_tags = keras.Model(inputs, _BestTags(head, name="best_tags")(scores))
        self._spelling, self._auxiliary = spelling, beside
        self.tags, self.scheme, self.crf = tags, scheme, head

    def encode(self, sentences, tags=None, auxiliary=None):
        """Sentences as the model takes them, all padded to the longest.

        Args:
            sentences: Lists of tokens; with `split="characters"`, strings will do.
            tags: Lists of tags in the scheme of the model, one a token.
            auxiliary: Lists of names, one a token; those that the model does not know are `<UNK>`.

        Returns:
            `keras_seq.batching.EncodedDataset`; `targets` is None without tags.

        Raises:
            InputError: A sentence is empty, has not as many tags as tokens, or has a tag that the
                model does not know; the message gives its number from 1.
        """
        for number, sentence in enumerate(sentences, 1):
            if not sentence:
                raise InputError(f"Sentence {number} is empty.")
        lengths = np.array([len(sentence) for sentence in sentences], "int32")
        widest = int(lengths.max(initial=0))
        inputs = {"tokens": self._tokens.numbers(sentences)}
        if self._spelling is not None:
            inputs["letters"] = np.zeros((len(sentences), widest, LETTERS), "int32")
            for row, sentence in zip(inputs["letters"], sentences):
                row[: len(sentence)] = self._spelling.numbers(sentence, LETTERS)
        targets = None
        if tags is not None:
            numbers = {tag: number for number, tag in enumerate(self.tags)}
            targets = np.zeros((len(sentences), widest), "int32")
            for number, (row, length, given) in enumerate(zip(targets, lengths, tags), 1):
                if len(given) != length:
                    raise InputError(
                        f"Sentence {number} has {length} tokens but {len(given)} tags."
                    )
                for position, tag in enumerate(given):
                    if tag not in numbers:
                        raise unknown(f"tag (sentence {number})", tag, self.tags)
                    row[position] = numbers[tag]
        sequences = [*inputs, *(() if targets is None else ["targets"])]
        if auxiliary is not None:
            targets = {"tags": targets, "auxiliary": self._auxiliary.numbers(auxiliary)}
            sequences = [*inputs, *targets]
        return EncodedDataset(inputs, targets, lengths, sequences)

    def tokens_of(self, text):
        """The tokens of a text."""
        return [token for token, _, _ in self._split(text)]

    def tag(self, texts, batch_size=64):
        """The spans found in texts.

        Args:
            texts: Strings of any length; an empty one has no spans.
            batch_size: Texts to work on together; those of like length are.

        Returns:
            For each text a list of `TaggedSpan`. The score is the least probability of a tag in it.
        """
        if isinstance(texts, str):
            raise InputError("tag() takes a list of texts, not one text alone.")
        split = [self._split(text) for text in texts]
        sentences = [[token for token, _, _ in tokens] for tokens in split]
        results = []
        for text, tokens, (tags, scores) in zip(
            texts, split, self.tag_tokens(sentences, batch_size)
        ):
            results.append([])
            for label, first, last in tags_to_spans(tags, self.scheme, strict=False):
                start, end = tokens[first][1], tokens[last - 1][2]
                score = float(scores[first:last].min())
                results[-1].append(TaggedSpan(text[start:end], label, start, end, score))
        return results

    def tag_tokens(self, sentences, batch_size=64):
        """The tags of sentences that are tokens already.

        Args:
            sentences: Lists of tokens.
            batch_size: As in `tag`.

        Returns:
            For each sentence its tags, and their probabilities `(tokens,)`.
        """
        results = [([], np.zeros(0, "float32"))] * len(sentences)
        full = [number for number, sentence in enumerate(sentences) if sentence]
        names = np.array(self.tags)
        for rows, wide in by_length([len(sentences[number]) for number in full], batch_size):
            batch = [full[row] for row in rows]
            tags, probabilities = self._decoded([sentences[n] for n in batch], wide)
            for number, row, p in zip(batch, tags, probabilities):
                length = len(sentences[number])
                results[number] = names[row[:length]].tolist(), p[:length]
        return results

    def _decoded(self, sentences, wide):
        """Tag numbers and their probabilities, (sentences, wide)."""
        inputs, _ = self.encode(sentences).pad_batch(range(len(sentences)), wide)
        return self._to_tags.predict_on_batch(inputs)


class _BestTags(keras.layers.Layer):
    """The best chain of tags and the probability of each, of the scores that a CRF gave."""

    def __init__(self, crf, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        # In a function, since the layer's weights are saved where they belong.
        self._crf = lambda: crf

    def call(self, scores):
        tags, marginals = self._crf().decode_with_marginals(scores)
        hot = ops.one_hot(tags, marginals.shape[-1], dtype=marginals.dtype)
        return tags, ops.sum(hot * marginals, axis=-1)

    def compute_output_spec(self, scores):
        shape = scores.shape[:-1]
        return keras.KerasTensor(shape, "int32"), keras.KerasTensor(shape, scores.dtype)


@keras.saving.register_keras_serializable(package="keras_seq")
class Speller(keras.layers.Layer):
    """What the letters of each token say: `(batch, timesteps, letters)` to `(..., 2 * units)`.

    A recurrent layer reads the letters of a token from both ends (Lample et al. 2016).

    Args:
        letters: How many letters there are.
        units: A direction; also the width of a letter's embedding.
        cell: Name of the recurrent layer in `keras_seq.layers`.
    """

    def __init__(self, letters, units, cell="LSTM", **kwargs):
        super().__init__(**kwargs)
        self.letters, self.units, self.cell = letters, units, cell
        self.embedding = keras.layers.Embedding(letters, units)
        self.reader = keras.layers.Bidirectional(getattr(layers, cell)(units))

    def build(self, input_shape):
        self.embedding.build((None, input_shape[-1]))
        self.reader.build((None, input_shape[-1], self.units))

    def call(self, inputs):
        batch, timesteps, letters = ops.shape(inputs)
        flat = ops.reshape(inputs, (-1, letters))
        read = self.reader(self.embedding(flat), mask=ops.not_equal(flat, 0))
        return ops.reshape(read, (batch, timesteps, 2 * self.units))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * self.units)

    def get_config(self):
        names = ("letters", "units", "cell")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
