"""ONNX: the exporter and its operators."""
