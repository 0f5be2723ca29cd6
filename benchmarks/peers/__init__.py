"""What is compared: each module builds, in one library, the function that does a task once.

A task is a dict: `cell` (a layer's name), `shape` (batch, timesteps, features, units), `mode`
("forward" or "train": forward, and the gradients of weights and inputs), `how` (the contestant).
"""
