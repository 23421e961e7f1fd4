"""Texts to entities."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.ner import weights
from backends.ner.model import TokenClassifier
from backends.ner.spans import Entity, entities
from shared.backend import Backend
from shared.claim import Claim, ModelSpec
from shared.label_config import Control
from shared.results import Region, TextSpan, region
from shared.settings import BackendSettings

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


class NerBackend(Backend):
    """Fills Labels on Text with the entities that a token classifier finds."""

    name = "ner"
    fills = frozenset({("Labels", "Text")})
    modules = ("torch", "transformers")
    batch_size = 32
    settings_class: ClassVar[type[BackendSettings]] = NerSettings
    example_settings: ClassVar[Mapping[str, str]] = {"NER_MODEL": "starter"}

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, self.settings.model)

    def options(self, control: Control) -> Mapping[str, Any]:
        threshold = control.number(
            "model_score_threshold", self.settings.score_threshold, low=0, high=1
        )
        return {"score_threshold": threshold}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, self.settings.model),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        found = weights.folder(spec.model, self.server_settings)
        return [path for pattern in weights.KEPT for path in found.glob(pattern)]

    def load(self, spec: ModelSpec) -> TokenClassifier:
        folder = weights.folder(spec.model, self.server_settings)
        return TokenClassifier.load(folder, _device(self.server_settings.device))

    def infer(self, model: TokenClassifier, items: list[str]) -> Sequence[Any]:
        words = model.tag(items, self.batch_size)
        types = tuple(dict.fromkeys(tag.split("-", 1)[-1] for tag in model.tags if tag != "O"))
        tagged = zip(items, words, strict=True)
        return [(text, entities(found, text), types) for text, found in tagged]

    def regions(
        self, output: tuple[str, list[Entity], tuple[str, ...]], claim: Claim
    ) -> Iterable[Region]:
        text, found, types = output
        labels = claim.label_map(types, aliases=ALIASES).to_label
        for entity in found:
            if entity.type in labels and entity.score >= claim.options["score_threshold"]:
                span = TextSpan(entity.start, entity.end)
                marks = {claim.control: [labels[entity.type]]}
                yield region(span, marks, on=text, score=entity.score)


def _device(setting: str) -> str:
    import torch

    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"
