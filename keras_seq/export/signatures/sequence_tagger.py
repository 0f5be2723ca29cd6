"""Export of a `SequenceTagger`."""

from typing import Any

from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.text import TextAdapter
from keras_seq.models.sequence_tagger import MAX_CHARACTERS, SequenceTagger
from keras_seq.text.code_points import token_code_points_tf


class SequenceTaggerAdapter(TextAdapter):
    """Adapter of a `SequenceTagger`: `tag`."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `tag`, from texts to tokens and their tags.

        It takes strings `(batch,)` and returns a dict of `tokens`, `tags` (strings) and
        `probabilities` (float32), each `(batch, timesteps)`, padded with empty strings and zeros.

        Args:
            examples: Lists of tokens to compare on.

        Raises:
            InputError: If the model reads the characters of wordpieces in lower case.
        """
        import tensorflow as tf

        model, encoder = self.model, self.model.encoder
        names = tf.constant(model.tag_set.tags)

        def tag(texts: Any) -> dict[str, Any]:
            # An unknown token stands for a text without any, since there may be no other text.
            ids = encoder.encode_tf(texts, unk_if_empty=True).ids

            def pad(strings: Any) -> Any:
                strings = strings.to_tensor("")
                missing = tf.shape(ids)[1] - tf.shape(strings)[1]
                return tf.pad(strings, [[0, 0], [0, missing]], constant_values="")

            tokens, inputs = pad(encoder.tokenize_tf(texts)), {"tokens": ids}
            if model.reads_characters:
                spellings = pad(encoder.spellings_tf(texts))
                inputs["characters"] = token_code_points_tf(spellings, MAX_CHARACTERS)
            best = model.inference_model(inputs, training=False)
            is_token = tokens != ""
            return {
                "tokens": tokens,
                "tags": tf.where(is_token, tf.gather(names, best["tags"]), ""),
                "probabilities": tf.where(is_token, best["probabilities"], 0),
            }

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        return {"tag": Endpoint(tag, signature, self.text_batches(examples))}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `tag`, from numbers to numbers.

        It takes `tokens` `(batch, timesteps)` by the list in `metadata` and, if the model reads
        them, `characters` `(batch, timesteps, 20)`, the Unicode code points of the first characters
        of each token, as `encode` makes them. It returns a dict of `tags`, their ids, and
        `probabilities`, both `(batch, timesteps)`, zeros where there is no token.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        if self.model.reads_characters:
            signature.append(tf.TensorSpec([None, None, MAX_CHARACTERS], tf.int32, "characters"))

        def tag(*arguments: Any) -> dict[str, Any]:
            inputs = {spec.name: array for spec, array in zip(signature, arguments, strict=True)}
            return dict(self.model.inference_model(inputs, training=False))

        return {"tag": Endpoint(tag, signature, self.encoded_batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the tokens and tags in the order of their ids, from 0."""
        encoder, tag_set = self.model.encoder, self.model.tag_set
        metadata = {
            "tokenizer": encoder.tokenizer,
            "lowercase": encoder.lowercase,
            "tokens": encoder.tokens,
        }
        if self.model.reads_characters:
            metadata["max_characters"] = MAX_CHARACTERS
        return {**metadata, "tags": tag_set.tags, "scheme": tag_set.scheme}


register(SequenceTagger, SequenceTaggerAdapter)
