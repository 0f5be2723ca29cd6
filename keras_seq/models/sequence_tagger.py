"""Many to many, aligned: a tag for every token of a sentence."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import layers, spans
from keras_seq.batches import Examples, by_length
from keras_seq.data.tokens import SPLITTERS
from keras_seq.data.vocabulary import Vocabulary
from keras_seq.errors import InputError, unknown

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
class SequenceTagger(keras.Model):
    """Embeddings, recurrent layers and a CRF or a softmax (Huang et al. 2015, Lample et al. 2016).

        tagger = SequenceTagger(frequent(chain(*sentences)), ["PER", "LOC"], split="words")
        tagger.compile("adam")
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
        letter_units: Units, a direction, of the sub-model of spelling, and its embedding's width.
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer and direction.
        depth: Number of recurrent layers.
        bidirectional: Whether each layer reads from both ends.
        dropout: Share of the features dropped before the first and after each recurrent layer.
        recurrent_dropout: Share of the state dropped from step to step.
        crf: Whether tags depend on their neighbours; if not, each is chosen by itself (softmax),
            except that the scheme must hold.
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
        letter_units=25,
        cell="LSTM",
        units=128,
        depth=1,
        bidirectional=True,
        dropout=0.3,
        recurrent_dropout=0.0,
        crf=True,
        name="sequence_tagger",
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if split not in SPLITTERS:
            raise unknown("way to split a text", split, SPLITTERS)
        if not vocabulary or not labels:
            raise InputError("A SequenceTagger needs at least one known token and one label.")
        tokens = Vocabulary(vocabulary)
        spelling = None if letters is None else Vocabulary(letters)
        tags = spans.all_tags(labels, scheme)
        ids = keras.Input((None,), dtype="int32", name="tokens")
        inputs, mask = {"tokens": ids}, ops.not_equal(ids, 0)
        if embedding is None:
            features = [ops.one_hot(ids, len(tokens))]
        else:
            features = [keras.layers.Embedding(len(tokens), embedding, name="embedding")(ids)]
        if bigrams is not None:
            numbers = [[tokens.number(token) for token in pair] for pair in bigrams]
            layer = layers.BigramEmbedding(numbers, bigram_embedding, name="bigram_embedding")
            features.append(layer(ids))
        if spelling is not None:
            inputs["letters"] = keras.Input((None, LETTERS), dtype="int32", name="letters")
            reader = Speller(len(spelling), letter_units, cell, name="speller")
            features.append(reader(inputs["letters"]))
        x = ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]
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
        x = keras.layers.Dropout(dropout, name=f"dropout_{depth}")(x)
        head = layers.CRF(len(tags), use_transitions=crf, tags=tags, scheme=scheme, name="crf")
        super().__init__(inputs, head(x, mask=mask), name=name)
        self._arguments = arguments
        self._tokens, self._spelling, self._split = tokens, spelling, SPLITTERS[split]
        self.tags, self.scheme, self.head = tags, scheme, head

    def compile(self, optimizer="adam", loss=None, metrics=None, **kwargs):
        """As Keras's; without a loss or metrics, those of the last layer."""
        metrics = [self.head.accuracy] if metrics is None else metrics
        super().compile(optimizer, loss or self.head.loss, metrics=metrics, **kwargs)

    def encode(self, sentences, tags=None):
        """Sentences as the model takes them, all padded to the longest.

        Args:
            sentences: Lists of tokens; with `split="characters"`, strings will do.
            tags: Lists of tags in the scheme of the model, one a token.

        Returns:
            `keras_seq.batches.Examples`; `targets` is None without tags.

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
        return Examples(inputs, targets, lengths)

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
            for label, first, last in spans.spans_of(tags, self.scheme, strict=False):
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
            tags, probabilities = self._decoded([sentences[n] for n in batch], wide, batch_size)
            for number, row, p in zip(batch, tags, probabilities):
                length = len(sentences[number])
                results[number] = names[row[:length]].tolist(), p[:length]
        return results

    def _decoded(self, sentences, wide, rows):
        """Tag numbers and their probabilities, (sentences, wide)."""
        inputs = self.encode(sentences).inputs
        # Few shapes, so that little is compiled; alone, a sentence stays alone.
        rows = 1 if len(sentences) == 1 else rows
        extra = rows - len(sentences)
        inputs = {
            name: np.pad(a, [(0, extra), (0, wide - a.shape[1])] + [(0, 0)] * (a.ndim - 2))
            for name, a in inputs.items()
        }
        scores = self.predict_on_batch(inputs)
        tags = ops.convert_to_numpy(self.head.decode(scores)[0])
        marginals = ops.convert_to_numpy(self.head.marginals(scores))
        return tags, np.take_along_axis(marginals, tags[:, :, None], axis=2)[:, :, 0]

    def get_config(self):
        return dict(self._arguments)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


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
