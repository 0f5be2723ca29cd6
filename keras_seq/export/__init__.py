"""Export to SavedModel, ONNX and LiteRT, which run without this package and Keras."""

from keras_seq.export.litert import litert
from keras_seq.export.onnx.exporter import onnx
from keras_seq.export.savedmodel import savedmodel
from keras_seq.export.signatures import Adapter, Endpoint, register

FORMATS = {"savedmodel": savedmodel, "onnx": onnx, "litert": litert}
"""Export functions by format."""

__all__ = ["FORMATS", "Adapter", "Endpoint", "litert", "onnx", "register", "savedmodel"]
