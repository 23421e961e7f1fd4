"""`LabelStudioMLBase` as the 2.x line has it: a project's facts in a cache, properties over it."""

import json
from abc import ABC
from typing import Any

from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config

CACHE: dict[tuple[str, str], Any] = {}


class LabelStudioMLBase(ABC):  # noqa: B024
    INITIAL_MODEL_VERSION = "0.0.1"
    TRAIN_EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "START_TRAINING")

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.project_id = project_id or ""
        if label_config is not None:
            self.set("label_config", label_config)
            self.set("parsed_label_config", json.dumps(parse_config(label_config)))
        if not self.model_version:
            self.set("model_version", self.INITIAL_MODEL_VERSION)
        self.setup()

    def setup(self) -> None:  # noqa: B027
        pass

    def get(self, key: str) -> Any:
        return CACHE.get((self.project_id, key))

    def set(self, key: str, value: Any) -> None:
        CACHE[self.project_id, key] = value

    @property
    def label_config(self) -> Any:
        return self.get("label_config")

    @property
    def parsed_label_config(self) -> Any:
        return json.loads(self.get("parsed_label_config"))

    @property
    def model_version(self) -> Any:
        return self.get("model_version")

    def predict(self, tasks: list[Any], context: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError

    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
        return None
