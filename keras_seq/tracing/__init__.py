"""Looking inside: gates, states, gradients through time, pictures."""

from keras_seq.tracing.callback import GateBoard
from keras_seq.tracing.page import page
from keras_seq.tracing.recorder import LayerTrace
from keras_seq.tracing.trace import Trace, trace

__all__ = ["GateBoard", "LayerTrace", "Trace", "page", "trace"]
