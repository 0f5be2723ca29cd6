"""Server for exported models: REST APIs of TensorFlow Serving and the Open Inference Protocol."""

from keras_seq.serving.limits import Limits

__all__ = ["Limits"]
