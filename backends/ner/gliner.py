"""GLiNER: entities of types that are only named, by the labels of the label config."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from backends._inference.device import choose_torch_device
from backends._transformers.tokenizer import replace_surrogates, split_windows
from backends.ner.entities import Entity
from shared.backend.installation import extra_command
from shared.errors import ModelError
from shared.label_studio.label_config import Control
from shared.settings import Settings

# The file by which a folder is known to hold such a model.
CONFIG = "gliner_config.json"
# Entities of a lower chance are not asked for; label configs have thresholds of their own.
LEAST = 0.05
# Words of a window where the model names no limit.
ROOM = 384
BATCH = 8
# What such models count as a word.
WORD = re.compile(r"\w+(?:[-_]\w+)*|\S")


def is_zero_shot(model: str, settings: Settings) -> bool:
    """Whether a model, as the user named it, is such a one: before it is fetched, by its name."""
    folders = [settings.model_dir / model, Path(model).expanduser()]
    there = [folder for folder in folders if folder.is_dir()]
    return (there[0] / CONFIG).is_file() if there else "gliner" in model.casefold()


def prompt(control: Control) -> list[str]:
    """How a control tag's labels are asked for: by their predicted values, else by themselves."""
    asked: list[str] = []
    for label, attrs in control.labels.items():
        values = [value.strip() for value in attrs.get("predicted_values", "").split(",")]
        asked += [value for value in values if value] or [attrs.get("value") or label]
    return asked


class Part(NamedTuple):
    """A window of a text: its characters, and those that it speaks for (all ends exclusive)."""

    text: int
    start: int
    end: int
    first: int
    last: int


@dataclass
class ZeroShot:
    """The model, and how many words it takes at once."""

    inner: Any
    room: int

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> "ZeroShot":
        """From a folder of GLiNER's; code in it is not run."""
        if settings.engine not in {"auto", "torch"}:
            raise ModelError(f"ENGINE={settings.engine}: {folder.name} runs on torch alone (auto)")
        if "auto_map" in (folder / CONFIG).read_text(encoding="utf-8"):
            raise ModelError(f'{folder.name}: "auto_map" in {CONFIG} names code, which is not run')
        if not any(folder.glob("*.safetensors")):
            raise ModelError(f"{folder.name} has no model.safetensors; other formats are not read")
        try:
            from gliner import GLiNER
        except ModuleNotFoundError:
            raise ModelError(
                f"{folder.name} needs gliner: install the extra, {extra_command('gliner')}"
            ) from None
        inner = GLiNER.from_pretrained(
            str(folder), local_files_only=True, map_location=choose_torch_device(settings)
        )
        return cls(inner.eval(), int(getattr(inner.config, "max_len", 0) or ROOM))

    def find(self, texts: Sequence[str], prompts: Sequence[tuple[str, ...]]) -> list[list[Entity]]:
        """The entities of each text, however long, of the types that its prompt names."""
        parts = list(self._parts(texts, prompts))
        found: list[list[Entity]] = [[] for _ in texts]
        for group in _of_one_prompt(parts, prompts):
            pieces = [replace_surrogates(texts[part.text][part.start : part.end]) for part in group]
            labels = list(prompts[group[0].text])
            told = self.inner.inference(pieces, labels, threshold=LEAST, batch_size=BATCH)
            for part, entities in zip(group, told, strict=True):
                found[part.text] += _placed(entities, part)
        return [sorted(entities, key=lambda entity: entity.start) for entities in found]

    def _parts(self, texts: Sequence[str], prompts: Sequence[tuple[str, ...]]) -> Iterator[Part]:
        for number, (text, prompt) in enumerate(zip(texts, prompts, strict=True)):
            places = [match.span() for match in WORD.finditer(text)] if prompt else []
            for window in split_windows(range(len(places)), self.room):
                bounds = places[window.own_start][0], places[window.own_end - 1][1]
                start, end = places[window.start][0], places[window.end - 1][1]
                yield Part(number, start, end, *bounds)


def _of_one_prompt(
    parts: Iterable[Part], prompts: Sequence[tuple[str, ...]]
) -> Iterable[list[Part]]:
    """Windows with equal prompts, the shortest first: they are run together."""
    groups: dict[tuple[str, ...], list[Part]] = {}
    for part in sorted(parts, key=lambda part: part.end - part.start):
        groups.setdefault(prompts[part.text], []).append(part)
    return groups.values()


def _placed(entities: Iterable[dict[str, Any]], part: Part) -> Iterator[Entity]:
    """Entities at the characters of the whole text, of those that this window speaks for."""
    for entity in entities:
        start, end = part.start + entity["start"], part.start + entity["end"]
        if part.first <= start < part.last and start < end:
            yield Entity(start, end, entity["label"], float(entity["score"]))
