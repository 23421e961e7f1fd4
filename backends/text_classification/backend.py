"""Whole texts to choices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends._transformers import hub
from backends._transformers.hub import ModelReference
from backends._transformers.model_source import ModelSource
from backends._transformers.network import PRELOAD_MODULES, estimate_size
from backends.text_classification.sequence_classifier import (
    Classification,
    ClassifierInput,
    TextClassifier,
)
from shared.backend.base import Backend, Context
from shared.backend.choices import allows_several, class_names, select_choices
from shared.backend.claim import Claim, ModelSpec
from shared.backend.passages import TEXT_TAGS, Passages
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.results import Region, whole_task
from shared.settings import BackendSettings


class TextClassificationSettings(BackendSettings):
    """TEXT_CLASSIFICATION_…"""

    model_config = SettingsConfigDict(
        env_prefix="TEXT_CLASSIFICATION_", env_ignore_empty=True, extra="ignore"
    )

    model: str = Field(
        "",
        description="A sequence classification or NLI model: a hub's name, a folder, or `starter`;"
        " empty: none",
    )
    score_threshold: float = Field(0.5, ge=0, le=1, description="Least score of a choice")
    template: str = Field(
        "This text is about {}.", description="What an NLI model is asked, {} being a choice"
    )


class TextClassificationBackend(Backend):
    """Fills Choices and Taxonomy with the classes of a text."""

    name = "text_classification"
    fills = frozenset((tag, text) for tag in ("Choices", "Taxonomy") for text in TEXT_TAGS)
    modules = ("torch", "transformers")
    preload_modules = PRELOAD_MODULES
    settings_class: ClassVar[type[BackendSettings]] = TextClassificationSettings
    example_settings: ClassVar[Mapping[str, str]] = {"TEXT_CLASSIFICATION_MODEL": "starter"}

    def claim(self, config: LabelConfig) -> list[Claim]:
        claims = [
            Claim((control,), target, self.spec(control), self.options(control))
            for control, target in config.pairs()
            if (control.tag, target.tag) in self.fills and not control.per_region
        ]
        return list(self.with_task_labels(claims))

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Controls on one text share one pass, so each knows the names that all ask about."""
        asked: dict[str, dict[str, None]] = {}
        for claim in claims:
            asked.setdefault(claim.object.name, {}).update(
                dict.fromkeys(class_names(claim.control))
            )
        return [
            replace(claim, options={**claim.options, "names": tuple(asked[claim.object.name])})
            for claim in claims
        ]

    def spec(self, control: Control) -> ModelSpec:
        if not self.settings.model:
            raise ConfigError(
                f"{control} needs a model: set TEXT_CLASSIFICATION_MODEL", control.name
            )
        return ModelSpec(self.name, self.settings.model)

    def options(self, control: Control) -> Mapping[str, Any]:
        threshold = control.number(
            "model_score_threshold", self.settings.score_threshold, low=0, high=1
        )
        return {"score_threshold": threshold, "template": self.settings.template}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, self.settings.model),) if self.settings.model else ()

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return hub.find_files(_wanted(spec), self.server_settings)

    def load(self, spec: ModelSpec) -> TextClassifier:
        folder = hub.find_folder(_wanted(spec), self.server_settings)
        digest = self.weights_hash(spec)
        kept = self.server_settings.cache_dir / "openvino" / f"{spec.label}-{digest[:16]}"
        source = ModelSource("AutoModelForSequenceClassification", folder, kept, spec.label)
        return TextClassifier.load(source, self.server_settings)

    def read(self, task: Task, claim: Claim, context: Context | None) -> ClassifierInput:
        text = Passages.read(task, claim.object, self.media).text
        return ClassifierInput(text, claim.options["names"], claim.options["template"])

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 256

    def read_ahead(self, claim: Claim) -> int:
        return 1024

    def reads_inline(self, claim: Claim) -> bool:
        return not claim.object.is_at_address

    def item_size(self, item: ClassifierInput) -> float:
        return estimate_size(item.text)

    def infer(
        self, model: TextClassifier, items: list[ClassifierInput]
    ) -> Sequence[Classification]:
        return model.classify(items)

    def regions(self, output: Classification, claim: Claim) -> Iterable[Region]:
        several = allows_several(claim.control)
        asked = class_names(claim.control) if output.kind == "named" else output.classes
        scores = output.scores(asked, several)
        one = output.kind == "one" or (output.kind == "named" and not several)
        found = select_choices(scores, claim, one)
        if found is not None:
            yield whole_task(claim.control, found.answer, score=found.score)


def _wanted(spec: ModelSpec) -> ModelReference:
    starter = Path(__file__).parent / "starter" / "weights"
    return ModelReference(spec.model, "TEXT_CLASSIFICATION_MODEL", starter)
