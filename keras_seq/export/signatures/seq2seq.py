"""Export of a `Seq2Seq`."""

from typing import Any

from keras import ops, tree

from keras_seq import decoding
from keras_seq.decoding.suppress import mask_special_tokens
from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.steps import init_and_step, rename_next_state, state_names
from keras_seq.export.signatures.text import TextAdapter
from keras_seq.models.seq2seq import Seq2Seq
from keras_seq.models.seq2seq_search import BEAM_WIDTH, SearchOptions, max_target_lengths, search
from keras_seq.text.encoder import TextEncoder

MEMORY = ("keys", "values", "mask")
"""Names in exported models of the tensors that the decoder attends to."""


class Seq2SeqAdapter(TextAdapter):
    """Adapter of a `Seq2Seq`: `translate` and `greedy`, or `greedy`, `init` and `step`."""

    @property
    def encoder(self) -> TextEncoder:
        """The encoder of the sources."""
        return self.model.source_encoder

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `translate` and `greedy`, from texts to texts.

        Both take strings `(batch,)` and return a dict of `texts` `(batch,)` and `scores`
        `(batch,)`; `translate`, a beam search of width 5, also `n_best` `(batch, 5)`, best first,
        and their scores `n_best_scores`.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        model = self.model

        def translate(texts: Any, beam_width: int) -> dict[str, Any]:
            ids = model.source_encoder.encode_tf(texts, end=True).ids
            options = SearchOptions(beam_width, beam_width, model.length_penalty)
            sequences, scores, _ = search(model, ids, options)
            rows, beam = tf.shape(sequences)[0], tf.shape(sequences)[1]
            texts = model.target_encoder.decode_tf(tf.reshape(sequences, [rows * beam, -1]))
            texts = tf.reshape(texts, [rows, beam])
            best = {"texts": texts[:, 0], "scores": scores[:, 0]}
            return best if beam_width == 1 else best | {"n_best": texts, "n_best_scores": scores}

        rest = [tf.TensorSpec([None], tf.string, name="texts")], self.text_batches(examples)
        return {
            "translate": Endpoint(lambda texts: translate(texts, BEAM_WIDTH), *rest),
            "greedy": Endpoint(lambda texts: translate(texts, 1), *rest),
        }

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `greedy`, and `init` and `step` for a search, from numbers to numbers.

        `greedy` takes `tokens` `(batch, timesteps)` as `encode` makes them, `<EOS>` last. It
        returns a dict of `target_tokens` `(batch, length)`, each the most likely, and their
        `log_probs`, zeros after `<EOS>`.

        `init` takes the same. It returns a dict of all that `step` takes: with `next_` before
        their names the first `token` `(batch,)`, which is `<EOS>`, and the state; as they are, if
        there is attention, `keys`, `values` and `mask` of what was read, `(batch, timesteps, ...)`.
        `step` returns `log_probs` `(rows, tokens)` of what comes next, the weights `attention`
        `(rows, timesteps)`, and the state for the step after, to which the `token` chosen must be
        added. It may have several rows, one after the other, to each source, as in a beam search.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        model = self.model
        names = state_names(model.decoder.state_sizes)
        if model.decoder.input_feeding:
            names[-1].append("attended")

        def init(tokens: Any) -> dict[str, Any]:
            state, memory = model.init_state(tokens)
            token = ops.full_like(tokens[:, 0], model.target_encoder.start_id)
            memory = dict(zip(MEMORY, memory, strict=False))
            return rename_next_state(names, state, token=token) | memory

        def step(arguments: dict[str, Any]) -> dict[str, Any]:
            state = tree.map_structure(arguments.get, names)
            memory = [arguments[name] for name in MEMORY if name in arguments]
            logits, weights, state = model.decoder.step(arguments["token"], state, memory)
            outputs = {} if weights is None else {"attention": weights}
            outputs["log_probs"] = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
            return outputs | rename_next_state(names, state)

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        batches = self.encoded_batches(examples)
        return {
            "greedy": Endpoint(self._greedy, signature, batches),
            **init_and_step(init, step, signature, batches, over_time=MEMORY),
        }

    def _greedy(self, tokens: Any) -> dict[str, Any]:
        model, encoder = self.model, self.model.target_encoder
        state, memory = model.init_state(tokens)

        def write(token: Any, state: Any) -> tuple[Any, Any]:
            logits, _, state = model.decoder.step(token, state, memory)
            return mask_special_tokens(logits), state

        limits = max_target_lengths(tokens)
        target_tokens, log_probs = decoding.greedy(
            write,
            state,
            start_id=encoder.start_id,
            end_id=encoder.end_id,
            max_length=ops.max(limits),
        )
        within = ops.arange(ops.shape(target_tokens)[1]) < limits[:, None]
        return {
            "target_tokens": ops.where(within, target_tokens, 0),
            "log_probs": ops.where(within, log_probs, 0),
        }

    def metadata(self) -> dict[str, Any]:
        """Return the tokens of either side in the order of their ids, from 0."""
        source, target = self.model.source_encoder, self.model.target_encoder
        return {
            "tokenizer": source.tokenizer,
            "lowercase": source.lowercase,
            "tokens": source.tokens,
            "target_tokenizer": target.tokenizer,
            "target_tokens": target.tokens,
        }


register(Seq2Seq, Seq2SeqAdapter)
