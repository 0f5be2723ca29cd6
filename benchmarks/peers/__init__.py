"""Peers of `benchmarks.interleaved`: each module builds the timed functions of one library.

A task is a dict: `cell` (name of a layer), `shape` (batch, timesteps, features, units), `mode`
(`"forward"` or `"train"`: forward pass and gradients of weights and inputs), `how` (name of
the contestant; older checkouts, with which `--before` compares, read this key).
"""
