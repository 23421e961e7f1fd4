"""Inference engines and devices, shared by every backend that runs a neural network."""
