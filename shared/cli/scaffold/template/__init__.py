"""$control on $object."""

from .backend import NewBackend

__all__ = ["NewBackend"]
