"""What the playground offers to begin with: the backends' examples, Label Studio's templates."""

import base64
import io
import json
import mimetypes
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.errors import PrelabelError, SettingError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.variables import keys_of
from shared.media.reader import LOCAL_FILES

# Where Label Studio's package has its templates, beside the folder of its editor's files.
TEMPLATES = Path("label_studio", "annotation_templates")
SAMPLE_TEXT = (
    "Angela Berg met Thomas Hill at Northwind Systems in Lisbon on 3 May 2024. It rained all day."
)
SAMPLE_TEXTS: Mapping[str, Any] = {
    "Text": SAMPLE_TEXT,
    "HyperText": f"<p>{SAMPLE_TEXT}</p>",
    "Paragraphs": [
        {"author": "Angela", "text": "Shall we meet in Lisbon?"},
        {"author": "Thomas", "text": "On 3 May, at 10:30 am."},
    ],
}
# A picture of ours that is drawn where a template shows an image.
SAMPLE_SIZE = (480, 320)


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


def to_data_url(content: bytes, media_type: str) -> str:
    """Return a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def template_titles(assets: Path | None) -> list[tuple[str, str]]:
    """Return the key and title of each of Label Studio's templates, if they are installed."""
    return [(f"ls:{key}", title) for key, (title, _) in _read_templates(assets).items()]


def template_start(key: str, assets: Path | None) -> Start | None:
    """Return one of Label Studio's templates with a task that is made here."""
    found = _read_templates(assets).get(key.removeprefix("ls:"))
    if found is None:
        return None
    title, xml = found
    return Start(key, title, xml, {"data": make_data(xml)})


@cache
def _read_templates(assets: Path | None) -> dict[str, tuple[str, str]]:
    """Return title and label config of the templates beside the editor's files, by folder."""
    if assets is None or len(assets.parents) < 4:
        return {}
    folder = assets.parents[3] / TEMPLATES
    found = {}
    for path in sorted(folder.glob("*/*/config.yml")):
        title, xml = _parse_template(path.read_text(encoding="utf-8"))
        if title and xml:
            found[path.parent.name] = (title, xml)
    return found


def _parse_template(text: str) -> tuple[str, str]:
    """Return title and label config of a template: its YAML has them as `title:`, `config: |`."""
    title, _, rest = text.partition("\n")
    lines: list[str] = []
    _, found, block = rest.partition("\nconfig: |")
    for line in block.partition("\n")[2].splitlines() if found else ():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return title.removeprefix("title:").strip(" '\""), textwrap.dedent("\n".join(lines)).strip()


def make_data(xml: str) -> dict[str, Any]:
    """Return data for a label config: our own text or picture for each key that it shows.

    Keys of other media are left empty: a file of one's own goes there.
    """
    try:
        config = LabelConfig.parse(xml)
    except PrelabelError:  # the page says what is wrong when it is to be predicted
        return {}
    data: dict[str, Any] = {}
    for target in config.objects.values():
        for key in keys_of(target.value):
            sample = sample_picture() if target.tag == "Image" else SAMPLE_TEXTS.get(target.tag, "")
            data[key] = [sample] if target.is_list and target.tag == "Image" else sample
    return data


@cache
def sample_picture() -> str:
    """Return a small picture of two shapes, as a data URL."""
    image = Image.new("RGB", SAMPLE_SIZE, "#f4f1ea")
    draw = ImageDraw.Draw(image)
    draw.rectangle((50, 80, 200, 230), fill="#3b6ea5")
    draw.ellipse((270, 90, 410, 230), fill="#c8553d")
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return to_data_url(file.getvalue(), "image/png")


def format_task(task: Mapping[str, Any]) -> str:
    """Return a task's data as the page's field shows it."""
    return json.dumps(task["data"], ensure_ascii=False, indent=2)
