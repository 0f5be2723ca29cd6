"""Tracing of recurrent layers: gates, states, gradients through time, plots and pages."""

from keras_seq.tracing.callback import TensorBoardGates
from keras_seq.tracing.page import write_page
from keras_seq.tracing.recorder import LayerTrace
from keras_seq.tracing.trace import Trace, trace

__all__ = ["LayerTrace", "TensorBoardGates", "Trace", "trace", "write_page"]
