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

        encoder, network = self.model.encoder, self.model.inference_model
        names = tf.constant(self.model.labels)

        def classify(texts: Any) -> dict[str, Any]:
            ids = encoder.encode_tf(texts, unk_if_empty=True).ids
            logits = network({"tokens": ids}, training=False)["logits"]
            return {
                "labels": tf.gather(names, tf.argmax(logits, axis=-1)),
                "probabilities": tf.nn.softmax(logits),
            }

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        return {"classify": Endpoint(classify, signature, self.text_batches(examples))}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `classify`, from numbers to probabilities.

        It takes `tokens` `(batch, timesteps)` as `encode` makes them by the list in `metadata`. It
        returns a dict of `probabilities` `(batch, labels)` and, if the model pools by attention,
        the `weights` of the tokens `(batch, timesteps)`.

        Args:
            examples: Lists of tokens to compare on.
        """
        import tensorflow as tf

        network = self.model.inference_model

        def classify(tokens: Any) -> dict[str, Any]:
            answers = dict(network({"tokens": tokens}, training=False))
            return {"probabilities": tf.nn.softmax(answers.pop("logits")), **answers}

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        return {"classify": Endpoint(classify, signature, self.encoded_batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the tokens and labels in the order of their numbers, from 0."""
        encoder = self.model.encoder
        return {
            "tokenizer": encoder.tokenizer,
            "lowercase": encoder.lowercase,
            "tokens": encoder.tokens,
            "labels": self.model.labels,
        }


register(SequenceClassifier, SequenceClassifierAdapter)
