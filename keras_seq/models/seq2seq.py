"""Sequence-to-sequence model with attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError, check_list
from keras_seq._internal.ranges import FiniteFloat, Range, check_arguments
from keras_seq._internal.types import Array, States, Tensor
from keras_seq.batching import EncodedDataset
from keras_seq.layers.attention.decoder import Decoder
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.recurrent.stack import RNNStack
from keras_seq.layers.text.joint_ngrams import JointNgramModel
from keras_seq.layers.text.token_embedding import TokenEmbedding
from keras_seq.losses import MaskedCrossentropy
from keras_seq.models.results import Translation
from keras_seq.models.seq2seq_checks import check_count_model, check_layers
from keras_seq.models.seq2seq_ranking import fit_ranking
from keras_seq.models.seq2seq_search import BEAM_WIDTH, SearchOptions, Translator
from keras_seq.models.text_model import TextModel
from keras_seq.text.encoder import Text, TextEncoder
from keras_seq.text.vocabulary import UNKNOWN

MIN_LENGTH = 8
"""Smallest padded length of a batch, in time steps."""


@keras.saving.register_keras_serializable(package="keras_seq")
class Seq2Seq(TextModel):
    """Encoder-decoder model with attention, from texts to texts.

    See Sutskever et al. (2014), Bahdanau et al. (2015) and Luong et al. (2015). The model trains
    and predicts on TensorFlow, JAX and torch.

    >>> from keras_seq.models import Seq2Seq
    >>> from keras_seq.text import TextEncoder
    >>> words, sounds = ["cab", "bad"], ["K AE B", "B AE D"]
    >>> source = TextEncoder.from_examples(words, "char", end=True)
    >>> target = TextEncoder.from_examples(sounds, "whitespace", end=True)
    >>> model = Seq2Seq(source, target)
    >>> model.compile("adam")
    >>> model.fit(words, sounds, epochs=40)  # doctest: +SKIP
    >>> model.translate(["bad"])  # doctest: +SKIP
    ['B AE D']

    Its layers can be replaced, also by custom ones:

    >>> from keras_seq import layers
    >>> model = Seq2Seq(
    ...     source,
    ...     target,
    ...     features=[layers.TokenEmbedding(source, 32), layers.NgramFeatures(3)],
    ...     stack=layers.RNNStack("GRU", 16, num_layers=2, bidirectional=True, return_state=True),
    ...     decoder=layers.Decoder(layers.OneHotTokens(target.vocab_size), "GRU", 16),
    ... )
    >>> [translations] = model.translate_n_best(["bad"], n_best=2, beam_width=3, max_length=4)
    >>> len(translations)
    2

    As a `keras.Model`, it maps a dict of "source", ids `(batch, source)`, and "target", ids
    `(batch, timesteps)`, to logits `(batch, timesteps, vocab_size)` (teacher forcing). The ids of
    "target" are the start token and all target tokens but the last.

    Args:
        source_encoder: Encoder of source texts, with an end token.
        target_encoder: Encoder of target texts, with an end token.
        features: Layers from source ids to vectors `(batch, source, features)`. Their outputs are
            concatenated. Default: a `TokenEmbedding` of width 128.
        stack: Recurrent layers of the encoder, with `return_state=True`. Default: a bidirectional
            `RNNStack` of 256 LSTM units per direction.
        decoder: Decoder. Its summary is the final states of the last layer of `stack`. Default: a
            `Decoder` of 256 LSTM units with a `TokenEmbedding` of width 128.
        count_model: `JointNgramModel` that ranks the hypotheses of a beam search together with the
            network. Call its `adapt` first. Default: none.
        length_penalty: Default of the argument `length_penalty` of `translate_n_best`.
        label_smoothing: Label smoothing of the loss, in [0, 1), see
            `keras_seq.losses.MaskedCrossentropy`.
        name: Name of the model.

    Raises:
        InputError: If an encoder has no end token, or if the layers are incompatible.
    """

    config_attributes = (
        *("source_encoder", "target_encoder", "features", "stack", "decoder", "count_model"),
        *("length_penalty", "label_smoothing"),
    )

    def __init__(
        self,
        source_encoder: TextEncoder,
        target_encoder: TextEncoder,
        *,
        features: Sequence[keras.layers.Layer] | None = None,
        stack: RNNStack | None = None,
        decoder: Decoder | None = None,
        count_model: JointNgramModel | None = None,
        length_penalty: FiniteFloat = 0.6,
        label_smoothing: Annotated[float, Range(0, below=1)] = 0.0,
        name: str = "seq2seq",
    ) -> None:
        check_arguments(Seq2Seq, locals())
        if features is None:
            features = [TokenEmbedding(source_encoder, 128, name="token_embedding")]
        if stack is None:
            stack = RNNStack(
                "LSTM",
                256,
                bidirectional=True,
                dropout=0.2,
                variational_dropout=True,
                return_state=True,
                name="stack",
            )
        if decoder is None:
            embedding = TokenEmbedding(target_encoder, 128, name="embedding")
            decoder = Decoder(embedding, "LSTM", 256, name="decoder")
        check_layers(source_encoder, target_encoder, features, stack, decoder)
        if count_model is not None:
            check_count_model(source_encoder, target_encoder, count_model)
        ids = keras.Input((None,), dtype="int32", name="source")
        target = keras.Input((None,), dtype="int32", name="target")
        mask = ops.not_equal(ids, source_encoder.pad_id)
        vectors = [feature(ids) for feature in features]
        x = ops.concatenate(vectors, axis=-1) if len(vectors) > 1 else vectors[0]
        memory, states = stack(x, mask=mask)
        summary = ops.concatenate(states[-1], axis=-1)
        logits = decoder(target, memory, summary, memory_mask=mask)
        super().__init__({"source": ids, "target": target}, logits, name=name)
        self.encoder_model = keras.Model(ids, [memory, summary, mask])
        self.encoder = self.source_encoder = source_encoder
        self.target_encoder, self.features = target_encoder, list(features)
        self.stack, self.decoder, self.count_model = stack, decoder, count_model
        self.length_penalty, self.label_smoothing = length_penalty, label_smoothing
        self._translator = Translator(self)

    def default_loss(self) -> keras.losses.Loss:
        """Return the cross-entropy of the target tokens, with label smoothing."""
        return MaskedCrossentropy(label_smoothing=self.label_smoothing)

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by source or target tokens."""
        tokens = AxisNames("target tokens", self.target_encoder.tokens)
        return super().named_weights() + self.decoder.named_weights(tokens)

    def encode(
        self, examples: Sequence[Text], targets: Sequence[Text] | None = None
    ) -> EncodedDataset:
        """Convert pairs of texts to arrays, padded to the longest source or target.

        Args:
            examples: Source texts, or lists of their tokens.
            targets: Target text of each source text, or None.

        Returns:
            Dataset whose inputs are "source" and "target", and whose targets are the ids to
            predict. Without targets its only input is "source".

        Raises:
            InputError: If a text has no tokens, or if the numbers of sources and targets differ.
                The message has the number of the pair, counted from 1.
        """
        for texts in (examples, targets):
            check_list(texts, "texts")
        if targets is not None and len(examples) != len(targets):
            raise InputError(f"There are {len(examples)} sources but {len(targets)} targets.")
        source, lengths = _encode_side("source", self.source_encoder, examples)
        if targets is None:
            return EncodedDataset({"source": source}, None, lengths, ["source"])
        target, target_lengths = _encode_side("target", self.target_encoder, targets)
        length = max(source.shape[1], target.shape[1])
        source, target = (
            np.pad(ids, [(0, 0), (0, length - ids.shape[1])]) for ids in (source, target)
        )
        # The decoder reads the start token, then the target without the end token. Both tokens
        # have the same id.
        decoder_ids = np.roll(target, 1, axis=1)
        decoder_ids[decoder_ids == self.target_encoder.end_id] = self.target_encoder.pad_id
        decoder_ids[:, :1] = self.target_encoder.start_id
        return EncodedDataset(
            {"source": source, "target": decoder_ids},
            target,
            np.maximum(lengths, target_lengths),
            ["source", "target", "targets"],
            min_length=MIN_LENGTH,
        )

    def trace_inputs(self, example: Text, target: Any = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one pair of texts, and labels of the time steps.

        Args:
            example: Source text, or the list of its tokens.
            target: Target text. Default: the model's translation.

        Returns:
            Inputs (a batch of one), and for each time step the tokens that encoder and decoder
            read.
        """
        if target is None:
            [target] = self.translate([example])
        encoders, names = (self.source_encoder, self.target_encoder), []
        sides = [e.tokenize(text) or [UNKNOWN] for e, text in zip(encoders, (example, target))]
        inputs = self.encode(*([side] for side in sides)).inputs
        for encoder, side in zip(encoders, ("source", "target")):
            names.append([encoder.tokens[id_] for id_ in inputs[side][0]])
        return inputs, [f"{source} | {target}" for source, target in zip(*names)]

    def translate(
        self,
        texts: Sequence[Text],
        *,
        beam_width: int = BEAM_WIDTH,
        length_penalty: float | None = None,
        coverage_penalty: float = 0.0,
        min_length: int = 0,
        max_length: int | None = None,
        copy_unknown: bool = False,
        batch_size: int = 64,
    ) -> list[str]:
        """Return the best translation of each text.

        Args:
            texts: Texts, or lists of their tokens.
            beam_width: As in `translate_n_best`.
            length_penalty: As in `translate_n_best`.
            coverage_penalty: As in `translate_n_best`.
            min_length: As in `translate_n_best`.
            max_length: As in `translate_n_best`.
            copy_unknown: As in `translate_n_best`.
            batch_size: As in `translate_n_best`.

        Raises:
            InputError: As `translate_n_best`.
        """
        translations = self.translate_n_best(
            texts,
            beam_width=beam_width,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
            min_length=min_length,
            max_length=max_length,
            copy_unknown=copy_unknown,
            batch_size=batch_size,
        )
        return [best.text for best, *_ in translations]

    def translate_n_best(
        self,
        texts: Sequence[Text],
        *,
        n_best: int = 1,
        beam_width: int = BEAM_WIDTH,
        length_penalty: float | None = None,
        coverage_penalty: float = 0.0,
        min_length: int = 0,
        max_length: int | None = None,
        copy_unknown: bool = False,
        return_attention_scores: bool = False,
        batch_size: int = 64,
    ) -> list[list[Translation]]:
        """Return the best translations of each text, with their scores.

        Args:
            texts: Texts, or lists of their tokens. They may be empty.
            n_best: Number of translations per text, from 1 to `beam_width`.
            beam_width: Number of hypotheses of the beam search; 1 means greedy decoding, by the
                network alone. With `n_best=1` and without a count model, all texts are first
                decoded greedily. The beam search runs only on texts whose greedy translation is
                not provably optimal.
            length_penalty: See `keras_seq.decoding.beam_search`. Default: that of the model.
            coverage_penalty: Weight of the coverage penalty (Wu et al. 2016): the sum over source
                tokens of `log(min(attention, 1))`, where `attention` sums over the target tokens.
            min_length: Smallest number of tokens. Lengths include the end token.
            max_length: Largest number of tokens. Default: twice the length of the source, plus 16.
            copy_unknown: Whether to generate `<UNK>` and replace it by the source token with the
                largest attention weight (Luong et al. 2015).
            return_attention_scores: Whether to return the attention weights too.
            batch_size: Largest number of texts per batch.

        Returns:
            For each text at most `n_best` translations, best first.

        Raises:
            InputError: If an argument is out of its range, or if attention weights are needed and
                the model has no attention.
        """
        options = SearchOptions(
            beam_width=beam_width,
            n_best=n_best,
            length_penalty=self.length_penalty if length_penalty is None else length_penalty,
            coverage_penalty=coverage_penalty,
            min_length=min_length,
            max_length=max_length,
            copy_unknown=copy_unknown,
        )
        return self._translator(texts, options, return_attention_scores, batch_size)

    def fit_interpolation(
        self, texts: Sequence[Text], references: Sequence[Sequence[str]], batch_size: int = 64
    ) -> None:
        """Fit the weights of network and count model in the ranking of hypotheses.

        The weights give the references the largest probability among the hypotheses of a beam
        search. Call this after training, with texts that neither the network nor the count model
        has seen. If there are more than 4,000, random ones are taken.

        Args:
            texts: Texts, or lists of their tokens.
            references: Correct translations of each text.
            batch_size: As in `translate_n_best`.

        Raises:
            InputError: If the model has no count model, there are no texts, their number differs
                from that of `references`, or SciPy is not installed.
        """
        fit_ranking(self, texts, references, batch_size)

    def initial_state(self, ids: Tensor) -> tuple[list[States], list[Tensor]]:
        """Run the encoder; return the initial state of the decoder and the memory for attention.

        Args:
            ids: Ids of source texts `(batch, source)`, with the end token.

        Returns:
            Result of `Decoder.initial_state`.
        """
        return self.decoder.initial_state(*self.encoder_model(ids, training=False))


def _encode_side(side: str, encoder: TextEncoder, texts: Sequence[Text]) -> tuple[Array, Array]:
    """Return ids and lengths of texts with the end token; raise an InputError if one is empty."""
    ids, lengths = encoder.encode_batch(texts, end=True)
    for number, length in enumerate(lengths, 1):
        if length < 2:
            raise InputError(f"The {side} of pair {number} is empty.")
    return ids, lengths
