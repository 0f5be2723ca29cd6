"""Models as files that need neither this package nor Keras."""

from keras_seq.export.as_litert import litert
from keras_seq.export.as_onnx import onnx
from keras_seq.export.as_savedmodel import savedmodel

FORMATS = {"savedmodel": savedmodel, "onnx": onnx, "litert": litert}
"""Name of a format to the function that writes it."""

__all__ = ["FORMATS", "litert", "onnx", "savedmodel"]
