"""Pipelines of spaCy: a folder that `nlp.to_disk` wrote, or an installed package by its name.

They are built from their `config.cfg` by functions that installed packages have registered; a
pipeline's folder holds no pickles, and code beside it is not run.
"""

import importlib.util
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends._transformers.tokenizer import replace_surrogates
from backends.ner.entities import Entity
from backends.ner.sentence_splitter import sentence_gaps
from shared.backend.extras import require
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

EXTRA = "spacy"
# The file that tells a pipeline from other models.
CONFIG_FILE = "config.cfg"
# How spaCy's own pipelines are called, for the error about one that is not installed.
PUBLISHED_NAME = re.compile(r"[a-z]{2,3}_(core|dep|ent)_[a-z]+_(sm|md|lg|trf)")
# Components that find spans, by their factories: in `doc.ents`, or in `doc.spans`.
ENTITY_FACTORIES = (
    *("ner", "beam_ner", "entity_ruler", "span_ruler", "spancat", "spancat_singlelabel"),
    *("llm", "llm_ner"),
)
# Components of spaCy itself on which no `ner` depends; rules may.
UNNEEDED_FACTORIES = frozenset({
    *("tagger", "morphologizer", "attribute_ruler", "lemmatizer", "trainable_lemmatizer"),
    *("textcat", "textcat_multilabel", "entity_linker"),
})  # fmt: skip
# Pipelines in which all components are known not to need those.
INDEPENDENT_FACTORIES = UNNEEDED_FACTORIES | {
    *("tok2vec", "transformer", "curated_transformer", "parser", "senter", "sentencizer"),
    *("ner", "beam_ner", "spancat", "spancat_singlelabel"),
}
# Longer texts are read in pieces of whole sentences: spaCy takes 1 GB for each 100,000 characters.
MAX_CHARACTERS = 100_000
TEXTS_PER_BATCH = 64


def find_pipeline(model: str, settings: Settings) -> Path | None:
    """Return the folder of a pipeline of spaCy: here, in MODEL_DIR, or in its package.

    None if the model is of another kind. ModelError for a pipeline of spaCy that is not installed.
    """
    folders = (settings.model_dir / model, Path(model).expanduser()) if model else ()
    for folder in folders:
        if folder.is_dir():
            return folder if (folder / CONFIG_FILE).is_file() else None
    found = _find_in_package(model) if model.isidentifier() else None
    if found is None and PUBLISHED_NAME.fullmatch(model):
        raise ModelError(
            f"NER_MODEL={model}: this pipeline of spaCy is neither installed nor a folder in"
            f" MODEL_DIR; python -m spacy download {model} installs it"
        )
    return found


