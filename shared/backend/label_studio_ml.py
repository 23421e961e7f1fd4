"""The base class of backends: label-studio-ml's where its server runs them, else a small one.

Commands of prelabel ask nothing of label-studio-ml unless they serve a class that is written for
it: it and what it imports take 0.6 s and 40 MB.

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

import shared
from shared.errors import SettingError


class SmallBase(ABC):
    """What backends need of `LabelStudioMLBase`."""

    def __init__(self, label_config: str | None = None, **kwargs: Any) -> None:
        self.label_config = label_config

    @cached_property
    def parsed_label_config(self) -> dict[str, Any]:
        """The label config as the SDK parses it, which label-studio-ml does, too.

        SettingError where a package is missing that the SDK does so with.
        """
        if not self.label_config:
            return {}
        try:
            from label_studio_sdk._extensions.label_studio_tools.core.label_config import (
                parse_config,
            )
        except ImportError as error:
            raise SettingError(
                f"{error.name} is not installed, with which label-studio-sdk parses label configs:"
                f" pip install {error.name}. An image of the extras that end with -lite lacks it,"
                " since serving needs none"
            ) from None
        return dict(parse_config(self.label_config))

    @abstractmethod
    def predict(self, tasks: list[Any], **kwargs: Any) -> Any:
        """Return a prediction for each task."""

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Do nothing: there is no training."""
        return {}


def import_base() -> type[Any]:
    """Return `LabelStudioMLBase`; the small one where label-studio-ml is missing."""
    blocked = "torch" not in sys.modules
    if blocked:
        sys.modules["torch"] = None  # type: ignore[assignment]  # makes its import fail, which label-studio-ml tolerates
    try:
        from label_studio_ml.model import LabelStudioMLBase as Base
    except ImportError:  # or one of the packages that it imports without requiring them
        return SmallBase
    finally:
        if blocked:
            del sys.modules["torch"]
    return Base  # type: ignore[no-any-return]


LabelStudioMLBase: Any = SmallBase if shared.is_own_program else import_base()

__all__ = ["LabelStudioMLBase", "SmallBase", "import_base"]
