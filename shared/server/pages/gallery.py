"""What the playground offers to begin with: the backends' examples, Label Studio's templates."""

import json
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.editor.templates import read_templates
from shared.errors import PrelabelError, SettingError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.sample_data import make_sample_data
from shared.media.reader import LOCAL_FILES
from shared.media.sample_files import to_data_url


@dataclass(frozen=True)
class Start:
    """A label config with a task, by the name under which the page offers it."""

    key: str
    title: str
    label_config: str
    task: dict[str, Any]


def example_starts(names: Sequence[str]) -> list[Start]:
    """Return each task of the examples of these backends."""
    return [
        Start(
            f"{example.backend}:{place}",
            f"{example.backend}, task {place + 1}",
            example.label_config,
            {"data": task["data"]},
        )
        for example in _examples(names)
        for place, task in enumerate(example.tasks)
    ]


def _examples(names: Sequence[str]) -> Iterator[Example]:
    for name in names:
        cls = find_backends().get(name)
        if cls is None:
            continue  # the class of a file, which has no example
        try:
            yield Example.load(cls)
        except SettingError:  # a backend without an example has nothing to offer
            continue


def example_file(value: str, names: Sequence[str]) -> str | None:
    """Return the data URL of an example's file, by the address that its task has.

    Only these very files are read so; other local files are those of LOCAL_FILES_ROOT.
    """
    if not value.startswith(LOCAL_FILES):
        return None
    for example in _examples(names):
        for task in example.tasks:
            if value in task["data"].values():
                path = example.root / value.partition("?d=")[2]
                kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                return to_data_url(path.read_bytes(), kind)
    return None


def template_titles(assets: Path | None) -> list[tuple[str, str]]:
    """Return the key and title of each of Label Studio's templates, if they are installed."""
    return [(f"ls:{template.key}", template.title) for template in read_templates(assets)]


def template_start(key: str, assets: Path | None) -> Start | None:
    """Return one of Label Studio's templates with a task that is made here."""
    for template in read_templates(assets):
        if template.key == key.removeprefix("ls:"):
            xml = template.label_config
            return Start(key, template.title, xml, {"data": _make_data(xml)})
    return None


def _make_data(xml: str) -> dict[str, Any]:
    """Return data for a label config; none if it cannot be read, which the page says later."""
    try:
        return make_sample_data(LabelConfig.parse(xml))
    except PrelabelError:
        return {}


def format_task(task: Mapping[str, Any]) -> str:
    """Return a task's data as the page's field shows it."""
    return json.dumps(task["data"], ensure_ascii=False, indent=2)
