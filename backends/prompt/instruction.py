"""What a model is told to do: in words, from the label config and the project's guideline alone."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from backends.prompt.answer_schema import property_name
from backends.prompt.answer_schema.spans import VALUES, per_region_controls, relations_name
from backends.prompt.wording import (
    describe_condition,
    describe_labels,
    describe_value,
    describes_pictures,
)
from shared.backend import Control, LabelConfig
from shared.errors import SettingError, short_path
from shared.label_studio.control_tag import WHOLE_TASK_TAGS

TASK = (
    "You annotate data, as a careful expert would. Answer with one JSON object that has these keys;"
    " what cannot be said from the material is null, or an empty list."
)
# A guideline that is longer is none, but a file that was meant for something else.
MAX_GUIDELINE_CHARACTERS = 100_000


def write_instruction(controls: Sequence[Control], config: LabelConfig, guideline: str = "") -> str:
    """Return what is asked: a paragraph for each control tag, and what they have in common.

    `guideline` is what the project's annotators are told. Labels that a task brings are none of
    the label config's, and so are not in it.
    """
    return _write_instruction(tuple(controls), config, guideline)


@lru_cache(maxsize=64)  # the same for each task of a project
def _write_instruction(controls: tuple[Control, ...], config: LabelConfig, guideline: str) -> str:
    parts = [TASK]
    if guideline.strip():
        parts.append(f"What annotators are told:\n{guideline.strip()}")
    outline = "\n".join(_outline_page(controls, config))
    if outline:
        parts.append(f"What annotators see, from top to bottom:\n{outline}")
    parts += [
        "\n".join(_describe_control(control, property_name(control, config), config))
        for control in controls
        if not control.per_region
    ]
    if config.relation_labels and any(control.tag.endswith("Labels") for control in controls):
        names = ", ".join(f'"{label}"' for label in dict.fromkeys(config.relation_labels))
        parts.append(f'"{relations_name(config)}": relations between the quotes: {names}')
    return "\n\n".join(parts)


def write_region_instruction(
    controls: Sequence[Control], config: LabelConfig, guideline: str = ""
) -> str:
    """Return what is asked about regions that the annotator has drawn, of each the same."""
    parts = [TASK]
    if guideline.strip():
        parts.append(f"What annotators are told:\n{guideline.strip()}")
    parts.append(
        "The annotator has marked parts of the material: they are the keys. Of each is to be said:"
    )
    parts += ["\n".join(_describe_control(control, control.name, config)) for control in controls]
    return "\n\n".join(parts)


@lru_cache(maxsize=8)
def read_guideline(text: str) -> str:
    """Return what annotators are told: the text itself, or that of the file that it names.

    SettingError if there is a file that cannot be read as text.
    """
    if "\n" in text or not text.endswith((".txt", ".md")):
        return text
    try:
        found = Path(text).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(
            f"PROMPT_INSTRUCTION names {short_path(text)}, which cannot be read: {why}"
        ) from None
    if len(found) > MAX_GUIDELINE_CHARACTERS:
        raise SettingError(
            f"PROMPT_INSTRUCTION names {short_path(text)}, which has {len(found)} characters;"
            f" {MAX_GUIDELINE_CHARACTERS} are allowed"
        )
    return found


def _describe_control(control: Control, name: str, config: LabelConfig) -> Iterator[str]:
    """Yield the lines about a control tag, and about those that describe its regions."""
    yield " ".join(filter(None, (f'"{name}":', *_ask(control, config))))
    yield from (f"  {line}" for line in describe_labels(control))
    if control.tag in WHOLE_TASK_TAGS:
        return
    inside = per_region_controls(control, config)
    if inside:
        yield f'  For each of them "{VALUES}" has:'
    for other in inside:
        yield from (f"  {line}" for line in _describe_control(other, other.name, config))


def _ask(control: Control, config: LabelConfig) -> Iterator[str]:
    """Yield the sentences of a control tag: its question, the form of its answer, its condition."""
    for text in dict.fromkeys((control.header, control.attrs.get("model_prompt", ""))):
        if text.strip():
            yield _sentence(text)
    placeholder = control.attrs.get("placeholder", "")
    if control.tag == "TextArea" and placeholder.strip():
        yield f"({placeholder.strip()})"
    if describes_pictures(control, config):
        yield f'For each picture of {control.to_name}, its number as "picture", from 1 on, and as'
        yield '"value":'
    yield _sentence(describe_value(control, config))
    yield from (_sentence(text) for text in map(describe_condition, control.conditions) if text)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "?", "!", ":")) else f"{text}."


def _outline_page(controls: Sequence[Control], config: LabelConfig) -> Iterator[str]:
    """Yield a line for each Header, object tag and control tag; nothing if no Header stands apart.

    Those right before a control tag that is asked for are told with it.
    """
    told = {control.header for control in controls}
    tags = list(config.written_tags())
    headers = [_header_text(tag.attrs.get("value", "")) for tag in tags if tag.name == "Header"]
    if not any(text and text not in told for text in headers):
        return
    asked = {control.name for control in controls}
    for tag in tags:
        name = tag.attrs.get("name", "")
        if tag.name == "Header" and (text := _header_text(tag.attrs.get("value", ""))):
            yield f"- {text}"
        elif name in config.objects:
            yield f"- [{name}]"
        elif name in asked:
            yield f'- [your answer "{name}"]'


def _header_text(value: str) -> str:
    """Return a Header's text; one with a variable in it shows what the task says."""
    return "" if "$" in value else value.strip()
