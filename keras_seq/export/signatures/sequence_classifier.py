"""Export of a `SequenceClassifier`."""

from typing import Any

from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.text import TextAdapter
from keras_seq.models.sequence_classifier import SequenceClassifier


class SequenceClassifierAdapter(TextAdapter):
    """Adapter of a `SequenceClassifier`: `classify`."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `classify`, from texts to labels.

        It takes strings `(batch,)` and returns a dict of `labels` `(batch,)`, strings, and
        `probabilities` `(batch, labels)`. A text without tokens is read as one unknown token.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        model = self.model
        known, names = model._tokens.table(), tf.constant(model.labels)

        def classify(texts: Any) -> dict[str, Any]:
            if model._lower:
                texts = tf.strings.lower(texts, encoding="utf-8")
            tokens = model._split.in_graph(texts).to_tensor("")
            missing = tf.cast(tf.shape(tokens)[1] == 0, tf.int32)
            tokens = tf.pad(tokens, [[0, 0], [0, missing]])
            ids = tf.where(tokens != "", known.lookup(tokens), 0)
            empty = tf.reduce_all(ids == 0, axis=1)[:, None] & (tf.range(tf.shape(ids)[1]) == 0)
            logits = model._answers({"tokens": tf.where(empty, 1, ids)}, training=False)["logits"]
            return {
                "labels": tf.gather(names, tf.argmax(logits, axis=-1)),
                "probabilities": tf.nn.softmax(logits),
            }

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        return {"classify": Endpoint(classify, signature, self.text_batches(examples), [known])}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `classify`, from numbers to probabilities.

        It takes `tokens` `(batch, timesteps)` as `encode` makes them by the list in `metadata`. It
        returns a dict of `probabilities` `(batch, labels)` and, if the model pools by attention,
        the `weights` of the tokens `(batch, timesteps)`.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        def classify(tokens: Any) -> dict[str, Any]:
            answers = dict(self.model._answers({"tokens": tokens}, training=False))
            return {"probabilities": tf.nn.softmax(answers.pop("logits")), **answers}

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        return {"classify": Endpoint(classify, signature, self.encoded_batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the tokens and labels in the order of their numbers, from 0."""
        model = self.model
        split = {"split": model._arguments["split"], "lower": model._lower}
        return {**split, "tokens": model._tokens.tokens, "labels": model.labels}


register(SequenceClassifier, SequenceClassifierAdapter)
