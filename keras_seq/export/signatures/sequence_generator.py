"""Export of a `SequenceGenerator`."""

from typing import Any

import numpy as np
from keras import tree

from keras_seq import decoding
from keras_seq._internal.types import Tensor
from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.steps import init_and_step, rename_next_state, state_names
from keras_seq.export.signatures.text import TextAdapter, tokenizer_metadata
from keras_seq.models.sequence_generator import SequenceGenerator

VERIFIED_LENGTH = 20
"""Number of generated tokens to verify an export on."""


class SequenceGeneratorAdapter(TextAdapter):
    """Adapter of a `SequenceGenerator`: `generate` for texts, `init` and `step` for ids."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `generate`, which continues prompts.

        Inputs: `prompts` `(batch,)`, strings; `style` `(batch,)`, ids, if the model has styles;
        `max_length`, the maximum number of new tokens; `temperature`, 0 for greedy decoding; and
        `seed`. Outputs: `texts` `(batch,)`, the prompts with their continuations, and `log_probs`
        `(batch, max_length)`, zeros after the end.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        import tensorflow as tf

        model = self.model
        encoder = model.encoder

        def generate(
            prompts: Tensor,
            style: Tensor | None,
            max_length: Tensor,
            temperature: Tensor,
            seed: Tensor,
        ) -> dict[str, Tensor]:
            ids = encoder.encode_tf(prompts, start=True).ids
            state, start = model.network.initial_state(ids, style, max_length)
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

        def generate_unstyled(
            prompts: Tensor, max_length: Tensor, temperature: Tensor, seed: Tensor
        ) -> dict[str, Tensor]:
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
        style = [] if model.styles is None else [tf.TensorSpec([None], tf.int32, name="style")]
        texts = self.texts(examples)
        batches = [
            [batch, *[[0] * len(batch) for _ in style], VERIFIED_LENGTH, 0.0, 0]
            for batch in (texts[-1:], ["", *texts])
        ]
        function = generate if style else generate_unstyled
        return {"generate": Endpoint(function, [prompts, *style, *scalars], batches)}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `init` and `step`, with token ids.

        `init`: Inputs: `tokens` `(batch, timesteps)`, ids as `SequenceGenerator.encode` returns
        them, with `<EOS>` first; `style` `(batch,)`, ids, if the model has styles; `max_length`,
        the maximum number of new tokens, if a feature such as `LongestMatchEmbedding` reads all
        tokens. Outputs, which are the inputs of `step` with the prefix `next_`: the last `token`
        `(batch,)`, and the state before it.

        `step`: Outputs: `log_probs` `(batch, tokens)` of the next token, and the next state. The
        caller chooses the next `token`.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        import tensorflow as tf

        model = self.model
        history_names = model.network.history_names
        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        if model.styles is not None:
            signature.append(tf.TensorSpec([None], tf.int32, "style"))
        if history_names:
            signature.append(tf.TensorSpec([], tf.int32, "max_length"))
        names = state_names(model.stack.state_sizes)

        def init(tokens: Tensor, *options: Tensor) -> dict[str, Tensor]:
            by_name = dict(zip((spec.name for spec in signature[1:]), options, strict=True))
            state, last = model.network.initial_state(tokens, **by_name)
            return rename_next_state(names, state.pop("layers"), **state, token=last)

        def step(arguments: dict[str, Tensor]) -> dict[str, Tensor]:
            layers = tree.map_structure(arguments.pop, names)
            token = arguments.pop("token")
            log_probs, state = model.step(token, {"layers": layers, **arguments})
            layers = state.pop("layers")
            return {"log_probs": log_probs, **rename_next_state(names, layers, **state)}

        batches = []
        for batch in (examples[-1:], examples):
            styles = None if model.styles is None else np.zeros(len(batch), "int32")
            inputs = model.encode(batch, styles).inputs.values()
            batches.append([*inputs, *([np.int32(VERIFIED_LENGTH)] if history_names else [])])
        return init_and_step(init, step, signature, batches, variable_length=history_names)

    def metadata(self) -> dict[str, Any]:
        """Return the tokenizer, the tokens by id, and the styles by id if there are any."""
        encoder, styles = self.model.encoder, self.model.styles
        metadata = tokenizer_metadata(encoder)
        return metadata | ({} if styles is None else {"styles": styles})


register(SequenceGenerator, SequenceGeneratorAdapter)
