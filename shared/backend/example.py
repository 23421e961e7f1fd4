"""The example in a backend's folder: a label config, tasks, and the predictions to expect."""

import inspect
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from shared.backend.base import Backend
from shared.errors import SettingError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.ml_requests import predict_request, setup_request

# LOCAL_FILES_ROOT of the examples: tasks name their files /data/local-files/?d=ocr/examples/…
FILES_ROOT = Path(str(files("backends")))

# The project that the examples are sent for, as Label Studio names one.
PROJECT = "1.1700000000"


def backend_folder(backend: type[Backend]) -> Path:
    """Return the folder of a backend's class, which has its example."""
    own = next(cls for cls in backend.__mro__ if cls.__module__ != Backend.__module__)
    return Path(inspect.getfile(own)).resolve().parent


@dataclass(frozen=True)
class Example:
    """The content of `label_config.xml`, `tasks.json` and `expected.json`."""

    backend: str
    label_config: str
    tasks: list[dict[str, Any]]
    expected: list[Any] | None
    root: Path = FILES_ROOT
    """The folder that the files of tasks are relative to."""

    @classmethod
    def load(cls, backend: type[Backend]) -> "Example":
        """Read the files beside the backend's class; SettingError names the one that is missing."""
        folder = backend_folder(backend)
        try:
            config = (folder / "label_config.xml").read_text(encoding="utf-8")
            tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            missing = Path(str(error.filename)).name
            raise SettingError(f"{folder.parent.name}/{folder.name} has no {missing}") from None
        expected = folder / "expected.json"
        wanted = json.loads(expected.read_text(encoding="utf-8")) if expected.is_file() else None
        return cls(backend.name, config, tasks, wanted, folder.parent)

    def predict_request(self) -> dict[str, Any]:
        """Return the body of /predict, as Label Studio sends it."""
        return predict_request(self.tasks, self.label_config, PROJECT)

    def setup_request(self, label_studio_url: str) -> dict[str, Any]:
        """Return the body of /setup, as Label Studio sends it."""
        return setup_request(self.label_config, PROJECT, label_studio_url)

    def image_files(self, task: dict[str, Any]) -> list[Path]:
        """Return the files that a task's Image tags show."""
        targets = LabelConfig.parse(self.label_config).objects.values()
        shown = [task["data"].get(target.key) for target in targets if target.tag == "Image"]
        return [
            self.root / value.partition("?d=")[2]
            for value in shown
            if isinstance(value, str) and value.startswith("/data/local-files/?d=")
        ]
