"""Server for exported models, with the protocols of TensorFlow Serving and Open Inference."""

from keras_seq.serving.limits import Limits

__all__ = ["Limits"]
