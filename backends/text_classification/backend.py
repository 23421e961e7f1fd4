"""The text classification backend: whole texts to choices."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends._transformers.backend import TransformersBackend, merge_prompts
from backends._transformers.engine import TextModel
from backends._transformers.hub import FILE_PATTERNS, STARTER
from backends._transformers.model_source import ModelSource
from backends._transformers.network import estimate_size
from backends.text_classification.mean_head import MeanHead
from backends.text_classification.sequence_classifier import (
    NO_CLASSES,
    Classification,
    ClassifierInput,
    TextClassifier,
    compare_classifications,
    with_head_class,
)
from backends.text_classification.sklearn_pipeline import (
    SUFFIX,
    SklearnPipeline,
    file_in,
    find_file,
)
from shared.backend import (
    BackendSettings,
    Claim,
    Context,
    Control,
    LabelConfig,
    ModelSpec,
    Passages,
    Task,
    select_choices,
)
from shared.backend.choices import allows_several, class_names
from shared.backend.passages import TEXT_TAGS
from shared.backend.training import TrainingRun
from shared.errors import ConfigError
from shared.results import Region, whole_task
from shared.settings import Names

Model = TextClassifier | SklearnPipeline


class TextClassificationSettings(BackendSettings):
    """Environment variables TEXT_CLASSIFICATION_…"""

    model_config = SettingsConfigDict(
        env_prefix="TEXT_CLASSIFICATION_", env_ignore_empty=True, extra="ignore"
    )

    model: str = Field(
        "",
        description="A sequence classification or NLI model: a hub's name, a folder, or `starter`;"
        " or a pipeline of scikit-learn: a file of skops (`topics.skops`); empty: none",
    )
    train_base: str = Field(
        "",
        description="The encoder that trainings begin with: a hub's name, a folder, or `starter`;"
        " empty: that of TEXT_CLASSIFICATION_MODEL",
    )
    train: Literal["auto", "linear", "full"] = Field(
        "auto",
        description="What is trained: a head on a frozen encoder (linear), the whole network"
        " (full), or what the number of texts allows (auto)",
    )
    score_threshold: float = Field(0.5, ge=0, le=1, description="Minimum score of a choice")
    trusted_types: Names = Field(
        (),
        description="Types that a file of skops may hold besides those of scikit-learn, NumPy and"
        " SciPy, comma-separated: their code runs here",
    )
    template: str = Field(
        "This text is about {}.",
        description="Sentence that an NLI model is asked about; {} is a choice",
    )


class TextClassificationBackend(TransformersBackend):
    """Fills Choices and Taxonomy with the classes of a text."""

    name = "text_classification"
    fills = frozenset((tag, text) for tag in ("Choices", "Taxonomy") for text in TEXT_TAGS)
    auto_class = "AutoModelForSequenceClassification"
    starter_folder = Path(__file__).parent / "starter" / "weights"
    file_patterns = (*FILE_PATTERNS, f"*{SUFFIX}")
    telling_files = ("config.json",)
    expected_models = (
        "config.json, tokenizer.json and model.safetensors of a sequence classifier; or one file of"
        f" skops (*{SUFFIX}) with a pipeline of scikit-learn"
    )
    dataset_format = "jsonl"
    settings_class: ClassVar[type[BackendSettings]] = TextClassificationSettings
    example_settings: ClassVar[Mapping[str, str]] = {"TEXT_CLASSIFICATION_MODEL": "starter"}

    def claim(self, config: LabelConfig) -> list[Claim]:
        claims = [
            Claim((control,), target, self.spec(control), self.options(control))
            for control, target in config.tag_pairs()
            if (control.tag, target.tag) in self.fills and not control.per_region
            if self._has_model(control)
        ]
        return list(self.with_task_labels(claims))

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        """Yield which control tags it would fill with a model."""
        for control, target in config.tag_pairs():
            fills = (control.tag, target.tag) in self.fills and not control.per_region
            if fills and not self._has_model(control):
                yield f"{self.name}: {_describe_missing_model(control)}"

    def _has_model(self, control: Control) -> bool:
        settings: TextClassificationSettings = self.settings
        return bool(settings.model or settings.train_base or self.trained_spec(control))

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Return the claims with the choices that an NLI model is asked about."""
        return merge_prompts(claims, "names", class_names)

    def spec(self, control: Control) -> ModelSpec:
        trained = self.trained_spec(control)
        if trained is not None:
            return trained
        if not self._has_model(control):
            raise ConfigError(_describe_missing_model(control), control.name)
        return ModelSpec(self.name, self.settings.model)

    def options(self, control: Control) -> Mapping[str, Any]:
        return {
            "score_threshold": self.score_threshold(control),
            "template": self.settings.template,
        }

    def train(self, run: TrainingRun) -> None:
        from backends.text_classification.training import train_classifier

        train_classifier(run, self.find_base(), self.settings.train)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        if not spec.model:
            return ()
        pipeline = self._find_pipeline(spec)
        return (pipeline,) if pipeline else super().weights(spec)

    def _find_pipeline(self, spec: ModelSpec) -> Path | None:
        """Return the file of a pipeline of scikit-learn; None if the model is another one."""
        if spec.trained_version or spec.model == STARTER:
            return None
        found = find_file(spec.model, self.server_settings)
        is_named = spec.model.count("/") == 1 and not Path(spec.model).exists()
        return file_in(self.find_folder(spec)) if found is None and is_named else found

    def load(self, spec: ModelSpec) -> Model | None:
        """Load the model; None where there is none until one is trained."""
        if not spec.model:
            return None
        pipeline = self._find_pipeline(spec)
        if pipeline is not None:
            trusted = self.settings.trusted_types
            return SklearnPipeline.load(pipeline, self.server_settings, trusted)
        source, trained = self.find_source(spec), bool(spec.trained_version)
        return TextClassifier.load(source, self.server_settings, trained)

    def open_model(self, source: ModelSource, model: TextModel) -> TextClassifier:
        return TextClassifier(*model, MeanHead.load(source.folder))

    def compare_outputs(self, expected: Classification, found: Classification) -> float:
        return compare_classifications(expected, found)

    def complete_source(self, source: ModelSource) -> ModelSource:
        return with_head_class(source, MeanHead.load(source.folder))

    def read(self, task: Task, claim: Claim, context: Context | None) -> ClassifierInput:
        text = Passages.read(task, claim.object, self.media).text
        return ClassifierInput(text, claim.options["names"], claim.options["template"])

    def item_size(self, item: ClassifierInput) -> float:
        return estimate_size(item.text)

    def infer(self, model: Model | None, items: list[ClassifierInput]) -> Sequence[Classification]:
        if model is None:
            return [NO_CLASSES] * len(items)
        return model.classify(items)

    def embed(
        self, model: Model | None, items: list[ClassifierInput], claims: Sequence[Claim]
    ) -> Any:
        if not isinstance(model, TextClassifier):
            return super().embed(model, items, claims)
        return model.embed(items)

    def regions(self, output: Classification, claim: Claim) -> Iterable[Region]:
        if not claim.spec.model:
            claim.warn_once(f"{claim.control} is filled by no model until one has been trained")
            return
        several = allows_several(claim.control)
        classes = class_names(claim.control) if output.kind == "named" else output.classes
        scores = output.score_classes(classes, several)
        exclusive = output.kind == "one" or (output.kind == "named" and not several)
        chosen = select_choices(scores, claim, exclusive)
        if chosen is not None:
            yield whole_task(claim.control, chosen.answer, score=chosen.score)


def _describe_missing_model(control: Control) -> str:
    return (
        f"{control} needs a model: set TEXT_CLASSIFICATION_MODEL, or"
        " TEXT_CLASSIFICATION_TRAIN_BASE and train one"
    )
