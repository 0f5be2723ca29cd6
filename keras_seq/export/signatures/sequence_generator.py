"""Export of a `SequenceGenerator`."""

from typing import Any

import numpy as np
from keras import tree

from keras_seq import decoding
from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.steps import init_and_step, rename_next_state, state_names
from keras_seq.export.signatures.text import TextAdapter
from keras_seq.models.sequence_generator import SequenceGenerator

MAX_LENGTH = 20
"""Number of tokens that are generated to compare on."""


class SequenceGeneratorAdapter(TextAdapter):
    """Adapter of a `SequenceGenerator`: `generate`, or `init` and `step`."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `generate`, from the beginnings of texts to texts.

        It takes prompts, strings `(batch,)`; with styles their numbers `(batch,)`; how many tokens
        to generate at most, the temperature (0 takes the most likely token always), and the seed.
        It returns a dict of `texts` `(batch,)` and `log_probs` `(batch, max_length)`, zeros after
        the end. Unknown tokens of a prompt are read as `<UNK>`.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        model = self.model
        encoder = model.encoder

        def generate(prompts, styles, max_length, temperature, seed):
            ids = encoder.encode_tf(prompts, start=True).ids
            state, start = model.network.init_state(ids, styles, max_length)
            ids, log_probs = decoding.sample(
                model.step,
                state,
                start_id=start,
                end_id=encoder.end_id,
                max_length=max_length,
                temperature=tf.maximum(temperature, 1e-6),
                uniform=tf.random.stateless_uniform(
                    [max_length, tf.shape(prompts)[0]], tf.stack([seed, 0])
                ),
            )
            texts = encoder.append_tf(prompts, encoder.ids_to_tokens_tf(ids))
            return {"texts": texts, "log_probs": log_probs}

        def without_styles(prompts, max_length, temperature, seed):
            return generate(prompts, None, max_length, temperature, seed)

        scalars = [
            tf.TensorSpec([], dtype, name)
            for name, dtype in (
                ("max_length", tf.int32),
                ("temperature", tf.float32),
                ("seed", tf.int32),
            )
        ]
        prompts = tf.TensorSpec([None], tf.string, name="prompts")
        styles = [tf.TensorSpec([None], tf.int32, name="styles")]
        if model.styles is None:
            styles = []
        texts = self.texts(examples)
        batches = [
            [batch, *[[0] * len(batch) for _ in styles], MAX_LENGTH, 0.0, 0]
            for batch in (texts[-1:], ["", *texts])
        ]
        function = generate if styles else without_styles
        return {"generate": Endpoint(function, [prompts, *styles, *scalars], batches)}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `init` and `step`, from numbers to numbers.

        `init` takes `tokens` `(batch, timesteps)` as `encode` makes them, `<EOS>` first, with
        styles their numbers `style` `(batch,)`, and if a feature such as `LongestMatchEmbedding`
        keeps all tokens how many are to be generated at most, `max_length`. It returns a dict of
        all that `step`
        takes, by the same names with `next_` before: the last `token` `(batch,)` and the state
        before it. `step` returns `log_probs` `(batch, tokens)`, of what comes next, and the state
        for the step after, to which the `token` chosen must be added.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        model = self.model
        history = model.network.history_names
        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        if model.styles is not None:
            signature.append(tf.TensorSpec([None], tf.int32, "style"))
        if history:
            signature.append(tf.TensorSpec([], tf.int32, "max_length"))
        names = state_names(model.stack.state_sizes)

        def init(tokens: Any, *others: Any) -> dict[str, Any]:
            named = dict(zip((spec.name for spec in signature[1:]), others, strict=True))
            state, last = model.network.init_state(tokens, **named)
            return rename_next_state(names, state.pop("layers"), **state, token=last)

        def step(arguments: dict[str, Any]) -> dict[str, Any]:
            layers = tree.map_structure(arguments.pop, names)
            token = arguments.pop("token")
            log_probs, state = model.step(token, {"layers": layers, **arguments})
            layers = state.pop("layers")
            return {"log_probs": log_probs, **rename_next_state(names, layers, **state)}

        batches = []
        for batch in (examples[-1:], examples):
            styles = None if model.styles is None else np.zeros(len(batch), "int32")
            inputs = model.encode(batch, styles).inputs.values()
            batches.append([*inputs, *([np.int32(MAX_LENGTH)] if history else [])])
        return init_and_step(init, step, signature, batches, over_time=history)

    def metadata(self) -> dict[str, Any]:
        """Return the tokens, and the styles if any, in the order of their numbers, from 0."""
        encoder, styles = self.model.encoder, self.model.styles
        metadata = {
            "tokenizer": encoder.tokenizer,
            "lowercase": encoder.lowercase,
            "tokens": encoder.tokens,
        }
        return metadata | ({} if styles is None else {"styles": styles})


register(SequenceGenerator, SequenceGeneratorAdapter)
