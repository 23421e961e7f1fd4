"""Texts to entities."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends._text import weights
from backends._text.network import IMPORTS, Source
from backends._text.weights import Wanted
from backends.ner.marks import Mark, elsewhere, marks_of
from backends.ner.model import Read, TokenClassifier
from backends.ner.spans import entities, type_of
from backends.ner.words import STRATEGIES, words
from shared.backend import Backend, Context
from shared.claim import Claim, ModelSpec
from shared.errors import ConfigError
from shared.label_config import Control
from shared.passages import Passages
from shared.results import Region, region
from shared.runtime import runtime
from shared.settings import BackendSettings
from shared.task import Task

ALIASES = {
    "PER": ("PERSON", "People", "Name"),
    "PERSON": ("PER", "People", "Name"),
    "LOC": ("LOCATION", "Place", "GPE"),
    "GPE": ("LOCATION", "LOC", "Place"),
    "LOCATION": ("LOC", "GPE", "Place"),
    "ORG": ("ORGANIZATION", "ORGANISATION", "Company"),
    "ORGANIZATION": ("ORG", "ORGANISATION", "Company"),
    "MISC": ("MISCELLANEOUS", "Other"),
}
"""Names under which the common types are known in label configs."""


class NerSettings(BackendSettings):
    """NER_…"""

    model_config = SettingsConfigDict(env_prefix="NER_", env_ignore_empty=True, extra="ignore")

    model: str = Field(
        "dslim/bert-base-NER",
        description="A token classification model: a hub's name, a folder, or `starter`",
    )
    score_threshold: float = Field(0.5, ge=0, le=1, description="Least score of an entity")
    aggregation: Literal["simple", "first", "average", "max"] = Field(
        "first", description="What makes a word's tag: simple, first, average or max"
    )


class Item(NamedTuple):
    """What is to be read, or what the user has marked in it."""

    passages: Passages
    marks: tuple[Mark, ...] | None = None


class Output(NamedTuple):
    """An item as the model read it: each passage, and the tags of the chances."""

    item: Item
    reads: Sequence[Read]
    tags: Sequence[str]


class NerBackend(Backend):
    """Fills Labels, HyperTextLabels and ParagraphLabels with what a token classifier finds."""

    name = "ner"
    fills = frozenset(
        {("Labels", "Text"), ("HyperTextLabels", "HyperText"), ("ParagraphLabels", "Paragraphs")}
    )
    modules = ("torch", "transformers")
    imports = IMPORTS
    batch_size = 64
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = NerSettings
    example_settings: ClassVar[Mapping[str, str]] = {"NER_MODEL": "starter"}

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, self.settings.model)

    def options(self, control: Control) -> Mapping[str, Any]:
        threshold = control.number(
            "model_score_threshold", self.settings.score_threshold, low=0, high=1
        )
        return {"score_threshold": threshold, "aggregation": self._aggregation(control)}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, self.settings.model),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return weights.files(_wanted(spec), self.server_settings)

    def load(self, spec: ModelSpec) -> TokenClassifier:
        folder = weights.folder(_wanted(spec), self.server_settings)
        digest = runtime().models.find_weights(self, spec)
        kept = self.server_settings.cache_dir / "openvino" / f"{spec.label}-{digest[:16]}"
        source = Source("AutoModelForTokenClassification", folder, kept)
        return TokenClassifier.load(source, self.server_settings)

    def read(self, task: Task, claim: Claim, context: Context | None) -> Item:
        passages = Passages.read(task, claim.object, self.media)
        if context is None:
            return Item(passages)
        return Item(passages, marks_of(context, self.config, claim.object, passages))

    def infer(self, model: TokenClassifier, items: list[Item]) -> Sequence[Output]:
        asked = [item.passages.parts if item.marks is None else () for item in items]
        read = iter(model.read([passage.text for parts in asked for passage in parts]))
        return [
            Output(item, [next(read) for _ in parts], model.tags)
            for item, parts in zip(items, asked, strict=True)
        ]

    def regions(self, output: Output, claim: Claim) -> Iterable[Region]:
        if output.item.marks is not None:
            return _repeats(output.item.passages, output.item.marks, claim.control)
        return _found(output, claim)

    def _aggregation(self, control: Control) -> str:
        chosen = control.attrs.get("model_aggregation", "").strip() or self.settings.aggregation
        if chosen not in STRATEGIES:
            raise ConfigError(
                f'{control}: model_aggregation="{chosen}" should be one of {", ".join(STRATEGIES)}',
                control.name,
            )
        return str(chosen)


def _found(output: Output, claim: Claim) -> Iterable[Region]:
    types = dict.fromkeys(type_of(tag) for tag in output.tags)
    types.pop("O", None)
    labels = claim.label_map(types, aliases=ALIASES).to_label
    passages = output.item.passages
    for passage, read in zip(passages.parts, output.reads, strict=True):
        tagged = words(*read, output.tags, claim.options["aggregation"])
        for entity in entities(tagged, passage.text):
            if entity.type in labels and entity.score >= claim.options["score_threshold"]:
                shape = passages.shape(passage, entity.start, entity.end)
                marks = {claim.control: [labels[entity.type]]}
                yield region(shape, marks, on=passages.on, score=entity.score)


def _repeats(passages: Passages, marks: Iterable[Mark], control: Control) -> Iterable[Region]:
    """What the user marked with a control tag, wherever else it stands; nothing twice."""
    taken = {mark.shape for mark in marks if mark.control == control.name}
    for mark in marks:
        if mark.control == control.name:
            for shape in elsewhere(mark, passages):
                if shape not in taken:
                    taken.add(shape)
                    yield region(shape, {control: list(mark.labels)}, on=passages.on)


def _wanted(spec: ModelSpec) -> Wanted:
    starter = Path(__file__).parent / "starter" / "weights"
    return Wanted(spec.model, "NER_MODEL", starter)
