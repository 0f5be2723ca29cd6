"""Export of models as SavedModel, ONNX or LiteRT, which need neither this package nor Keras."""

from keras_seq.export.litert import litert
from keras_seq.export.onnx.exporter import onnx
from keras_seq.export.savedmodel import savedmodel
from keras_seq.export.signatures import Adapter, Endpoint, register

FORMATS = {"savedmodel": savedmodel, "onnx": onnx, "litert": litert}
"""Name of a format to its export function."""

__all__ = ["FORMATS", "Adapter", "Endpoint", "litert", "onnx", "register", "savedmodel"]
