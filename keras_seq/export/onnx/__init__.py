"""Export to ONNX, with recurrent layers as native operators."""
