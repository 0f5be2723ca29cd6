"""Command-line interface: the command `keras-seq`."""

from keras_seq.cli.app import main

__all__ = ["main"]
