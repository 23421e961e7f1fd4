"""The core of prelabel: everything but the models."""

__version__ = "0.1.0"