def list_pipeline_files(folder: Path) -> Sequence[Path]:
    """Return all files of a pipeline, whose hash is part of its version."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _find_in_package(name: str) -> Path | None:
    """Return the folder in an installed package; the package is not imported."""
    spec = importlib.util.find_spec(name)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        for config in sorted(Path(place).glob(f"*/{CONFIG_FILE}")):
            return config.parent
    return None


@dataclass
class SpacyPipeline:
    """A pipeline without what entities do not depend on, and the types that it finds."""

    nlp: Any
    types: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> "SpacyPipeline":
        """Load it from its folder.

        Raises:
            ModelError: it finds no entities, or ENGINE or spaCy cannot run it.
            SettingError: spaCy is not installed.
        """
        if settings.engine not in {"auto", "torch"}:
            raise ModelError(f"ENGINE={settings.engine}: {folder.name} runs in spaCy alone (auto)")
        util: Any = require("spacy.util", EXTRA)
        factories = _read_factories(util, folder)
        unneeded = _find_unneeded(factories)
        try:
            nlp = util.load_model_from_path(folder, exclude=unneeded)
        except Exception as error:  # spaCy raises many kinds
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"spaCy cannot load {folder.name}: {reason}") from error
        nlp.max_length = max(nlp.max_length, 2 * MAX_CHARACTERS)
        left_out = f" without {', '.join(unneeded)}" if unneeded else ""
        logger.info("%s runs in spaCy%s", folder.name, left_out)
        return cls(nlp, _list_types(nlp))

    def find_entities(
        self, texts: Sequence[str], prompts: Sequence[tuple[str, ...]] = ()
    ) -> list[list[Entity]]:
        """Return the entities of each text, however long, in the order of their places.

        Those of `ner` and of rules have no score. Its types are fixed: nothing is asked for.
        """
        pieces = [
            (number, start, replace_surrogates(text[start:end]))
            for number, text in enumerate(texts)
            for start, end in split_text(text)
        ]
        docs = self.nlp.pipe([piece for _, _, piece in pieces], batch_size=TEXTS_PER_BATCH)
        found: list[list[Entity]] = [[] for _ in texts]
        for (number, start, _), doc in zip(pieces, docs, strict=True):
            found[number] += _read_entities(doc, start)
        return found


def split_text(text: str) -> Iterator[tuple[int, int]]:
    """Yield the pieces of a text as start and end: whole sentences, as many as may be."""
    begin = last = 0
    gaps = sentence_gaps(text) if len(text) > MAX_CHARACTERS else ()
    for gap_start, gap_end in (*gaps, (len(text), len(text))):
        while gap_start - begin > MAX_CHARACTERS:
            end = last if last > begin else _find_space(text, begin)
            yield begin, end
            begin = end
        last = gap_end
    if begin < len(text):
        yield begin, len(text)


def _find_space(text: str, begin: int) -> int:
    """Return where a sentence that is too long is cut: behind the last space, if there is any."""
    space = text.rfind(" ", begin + 1, begin + MAX_CHARACTERS)
    return space + 1 if space > 0 else begin + MAX_CHARACTERS


def _read_factories(util: Any, folder: Path) -> Mapping[str, str]:
    """Return the factory of each component, in the pipeline's order."""
    try:
        config = util.load_config(folder / CONFIG_FILE, interpolate=False)
        components = config.get("components", {})
        names = config["nlp"]["pipeline"]
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"{folder.name}: {CONFIG_FILE} is no configuration of a pipeline of spaCy"
            f" ({type(error).__name__}: {error})"
        ) from None
    factories = {name: str(components.get(name, {}).get("factory", "")) for name in names}
    if not set(factories.values()) & set(ENTITY_FACTORIES):
        listed = ", ".join(factories) or "none"
        raise ModelError(
            f"{folder.name} is a pipeline of spaCy with the components {listed}, which find no"
            f" entities; expected: at least one of {', '.join(ENTITY_FACTORIES)}"
        )
    return factories


def _find_unneeded(factories: Mapping[str, str]) -> list[str]:
    """Return the components without which entities are the same."""
    if not set(factories.values()) <= INDEPENDENT_FACTORIES:
        return []
    return [name for name, factory in factories.items() if factory in UNNEEDED_FACTORIES]


def _list_types(nlp: Any) -> tuple[str, ...]:
    finders = (
        pipe for name, pipe in nlp.pipeline if nlp.get_pipe_meta(name).factory in ENTITY_FACTORIES
    )
    return tuple(dict.fromkeys(label for pipe in finders for label in getattr(pipe, "labels", ())))


def _read_entities(doc: Any, start: int) -> Iterator[Entity]:
    """Yield what a document's `ents` and `spans` are, at the characters of the whole text."""
    found: dict[tuple[int, int, str], float | None] = {
        (one.start_char, one.end_char, one.label_): None for one in doc.ents
    }
    for group in doc.spans.values():
        scores = group.attrs.get("scores")
        for place, span in enumerate(group):
            score = None if scores is None else float(scores[place])
            found[span.start_char, span.end_char, span.label_] = score
    for (begin, end, label), score in sorted(found.items(), key=lambda one: one[0]):
        stripped = doc.text[begin:end].strip()
        if stripped:
            begin += len(doc.text[begin:end]) - len(doc.text[begin:end].lstrip())
            yield Entity(start + begin, start + begin + len(stripped), label, score)
