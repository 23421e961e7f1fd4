"""GLiNER models: entities of any types that the label config names (zero-shot)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from backends._inference.device import choose_torch_device, require_torch_engine
from backends._transformers.tokenizer import replace_surrogates, split_windows
from backends.ner.entities import Entity
from shared.backend import Control
from shared.backend.installation import extra_command
from shared.backend.model_folder import has_model_file
from shared.errors import ModelError
from shared.settings import Settings

# The file that tells a GLiNER model from others.
CONFIG_FILE = "gliner_config.json"
# Entities below this score are not asked for; the thresholds of label configs apply on top.
MIN_SCORE = 0.05
# Words of a window where the model's configuration has no limit.
DEFAULT_MAX_WORDS = 384
WINDOWS_PER_BATCH = 8
# GLiNER's own pattern for a word.
WORD = re.compile(r"\w+(?:[-_]\w+)*|\S")


def is_gliner(model: str, settings: Settings) -> bool:
    """Tell by a folder's files, or by its name if the model has yet to be downloaded."""
    if has_model_file(f"{model}/{CONFIG_FILE}", settings, is_setting=True):
        return True
    paths = [settings.model_dir / model, Path(model).expanduser()]
    folders = [path for path in paths if path.is_dir()]
    return (folders[0] / CONFIG_FILE).is_file() if folders else "gliner" in model.casefold()


def prompt_types(control: Control) -> list[str]:
    """Return the types to ask for: the labels' predicted values, else the labels themselves."""
    types: list[str] = []
    for label, attrs in control.labels.items():
        values = [value.strip() for value in attrs.get("predicted_values", "").split(",")]
        types += [value for value in values if value] or [attrs.get("value") or label]
    return types


class TextWindow(NamedTuple):
    """Characters `start` to `end` of text number `text`; it owns `own_start` to `own_end`.

    All ends are exclusive. Entities that begin outside of what it owns are its neighbours'.
    """

    text: int
    start: int
    end: int
    own_start: int
    own_end: int


@dataclass
class GlinerModel:
    """GLiNER's model, and how many words it takes at once."""

    inner: Any
    max_words: int
    types: tuple[str, ...] = ()  # any that are asked for

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> "GlinerModel":
        """Load it from a model's folder; code in it is not run.

        Raises:
            ModelError: the folder names code or has other weights, or gliner is not installed.
        """
        require_torch_engine(folder.name, settings)
        if "auto_map" in (folder / CONFIG_FILE).read_text(encoding="utf-8"):
            raise ModelError(
                f'{folder.name}: "auto_map" in {CONFIG_FILE} names code, which is not run'
            )
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
        return cls(inner.eval(), int(getattr(inner.config, "max_len", 0) or DEFAULT_MAX_WORDS))

    @property
    def max_span_words(self) -> int | None:
        """The most words of an entity; None where they are tagged one by one."""
        config = self.inner.config
        return None if config.span_mode == "token_level" else int(config.max_width)

    def find_entities(
        self, texts: Sequence[str], prompts: Sequence[tuple[str, ...]]
    ) -> list[list[Entity]]:
        """Return the entities of each text, however long, of the types in its prompt."""
        windows = list(self.split_texts(texts, prompts))
        found: list[list[Entity]] = [[] for _ in texts]
        for group in _group_by_prompt(windows, prompts):
            pieces = [replace_surrogates(texts[one.text][one.start : one.end]) for one in group]
            types = list(prompts[group[0].text])
            answers = self.inner.inference(
                pieces, types, threshold=MIN_SCORE, batch_size=WINDOWS_PER_BATCH
            )
            for window, entities in zip(group, answers, strict=True):
                found[window.text] += _place_entities(entities, window)
        return [sorted(entities, key=lambda entity: entity.start) for entities in found]

    def split_texts(
        self, texts: Sequence[str], prompts: Sequence[tuple[str, ...]]
    ) -> Iterator[TextWindow]:
        """Yield the windows that texts are read in, none without a prompt."""
        for number, (text, prompt) in enumerate(zip(texts, prompts, strict=True)):
            words = [match.span() for match in WORD.finditer(text)] if prompt else []
            for window in split_windows(range(len(words)), self.max_words):
                own = words[window.own_start][0], words[window.own_end - 1][1]
                yield TextWindow(number, words[window.start][0], words[window.end - 1][1], *own)


def _group_by_prompt(
    windows: Iterable[TextWindow], prompts: Sequence[tuple[str, ...]]
) -> Iterable[list[TextWindow]]:
    """Group windows that can be run together, the shortest first."""
    groups: dict[tuple[str, ...], list[TextWindow]] = {}
    for window in sorted(windows, key=lambda window: window.end - window.start):
        groups.setdefault(prompts[window.text], []).append(window)
    return groups.values()


def _place_entities(entities: Iterable[dict[str, Any]], window: TextWindow) -> Iterator[Entity]:
    """Yield the entities that a window owns, at the characters of the whole text."""
    for entity in entities:
        start, end = window.start + entity["start"], window.start + entity["end"]
        if window.own_start <= start < window.own_end and start < end:
            yield Entity(start, end, entity["label"], float(entity["score"]))
