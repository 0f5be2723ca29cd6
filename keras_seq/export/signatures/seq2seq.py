"""Export of a `Seq2Seq`."""

from typing import Any

from keras import ops, tree

from keras_seq import decoding
from keras_seq._internal.types import Tensor
from keras_seq.decoding.suppress import mask_special_tokens
from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.steps import init_and_step, rename_next_state, state_names
from keras_seq.export.signatures.text import TextAdapter, tokenizer_metadata
from keras_seq.models.seq2seq import Seq2Seq
from keras_seq.models.seq2seq_search import BEAM_WIDTH, SearchOptions, max_target_lengths, search
from keras_seq.text.encoder import TextEncoder

MEMORY_NAMES = ("keys", "values", "mask")
"""Names of the exported tensors that the decoder attends to."""


class Seq2SeqAdapter(TextAdapter):
    """Adapter of a `Seq2Seq`: `translate` and `greedy`; for ids `greedy`, `init` and `step`."""

    @property
    def encoder(self) -> TextEncoder:
        """Text encoder of the source."""
        return self.model.source_encoder

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `translate` (beam search of width 5) and `greedy`, on texts.

        Input of both: `texts` `(batch,)`, strings. Outputs of both: `texts` `(batch,)` and `scores`
        `(batch,)`. Further outputs of `translate`: `n_best` `(batch, 5)`, best first, and
        `n_best_scores` `(batch, 5)`.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        import tensorflow as tf

        model = self.model

        def translate(texts: Tensor, beam_width: int) -> dict[str, Tensor]:
            ids = model.source_encoder.encode_tf(texts, end=True).ids
            options = SearchOptions(beam_width, beam_width, model.length_penalty)
            sequences, scores, _ = search(model, ids, options)
            batch, beam = tf.shape(sequences)[0], tf.shape(sequences)[1]
            texts = model.target_encoder.decode_tf(tf.reshape(sequences, [batch * beam, -1]))
            texts = tf.reshape(texts, [batch, beam])
            best = {"texts": texts[:, 0], "scores": scores[:, 0]}
            return best if beam_width == 1 else best | {"n_best": texts, "n_best_scores": scores}

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        batches = self.text_batches(examples)
        return {
            "translate": Endpoint(lambda texts: translate(texts, BEAM_WIDTH), signature, batches),
            "greedy": Endpoint(lambda texts: translate(texts, 1), signature, batches),
        }

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `greedy`, and `init` and `step` for a custom search, with token ids.

        `greedy`: Input: `tokens` `(batch, timesteps)`, ids as `Seq2Seq.encode` returns them, with
        `<EOS>` last. Outputs: `target_tokens` `(batch, target_timesteps)`, the most likely ids, and
        their `log_probs`, both zeros after `<EOS>`.

        `init`: Input: `tokens`. Outputs, which are the inputs of `step`: `next_token` `(batch,)`,
        which is `<EOS>`, and the decoder states, each with the prefix `next_`; with attention also
        `keys`, `values` and `mask`, `(batch, timesteps, ...)`, without a prefix.

        `step`: Outputs: `log_probs` `(rows, tokens)` of the next token; with attention its weights
        `attention` `(rows, timesteps)`; and the next states. The caller chooses the next `token`.
        `step` takes several consecutive rows per source, for a beam search.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        import tensorflow as tf

        model = self.model
        names = state_names(model.decoder.state_sizes)
        if model.decoder.input_feeding:
            names[-1].append("attended")

        def init(tokens: Tensor) -> dict[str, Tensor]:
            state, memory = model.initial_state(tokens)
            token = ops.full_like(tokens[:, 0], model.target_encoder.start_id)
            memory = dict(zip(MEMORY_NAMES, memory, strict=False))
            return rename_next_state(names, state, token=token) | memory

        def step(arguments: dict[str, Tensor]) -> dict[str, Tensor]:
            state = tree.map_structure(arguments.get, names)
            memory = [arguments[name] for name in MEMORY_NAMES if name in arguments]
            logits, weights, state = model.decoder.step(arguments["token"], state, memory)
            outputs = {} if weights is None else {"attention": weights}
            outputs["log_probs"] = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
            return outputs | rename_next_state(names, state)

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        batches = self.encoded_batches(examples)
        return {
            "greedy": Endpoint(self._greedy, signature, batches),
            **init_and_step(init, step, signature, batches, variable_length=MEMORY_NAMES),
        }

    def _greedy(self, tokens: Tensor) -> dict[str, Tensor]:
        """Return the most likely target tokens, each after the ones before it."""
        model, encoder = self.model, self.model.target_encoder
        state, memory = model.initial_state(tokens)

        def step(token: Tensor, state: Any) -> tuple[Tensor, Any]:
            logits, _, state = model.decoder.step(token, state, memory)
            return mask_special_tokens(logits), state

        max_lengths = max_target_lengths(tokens)
        target_tokens, log_probs = decoding.greedy(
            step,
            state,
            start_id=encoder.start_id,
            end_id=encoder.end_id,
            max_length=ops.max(max_lengths),
        )
        is_allowed = ops.arange(ops.shape(target_tokens)[1]) < max_lengths[:, None]
        return {
            "target_tokens": ops.where(is_allowed, target_tokens, 0),
            "log_probs": ops.where(is_allowed, log_probs, 0),
        }

    def metadata(self) -> dict[str, Any]:
        """Return the tokenizers, and the source and target tokens by id."""
        source, target = self.model.source_encoder, self.model.target_encoder
        return {
            **tokenizer_metadata(source),
            "target_tokenizer": target.tokenizer,
            "target_tokens": target.tokens,
        }


register(Seq2Seq, Seq2SeqAdapter)
