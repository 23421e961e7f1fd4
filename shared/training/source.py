"""Where a training reads annotated tasks: a project of Label Studio, or export files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import SettingError
from shared.evaluation.task_source import ProjectTasks, RawSource, open_exports
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.project import Project
from shared.settings import Settings


@dataclass(frozen=True)
class OpenSource:
    """Tasks as JSON, and the label config that they were annotated with.

    `key` is that of the project; empty if it is none.
    """

    config: LabelConfig
    tasks: RawSource
    key: str = ""

    def check_key(self, expected: str) -> None:
        """Raise SettingError if it is the project of another Label Studio than the expected one."""
        if self.key and self.key != expected:
            raise SettingError(
                f"LABEL_STUDIO_URL is another Label Studio than the one that is trained for: the"
                f" project is {self.key} there, not {expected} (id and time of creation)"
            )


@dataclass(frozen=True)
class TrainingSource:
    """A project by its number, or else export files with the XML of their label config."""

    project: int | None = None
    files: tuple[str, ...] = ()
    label_config: str = ""

    @classmethod
    def of_project(cls, number: int) -> "TrainingSource":
        """Return the source that is a project in LABEL_STUDIO_URL."""
        return cls(number)

    @classmethod
    def of_files(cls, files: tuple[str, ...], label_config: "Path | str") -> "TrainingSource":
        """Return the source that is export files, by absolute paths; a job has a folder of its own.

        `label_config` is its file, or the XML.

        SettingError if one is standard input, which a job cannot read.
        """
        if "-" in files:
            raise SettingError("standard input cannot be trained from: name a file")
        absolute = tuple(str(Path(file).resolve()) for file in files)
        if isinstance(label_config, Path):
            label_config = label_config.read_text("utf-8", errors="replace")
        return cls(None, absolute, label_config)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "TrainingSource":
        """Read the arguments of a job."""
        files = tuple(written.get("files", ()))
        return cls(written.get("project"), files, written.get("label_config", ""))

    def to_json(self) -> dict[str, Any]:
        """Return it as arguments of a job: without tokens or addresses."""
        if self.project is not None:
            return {"project": self.project}
        return {"files": list(self.files), "label_config": self.label_config}

    def check(self, settings: Settings) -> None:
        """Raise SettingError or ConfigError with what is missing to read it; asks no server."""
        if self.project is not None:
            for name in missing_variables(settings):
                raise SettingError(
                    f"project {self.project} cannot be trained: {name} is not set, and annotations"
                    " are read by Label Studio's API"
                )
            return
        if not self.files:
            raise SettingError("nothing to train from: name a project, or an export file")
        for file in self.files:
            if not Path(file).is_file():
                raise SettingError(f"{Path(file).name}: file not found")
        LabelConfig.parse(self.label_config)

    @contextmanager
    def open(self, settings: Settings) -> Iterator[OpenSource]:
        """Open the source; PrelabelError if it cannot be read."""
        if self.project is None:
            config = LabelConfig.parse(self.label_config)
            yield OpenSource(config, open_exports(self.files, config))
            return
        project = Project(self.project, settings)
        try:
            config = LabelConfig.parse(project.label_config)
            yield OpenSource(config, ProjectTasks(project), project.key)
        finally:
            project.close()


def missing_variables(settings: Settings) -> list[str]:
    """Return the variables without which no project can be read."""
    given = {
        "LABEL_STUDIO_URL": settings.label_studio_url,
        "LABEL_STUDIO_API_KEY": settings.label_studio_api_key,
    }
    return [name for name, value in given.items() if value is None]
