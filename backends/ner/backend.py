"""Texts to entities."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends._transformers import hub
from backends._transformers.hub import ModelReference
from backends._transformers.model_source import ModelSource
from backends._transformers.network import PRELOAD_MODULES, estimate_size
from backends.ner.entities import Entity, Labels, entities, token_scores, type_of
from backends.ner.gliner import CONFIG, ZeroShot, is_zero_shot, prompt
from backends.ner.propagate import UserSpan, marks_of, other_occurrences
from backends.ner.token_classifier import TokenClassifier, TokenScores
from backends.ner.word_aggregation import STRATEGIES, words
from shared.backend.base import Backend, Context
from shared.backend.claim import Claim, ModelSpec
from shared.backend.passages import Passages
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.results import Region, region
from shared.settings import BackendSettings

# Names under which the common types are known in label configs.
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


class NerSettings(BackendSettings):
    """NER_…"""

    model_config = SettingsConfigDict(env_prefix="NER_", env_ignore_empty=True, extra="ignore")

    model: str = Field(
        "dslim/bert-base-NER",
        description="A token classification or GLiNER model: a hub's name, a folder, or `starter`",
    )
    score_threshold: float = Field(0.5, ge=0, le=1, description="Least score of an entity")
    aggregation: Literal["simple", "first", "average", "max"] = Field(
        "first", description="What makes a word's tag: simple, first, average or max"
    )


class NerInput(NamedTuple):
    """What is to be read, for a zero-shot model of which types; or what the user marked in it."""

    passages: Passages
    marks: tuple[UserSpan, ...] | None = None
    prompt: tuple[str, ...] = ()


class NerOutput(NamedTuple):
    """An item as the model read it: of each passage the tags' chances, or the entities."""

    item: NerInput
    reads: Sequence[TokenScores] = ()
    tags: Sequence[str] = ()
    found: Sequence[Sequence[Entity]] = ()


class NerBackend(Backend):
    """Fills Labels, HyperTextLabels and ParagraphLabels with what a token classifier finds."""

    name = "ner"
    fills = frozenset(
        {("Labels", "Text"), ("HyperTextLabels", "HyperText"), ("ParagraphLabels", "Paragraphs")}
    )
    modules = ("torch", "transformers")
    preload_modules = PRELOAD_MODULES
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = NerSettings
    example_settings: ClassVar[Mapping[str, str]] = {"NER_MODEL": "starter"}

    def claim(self, config: LabelConfig) -> list[Claim]:
        return list(self.with_task_labels(super().claim(config)))

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Controls on one text share one pass: a zero-shot model is asked for what all name."""
        if not is_zero_shot(self.settings.model, self.server_settings):
            return claims
        asked: dict[str, dict[str, None]] = {}
        for claim in claims:
            asked.setdefault(claim.object.name, {}).update(dict.fromkeys(prompt(claim.control)))
        return [
            replace(claim, options={**claim.options, "prompt": tuple(asked[claim.object.name])})
            for claim in claims
        ]

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, self.settings.model)

    def options(self, control: Control) -> Mapping[str, Any]:
        threshold = control.number(
            "model_score_threshold", self.settings.score_threshold, low=0, high=1
        )
        told = {"token_scores": True} if control.flag("model_token_scores") else {}
        return {"score_threshold": threshold, "aggregation": self._aggregation(control), **told}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, self.settings.model),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return hub.find_files(_wanted(spec), self.server_settings)

    def load(self, spec: ModelSpec) -> TokenClassifier | ZeroShot:
        folder = hub.find_folder(_wanted(spec), self.server_settings)
        if (folder / CONFIG).is_file():
            return ZeroShot.load(folder, self.server_settings)
        digest = self.weights_hash(spec)
        kept = self.server_settings.cache_dir / "openvino" / f"{spec.label}-{digest[:16]}"
        source = ModelSource("AutoModelForTokenClassification", folder, kept, spec.label)
        return TokenClassifier.load(source, self.server_settings)

    def read(self, task: Task, claim: Claim, context: Context | None) -> NerInput:
        passages = Passages.read(task, claim.object, self.media)
        if context is None:
            return NerInput(passages, prompt=claim.options.get("prompt", ()))
        return NerInput(passages, marks_of(context, self.config, claim.object, passages))

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 256

    def read_ahead(self, claim: Claim) -> int:
        return 1024

    def reads_inline(self, claim: Claim) -> bool:
        return not claim.object.is_at_address

    def item_size(self, item: NerInput) -> float:
        return sum(estimate_size(passage.text) for passage in item.passages.passages)

    def infer(
        self, model: TokenClassifier | ZeroShot, items: list[NerInput]
    ) -> Sequence[NerOutput]:
        asked = [item.passages.passages if item.marks is None else () for item in items]
        texts = [passage.text for parts in asked for passage in parts]
        if isinstance(model, ZeroShot):
            prompts = [item.prompt for item, parts in zip(items, asked, strict=True) for _ in parts]
            found = iter(model.find(texts, prompts))
            return [
                NerOutput(item, found=[next(found) for _ in parts])
                for item, parts in zip(items, asked, strict=True)
            ]
        read = iter(model.read(texts))
        return [
            NerOutput(item, [next(read) for _ in parts], model.tags)
            for item, parts in zip(items, asked, strict=True)
        ]

    def regions(self, output: NerOutput, claim: Claim) -> Iterable[Region]:
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


def _found(output: NerOutput, claim: Claim) -> Iterable[Region]:
    types = dict.fromkeys(output.item.prompt or map(type_of, output.tags))
    types.pop("O", None)
    labels = claim.labels_for(types, aliases=ALIASES)
    passages = output.item.passages
    for place, found in enumerate(_entities(output, claim, labels)):
        for entity in found:
            if entity.type in labels and entity.score >= claim.options["score_threshold"]:
                shape = passages.to_shape(passages.passages[place], entity.start, entity.end)
                marks = {claim.control: [labels[entity.type]]}
                meta = (
                    _meta(entity, output, place, labels) if "token_scores" in claim.options else {}
                )
                yield region(shape, marks, source=passages.source, score=entity.score, **meta)


def _meta(entity: Entity, output: NerOutput, place: int, labels: Labels) -> Mapping[str, Any]:
    """The scores of an entity's tokens; nothing of a zero-shot model, which has none."""
    if not output.reads:
        return {}
    scores = token_scores(entity, *output.reads[place], output.tags, labels)
    return {"meta": {"token_scores": scores}}


def _entities(output: NerOutput, claim: Claim, labels: Labels) -> Iterable[Sequence[Entity]]:
    """The entities of each passage."""
    if output.found:
        return output.found
    strategy = claim.options["aggregation"]
    return (
        entities(words(*read, output.tags, strategy), read.text, labels) for read in output.reads
    )


def _repeats(passages: Passages, marks: Iterable[UserSpan], control: Control) -> Iterable[Region]:
    """What the user marked with a control tag, wherever else it stands; nothing twice."""
    taken = {mark.shape for mark in marks if mark.control == control.name}
    for mark in marks:
        if mark.control == control.name:
            for shape in other_occurrences(mark, passages):
                if shape not in taken:
                    taken.add(shape)
                    yield region(shape, {control: list(mark.labels)}, source=passages.source)


def _wanted(spec: ModelSpec) -> ModelReference:
    starter = Path(__file__).parent / "starter" / "weights"
    return ModelReference(spec.model, "NER_MODEL", starter)
