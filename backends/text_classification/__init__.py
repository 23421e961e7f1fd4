"""Classes of whole texts."""

from backends.text_classification.backend import TextClassificationBackend

__all__ = ["TextClassificationBackend"]
