"""`LabelStudioMLBase`, imported without PyTorch; a small one where label-studio-ml is missing.

Release 1.0.9 of label-studio-ml imports torch if it is installed, for training jobs that are never
started here. That takes 600 MB and seconds, even for backends that do not use it; those that do
import it themselves.

label-studio-ml is an extra: release 1.0.9 pins Flask 1.1.2 and what belongs to it, which uv's
overrides undo and a plain `pip install` would not. Only its own server, and classes that are
written for it, need it.
"""

import sys
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any


class SmallBase(ABC):
    """What backends need of `LabelStudioMLBase`."""

    def __init__(self, label_config: str | None = None, **kwargs: Any) -> None:
        self.label_config = label_config

    @cached_property
    def parsed_label_config(self) -> dict[str, Any]:
        """The label config as the SDK parses it, which label-studio-ml does, too."""
        from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config

        return dict(parse_config(self.label_config)) if self.label_config else {}

    @abstractmethod
    def predict(self, tasks: list[Any], **kwargs: Any) -> Any:
        """Return a prediction for each task."""

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Do nothing: there is no training."""
        return {}


_blocked = "torch" not in sys.modules
if _blocked:
    sys.modules["torch"] = None  # type: ignore[assignment]  # makes its import fail, which label-studio-ml tolerates
try:
    from label_studio_ml.model import LabelStudioMLBase
except ImportError:  # or one of the packages that it imports without requiring them
    LabelStudioMLBase = SmallBase
finally:
    if _blocked:
        del sys.modules["torch"]

__all__ = ["LabelStudioMLBase"]
