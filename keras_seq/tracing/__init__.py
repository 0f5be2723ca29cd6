"""Looking inside: gates, states, gradients through time, pictures."""

from keras_seq.tracing.recorder import LayerTrace
from keras_seq.tracing.trace import Trace, trace

__all__ = ["LayerTrace", "Trace", "trace"]
