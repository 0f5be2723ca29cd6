"""Export of a `SequenceClassifier`."""

from typing import Any

from keras_seq._internal.types import Tensor
from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.text import TextAdapter, tokenizer_metadata
from keras_seq.models.sequence_classifier import SequenceClassifier


class SequenceClassifierAdapter(TextAdapter):
    """Adapter of a `SequenceClassifier`, with the endpoint `classify`."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `classify`, from texts to labels.

        Input: `texts` `(batch,)`, strings. A text without tokens counts as one unknown token.
        Outputs: `labels` `(batch,)`, strings, and `probabilities` `(batch, labels)`.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        import tensorflow as tf

        encoder, network = self.model.encoder, self.model.inference_model
        names = tf.constant(self.model.labels)

        def classify(texts: Tensor) -> dict[str, Tensor]:
            ids = encoder.encode_tf(texts, unk_if_empty=True).ids
            logits = network({"tokens": ids}, training=False)["logits"]
            return {
                "labels": tf.gather(names, tf.argmax(logits, axis=-1)),
                "probabilities": tf.nn.softmax(logits),
            }

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        return {"classify": Endpoint(classify, signature, self.text_batches(examples))}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `classify`, from token ids to probabilities.

        Input: `tokens` `(batch, timesteps)`, ids as `SequenceClassifier.encode` returns them.
        Outputs: `probabilities` `(batch, labels)`; with attention pooling also the attention
        `weights` `(batch, timesteps)`.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        import tensorflow as tf

        network = self.model.inference_model

        def classify(tokens: Tensor) -> dict[str, Tensor]:
            outputs = dict(network({"tokens": tokens}, training=False))
            return {"probabilities": tf.nn.softmax(outputs.pop("logits")), **outputs}

        signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
        return {"classify": Endpoint(classify, signature, self.encoded_batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the tokenizer, and the tokens and labels by id."""
        return {**tokenizer_metadata(self.model.encoder), "labels": self.model.labels}


register(SequenceClassifier, SequenceClassifierAdapter)
