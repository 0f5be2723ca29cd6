"""Exported models over the network, by two protocols that clients know already."""

from keras_seq.serving.limits import Limits

__all__ = ["Limits"]
