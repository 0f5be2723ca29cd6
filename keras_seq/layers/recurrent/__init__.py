"""Recurrent layers: cells over whole sequences, stacks of layers, layers at every time step."""
