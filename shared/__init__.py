"""The core of prelabel: everything but the models."""

__version__ = "0.1.0"

is_own_program = False
"""Whether this process is a command of prelabel, and not another program that runs its backends."""
