"""Export of a `SequenceTagger`."""

from typing import Any

from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.text import TextAdapter
from keras_seq.models.sequence_tagger import LETTERS, SequenceTagger


class SequenceTaggerAdapter(TextAdapter):
    """Adapter of a `SequenceTagger`: `tag`."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `tag`, from texts to tokens and their tags.

        It takes strings `(batch,)` and returns a dict of `tokens`, `tags` (strings) and
        `probabilities` (float32), each `(batch, timesteps)`, padded with empty strings and zeros.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        model = self.model
        known = model._tokens.table()
        letters = None if model._spelling is None else model._spelling.table()
        names = tf.constant(model.tags)

        def tag(texts: Any) -> dict[str, Any]:
            ragged = model._split.in_graph(texts)
            # At least one step, since there may be nothing but empty texts.
            missing = tf.cast(tf.size(ragged.flat_values) == 0, tf.int32)
            tokens = tf.pad(ragged.to_tensor(), [[0, 0], [0, missing]])
            inputs = {"tokens": tf.where(tokens != "", known.lookup(tokens), 0)}
            if letters is not None:
                # Row by row of one tensor of tokens, since a ragged one cannot be split further.
                flat = tf.strings.unicode_split(tf.reshape(tokens, [-1]), "UTF-8")
                spelt = letters.lookup(flat).to_tensor(shape=[None, LETTERS])
                shape = tf.concat([tf.shape(tokens), [LETTERS]], 0)
                inputs["letters"] = tf.reshape(spelt, shape)
            tags, probabilities = model._to_tags(inputs, training=False)
            seen = inputs["tokens"] > 0
            return {
                "tokens": tokens,
                "tags": tf.where(seen, tf.gather(names, tags), ""),
                "probabilities": tf.where(seen, probabilities, 0),
            }

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        tables = [table for table in (known, letters) if table is not None]
        return {"tag": Endpoint(tag, signature, self.text_batches(examples), tables)}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `tag`, from numbers to numbers.

        It takes `tokens` `(batch, timesteps)` and, if the model reads them, `letters` `(batch,
        timesteps, 20)`, as `encode` makes them by the lists in `metadata`. It returns a dict of
        `tags`, their numbers, and `probabilities`, both `(batch, timesteps)`, zeros where there is
        no token.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        if self.model._spelling is not None:
            signature.append(tf.TensorSpec([None, None, LETTERS], tf.int32, "letters"))

        def tag(*arguments: Any) -> dict[str, Any]:
            inputs = {spec.name: array for spec, array in zip(signature, arguments, strict=True)}
            tags, probabilities = self.model._to_tags(inputs, training=False)
            return {"tags": tags, "probabilities": probabilities}

        return {"tag": Endpoint(tag, signature, self.encoded_batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the tokens, letters and tags in the order of their numbers, from 0."""
        model = self.model
        tables = {"split": model._arguments["split"], "tokens": model._tokens.tokens}
        if model._spelling is not None:
            tables |= {"letters": model._spelling.tokens, "letters a token": LETTERS}
        return {**tables, "tags": model.tags, "scheme": model.scheme}


register(SequenceTagger, SequenceTaggerAdapter)
