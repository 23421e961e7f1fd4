"""What is asked about each template of Label Studio's gallery: the questions that are expected.

`python -m tests.prompt.answer_schema.gallery` writes `gallery.json` anew: look at what has changed.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.prompt.answer_schema import build_schema
from backends.prompt.claims import askable_controls
from backends.prompt.content import SentPicture, SentPictures
from backends.prompt.instruction import write_instruction
from backends.prompt.settings import PromptSettings
from shared.backend import Passages
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_labels import with_task_labels
from shared.label_studio.variables import keys_of
from shared.media.image_size import ImageSize
from tests.gallery_templates import templates

FILE = Path(__file__).with_name("gallery.json")
SETTINGS = PromptSettings(model="any", box_format="xyxy_1000")
TASK_LABELS = [{"value": "first"}, {"value": "second", "alias": "2nd"}]
SIZE = ImageSize(640, 480)
# What is read of a task that shows a list of three items, or one picture.
SHOWN = {
    "List": ("a", "b", "c"),
    "Image": SentPictures((SentPicture(None, SIZE, SIZE),), SETTINGS.box_format),
    "Pdf": Passages.from_text("A line."),
}


def questions() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name of each template, and what is asked about a task of it.

    Tasks bring two labels wherever a template takes labels from them, and three items of a List.
    """
    for name, xml in templates():
        config = LabelConfig.parse(xml)
        keys = {key for c in config.dynamic_controls for key in keys_of(c.attrs.get("value", ""))}
        config = with_task_labels(config, dict.fromkeys(keys, TASK_LABELS))
        controls = list(askable_controls(config, SETTINGS))
        shown = {t.name: SHOWN[t.tag] for t in config.objects.values() if t.tag in SHOWN}
        schema = build_schema(controls, config, shown)
        said = write_instruction(controls, config).splitlines()[1:] if controls else []
        yield name, {"instruction": [line for line in said if line], "schema": schema}


def main() -> None:
    """Write the file of what is expected: one line for each schema and each line of words."""
    parts = []
    for name, asked in questions():
        said = ",\n".join(f"   {_dump(line)}" for line in asked["instruction"])
        head = f' {_dump(name)}: {{\n  "instruction": [\n{said}\n  ],\n'
        parts.append(f'{head}  "schema": {_dump(asked["schema"])}\n }}')
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
