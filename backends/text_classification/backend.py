"""Whole texts to choices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends._text import weights
from backends._text.engine import Source
from backends._text.network import IMPORTS, size_of
from backends._text.weights import Wanted
from backends.text_classification.model import Classified, Question, TextClassifier
from shared.backend import Backend, Context
from shared.choice import answer, names, takes_several
from shared.claim import Claim, ModelSpec
from shared.errors import ConfigError
from shared.label_config import Control, LabelConfig
from shared.passages import TEXT_TAGS, Passages
from shared.results import Region, whole_task
from shared.runtime import runtime
from shared.settings import BackendSettings
from shared.task import Task


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
    imports = IMPORTS
    batch_size = 256
    ahead = 1024
    settings_class: ClassVar[type[BackendSettings]] = TextClassificationSettings
    example_settings: ClassVar[Mapping[str, str]] = {"TEXT_CLASSIFICATION_MODEL": "starter"}

    def claim(self, config: LabelConfig) -> list[Claim]:
        claims = [
            Claim((control,), target, self.spec(control), self.options(control))
            for control, target in config.pairs()
            if (control.tag, target.tag) in self.fills and not control.per_region
        ]
        return list(self.with_labels(claims))

    def with_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Controls on one text share one pass, so each knows the names that all ask about."""
        asked: dict[str, dict[str, None]] = {}
        for claim in claims:
            asked.setdefault(claim.object.name, {}).update(dict.fromkeys(names(claim.control)))
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
        return weights.files(_wanted(spec), self.server_settings)

    def load(self, spec: ModelSpec) -> TextClassifier:
        folder = weights.folder(_wanted(spec), self.server_settings)
        digest = runtime().models.find_weights(self, spec)
        kept = self.server_settings.cache_dir / "openvino" / f"{spec.label}-{digest[:16]}"
        source = Source("AutoModelForSequenceClassification", folder, kept, spec.label)
        return TextClassifier.load(source, self.server_settings)

    def read(self, task: Task, claim: Claim, context: Context | None) -> Question:
        text = Passages.read(task, claim.object, self.media).text
        return Question(text, claim.options["names"], claim.options["template"])

    def reads_at_once(self, claim: Claim) -> bool:
        return not claim.object.is_at_address

    def item_size(self, item: Question) -> float:
        return size_of(item.text)

    def infer(self, model: TextClassifier, items: list[Question]) -> Sequence[Classified]:
        return model.classify(items)

    def regions(self, output: Classified, claim: Claim) -> Iterable[Region]:
        several = takes_several(claim.control)
        asked = names(claim.control) if output.kind == "named" else output.classes
        scores = output.scores(asked, several)
        one = output.kind == "one" or (output.kind == "named" and not several)
        found = answer(scores, claim, one)
        if found is not None:
            yield whole_task(claim.control, found.answer, score=found.score)


def _wanted(spec: ModelSpec) -> Wanted:
    starter = Path(__file__).parent / "starter" / "weights"
    return Wanted(spec.model, "TEXT_CLASSIFICATION_MODEL", starter)
