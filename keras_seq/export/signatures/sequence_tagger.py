"""Export of a `SequenceTagger`."""

from typing import Any

from keras_seq._internal.types import Tensor
from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.text import TokenInputsAdapter, pad_like
from keras_seq.models.sequence_tagger import SequenceTagger


class SequenceTaggerAdapter(TokenInputsAdapter):
    """Adapter of a `SequenceTagger`, with the endpoint `tag`."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `tag`, from texts to tokens and tags.

        Input: `texts` `(batch,)`, strings. Outputs: `tokens` and `tags`, strings, and
        `probabilities`, float32, each `(batch, timesteps)`, padded with empty strings and zeros.

        Args:
            examples: Lists of tokens to verify the export on.

        Raises:
            InputError: If the model reads characters, and its tokenizer is "wordpiece" with
                `lowercase=True`.
        """
        import tensorflow as tf

        model, encoder = self.model, self.model.encoder
        names = tf.constant(model.tag_set.tags)

        def tag(texts: Tensor) -> dict[str, Tensor]:
            inputs = self.input_tensors(texts)
            tokens = pad_like(encoder.tokenize_tf(texts), inputs["tokens"])
            outputs = model.inference_model(inputs, training=False)
            is_token = tokens != ""
            return {
                "tokens": tokens,
                "tags": tf.where(is_token, tf.gather(names, outputs["tags"]), ""),
                "probabilities": tf.where(is_token, outputs["probabilities"], 0),
            }

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        return {"tag": Endpoint(tag, signature, self.text_batches(examples))}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `tag`, from token ids to tag ids.

        Inputs: `tokens` `(batch, timesteps)`, ids as `SequenceTagger.encode` returns them; if the
        model reads characters also `characters` `(batch, timesteps, 20)`, the Unicode code points
        of the first characters of each token. Outputs: `tags`, ids, and `probabilities`, both
        `(batch, timesteps)`, zeros at padding.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        signature = self.input_signature()

        def tag(*arguments: Tensor) -> dict[str, Tensor]:
            inputs = {spec.name: array for spec, array in zip(signature, arguments, strict=True)}
            return dict(self.model.inference_model(inputs, training=False))

        return {"tag": Endpoint(tag, signature, self.encoded_batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the tokenizer, the tokens and tags by id, and the tagging scheme."""
        tag_set = self.model.tag_set
        return {**super().metadata(), "tags": tag_set.tags, "scheme": tag_set.scheme}


register(SequenceTagger, SequenceTaggerAdapter)
