"""Correctness and speed of recurrent layers on a GPU, without TensorFlow. See README.md."""
