"""Language and vision models that fill a label config by its own words."""

from backends.prompt.backend import PromptBackend

__all__ = ["PromptBackend"]
