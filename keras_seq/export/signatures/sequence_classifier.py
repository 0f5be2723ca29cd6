"""Export of a `SequenceClassifier`."""

from typing import Any

from keras_seq._internal.types import Tensor
from keras_seq.export.signatures.base import Endpoint, register
from keras_seq.export.signatures.text import TokenInputsAdapter
from keras_seq.models.sequence_classifier import SequenceClassifier


class SequenceClassifierAdapter(TokenInputsAdapter):
    """Adapter of a `SequenceClassifier`, with the endpoint `classify`."""

    def text_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `classify`, from texts to labels.

        Input: `texts` `(batch,)`, strings. A text without tokens counts as one unknown token.
        Outputs: `labels` `(batch,)`, strings, and `probabilities` `(batch, labels)`.

        Args:
            examples: Lists of tokens to verify the export on.

        Raises:
            InputError: As `input_tensors` raises.
        """
        import tensorflow as tf

        network = self.model.inference_model
        names = tf.constant(self.model.labels)

        def classify(texts: Tensor) -> dict[str, Tensor]:
            logits = network(self.input_tensors(texts), training=False)["logits"]
            return {
                "labels": tf.gather(names, tf.argmax(logits, axis=-1)),
                "probabilities": tf.nn.softmax(logits),
            }

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        return {"classify": Endpoint(classify, signature, self.text_batches(examples))}

    def tensor_signatures(self, examples: list[list[str]]) -> dict[str, Endpoint]:
        """Return `classify`, from token ids to probabilities.

        Inputs: `tokens` `(batch, timesteps)`, ids as `SequenceClassifier.encode` returns them; if
        the model reads characters also `characters` `(batch, timesteps, 20)`, the Unicode code
        points of the first characters of each token. Outputs: `probabilities` `(batch, labels)`;
        with attention pooling also the attention `weights` `(batch, timesteps)`.

        Args:
            examples: Lists of tokens to verify the export on.
        """
        import tensorflow as tf

        network, signature = self.model.inference_model, self.input_signature()

        def classify(*arguments: Tensor) -> dict[str, Tensor]:
            inputs = {spec.name: array for spec, array in zip(signature, arguments, strict=True)}
            outputs = dict(network(inputs, training=False))
            return {"probabilities": tf.nn.softmax(outputs.pop("logits")), **outputs}

        return {"classify": Endpoint(classify, signature, self.encoded_batches(examples))}

    def metadata(self) -> dict[str, Any]:
        """Return the tokenizer, and the tokens and labels by id."""
        return {**super().metadata(), "labels": self.model.labels}


register(SequenceClassifier, SequenceClassifierAdapter)
