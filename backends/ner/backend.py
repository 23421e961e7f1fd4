"""The NER backend: texts to entities."""

import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends._transformers.backend import TransformersBackend, merge_prompts
from backends._transformers.engine import TextModel
from backends._transformers.model_source import ModelSource
from backends._transformers.network import estimate_size
from backends.ner.entities import (
    OUTSIDE,
    Entity,
    LabelsByType,
    compare_entities,
    entity_type,
    group_entities,
    score_tokens,
)
from backends.ner.gliner import CONFIG_FILE, GlinerModel, is_gliner, prompt_types
from backends.ner.propagate import UserSpan, other_occurrences, user_spans
from backends.ner.spacy_pipeline import SpacyPipeline, find_pipeline, list_pipeline_files
from backends.ner.token_classifier import TokenClassifier, TokenScores
from backends.ner.word_aggregation import STRATEGIES, aggregate_words
from shared.backend import (
    BackendSettings,
    Claim,
    Context,
    Control,
    LabelConfig,
    ModelSpec,
    Passages,
    Task,
)
from shared.backend.installation import extra_command
from shared.backend.training import TrainingRun
from shared.errors import ConfigError
from shared.results import Region, region

# Other names of the common types, as label configs have them.
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


# How flair calls the file of a tagger, and why none is read.
FLAIR_FILES = ("pytorch_model.bin", "final-model.pt", "best-model.pt")
FLAIR_REFUSAL = (
    "A tagger of Flair is a pickle, which can contain code, and flair needs a transformers that is"
    " older than ours: let it predict in its own environment, and train a token classifier here on"
    " what annotators make of that"
)

NerModel = TokenClassifier | GlinerModel | SpacyPipeline


class NerSettings(BackendSettings):
    """Environment variables NER_…"""

    model_config = SettingsConfigDict(env_prefix="NER_", env_ignore_empty=True, extra="ignore")

    model: str = Field(
        "dslim/bert-base-NER",
        description="A token classification or GLiNER model: a hub's name, a folder, or `starter`;"
        " or a pipeline of spaCy: a folder, or an installed package",
    )
    score_threshold: float = Field(0.5, ge=0, le=1, description="Minimum score of an entity")
    train_base: str = Field(
        "",
        description="The encoder that trainings begin with: a hub's name, a folder, or `starter`;"
        " empty: that of NER_MODEL",
    )
    aggregation: Literal["simple", "first", "average", "max"] = Field(
        "first", description="How tokens make a word's tag: simple, first, average or max"
    )


class NerInput(NamedTuple):
    """The passages of a task; the types to ask a GLiNER model for, or what the user marked."""

    passages: Passages
    user_spans: tuple[UserSpan, ...] | None = None
    prompt: tuple[str, ...] = ()


class NerOutput(NamedTuple):
    """An input with what the model found in each passage.

    A token classifier gives `token_scores` and the names of its `tags`, all others `entities`, and
    the `types` that these may have where they are not those that were asked for.
    """

    item: NerInput
    token_scores: Sequence[TokenScores] = ()
    tags: Sequence[str] = ()
    entities: Sequence[Sequence[Entity]] = ()
    types: Sequence[str] = ()

    def list_types(self) -> Sequence[str]:
        """Return the types that entities may have."""
        return self.item.prompt or self.types or [entity_type(tag) for tag in self.tags]


class NerBackend(TransformersBackend):
    """Fills Labels, HyperTextLabels and ParagraphLabels with the entities of a text."""

    name = "ner"
    fills = frozenset(
        {("Labels", "Text"), ("HyperTextLabels", "HyperText"), ("ParagraphLabels", "Paragraphs")}
    )
    auto_class = "AutoModelForTokenClassification"
    starter_folder = Path(__file__).parent / "starter" / "weights"
    telling_files = ("config.json", CONFIG_FILE)
    expected_models = (
        "config.json, tokenizer.json and model.safetensors of a token classifier;"
        " gliner_config.json and model.safetensors of GLiNER; or config.cfg of a pipeline of spaCy"
    )
    interactive = True
    dataset_format = "jsonl"
    settings_class: ClassVar[type[BackendSettings]] = NerSettings
    example_settings: ClassVar[Mapping[str, str]] = {"NER_MODEL": "starter"}

    def claim(self, config: LabelConfig) -> list[Claim]:
        return list(self.with_task_labels(super().claim(config)))

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Return the claims with the types that a GLiNER model is asked for."""
        asked = (claim for claim in claims if self._is_gliner(claim.spec))
        prompted = iter(merge_prompts(list(asked), "prompt", prompt_types))
        return [next(prompted) if self._is_gliner(claim.spec) else claim for claim in claims]

    def explain_folder(self, model: str, folder: Path) -> str:
        is_flair = model.startswith("flair/") or any(
            (folder / name).is_file() for name in FLAIR_FILES
        )
        return f". {FLAIR_REFUSAL}" if is_flair else ""

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        pipeline = self._find_pipeline(spec)
        return list_pipeline_files(pipeline) if pipeline else super().weights(spec)

    def _find_pipeline(self, spec: ModelSpec) -> Path | None:
        """Return the folder of a pipeline of spaCy; None if the model is another one."""
        if spec.trained_version:
            return None
        return find_pipeline(spec.model, self.server_settings)

    def _is_gliner(self, spec: ModelSpec) -> bool:
        return is_gliner(spec.model, self.server_settings)

    def spec(self, control: Control) -> ModelSpec:
        return self.trained_spec(control) or ModelSpec(self.name, self.settings.model)

    def options(self, control: Control) -> Mapping[str, Any]:
        options = {
            "score_threshold": self.score_threshold(control),
            "aggregation": self._read_aggregation(control),
        }
        # Absent by default: what is in the options is part of the version.
        return options | ({"token_scores": True} if control.get_flag("model_token_scores") else {})

    def training_obstacle(self, claim: Claim) -> str | None:
        obstacle = super().training_obstacle(claim)
        base = self.settings.train_base or self.settings.model
        if obstacle is None and self._find_pipeline(ModelSpec(self.name, base)):
            return (
                f"{base} is a pipeline of spaCy, which is not trained here: NER_TRAIN_BASE names"
                " the encoder of a token classifier that is"
            )
        if obstacle is None and self._trains_gliner and importlib.util.find_spec("gliner") is None:
            command = extra_command("gliner")
            return f"gliner is not installed: install the extra, e.g. {command}"
        return obstacle

    def train(self, run: TrainingRun) -> None:
        base = self.find_base()
        if self._trains_gliner:
            from backends.ner.gliner_training import GlinerBase, train_gliner

            threshold = self.score_threshold(run.control)
            train_gliner(run, GlinerBase(base, ALIASES, threshold, self.server_settings))
        else:
            from backends.ner.training import train_tagger

            train_tagger(run, base, ALIASES)

    @property
    def _trains_gliner(self) -> bool:
        base = self.settings.train_base or self.settings.model
        return is_gliner(base, self.server_settings)

    def load(self, spec: ModelSpec) -> NerModel:
        pipeline = self._find_pipeline(spec)
        if pipeline is not None:
            return SpacyPipeline.load(pipeline, self.server_settings)
        source = self.find_source(spec)
        if (source.folder / CONFIG_FILE).is_file():
            return GlinerModel.load(source.folder, self.server_settings)
        return TokenClassifier.load(source, self.server_settings)

    def open_model(self, source: ModelSource, model: TextModel) -> TokenClassifier:
        return TokenClassifier(*model)

    def compare_outputs(self, expected: NerOutput, found: NerOutput) -> float:
        pairs = zip(self._group(expected), self._group(found), strict=True)
        return max((compare_entities(*pair) for pair in pairs), default=0.0)

    def _group(self, output: NerOutput) -> Iterator[Sequence[Entity]]:
        """Yield the entities of each passage, of any score, by the settings alone."""
        for scores in output.token_scores:
            words = aggregate_words(*scores, output.tags, self.settings.aggregation)
            yield group_entities(words, scores.text)

    def read(self, task: Task, claim: Claim, context: Context | None) -> NerInput:
        passages = Passages.read(task, claim.object, self.media)
        if context is None:
            return NerInput(passages, prompt=claim.options.get("prompt", ()))
        return NerInput(passages, user_spans(context, self.config, claim.object, passages))

    def item_size(self, item: NerInput) -> float:
        return sum(estimate_size(passage.text) for passage in item.passages.passages)

    def infer(self, model: NerModel, items: list[NerInput]) -> Sequence[NerOutput]:
        # What the user marked is looked up in the text: no model is asked.
        passages = [item.passages.passages if item.user_spans is None else () for item in items]
        texts = [passage.text for parts in passages for passage in parts]
        if not isinstance(model, TokenClassifier):
            prompts = [
                item.prompt for item, parts in zip(items, passages, strict=True) for _ in parts
            ]
            entities = iter(model.find_entities(texts, prompts))
            return [
                NerOutput(item, entities=[next(entities) for _ in parts], types=model.types)
                for item, parts in zip(items, passages, strict=True)
            ]
        scores = iter(model.classify_tokens(texts))
        return [
            NerOutput(item, [next(scores) for _ in parts], model.tags)
            for item, parts in zip(items, passages, strict=True)
        ]

    def embed(self, model: NerModel, items: list[NerInput], claims: Sequence[Claim]) -> Any:
        if not isinstance(model, TokenClassifier):  # GLiNER's also reads what is asked for
            return super().embed(model, items, claims)
        return model.embed([item.passages.text for item in items])

    def regions(self, output: NerOutput, claim: Claim) -> Iterable[Region]:
        if output.item.user_spans is not None:
            return _mark_other_occurrences(
                output.item.passages, output.item.user_spans, claim.control
            )
        return _mark_entities(output, claim)

    def _read_aggregation(self, control: Control) -> str:
        strategy = control.attrs.get("model_aggregation", "").strip() or self.settings.aggregation
        if strategy not in STRATEGIES:
            raise ConfigError(
                f'{control}: model_aggregation="{strategy}" should be one of'
                f" {', '.join(STRATEGIES)}",
                control.name,
            )
        return str(strategy)


def _mark_entities(output: NerOutput, claim: Claim) -> Iterable[Region]:
    types = dict.fromkeys(output.list_types())
    types.pop(OUTSIDE, None)
    labels = claim.labels_for(types, aliases=ALIASES)
    passages = output.item.passages
    for index, entities in enumerate(_find_entities(output, claim, labels)):
        for entity in entities:
            if entity.type in labels and entity.reaches(claim.options["score_threshold"]):
                shape = passages.to_shape(passages.passages[index], entity.start, entity.end)
                values = {claim.control: [labels[entity.type]]}
                meta = {}
                if "token_scores" in claim.options and output.token_scores:
                    scores = output.token_scores[index]
                    tokens = score_tokens(entity, *scores, output.tags, labels)
                    meta = {"meta": {"token_scores": tokens}}
                yield region(shape, values, source=passages.source, score=entity.score, **meta)


def _find_entities(
    output: NerOutput, claim: Claim, labels: LabelsByType
) -> Iterable[Sequence[Entity]]:
    """Yield the entities of each passage."""
    if output.entities:
        return output.entities
    strategy = claim.options["aggregation"]
    return (
        group_entities(aggregate_words(*scores, output.tags, strategy), scores.text, labels)
        for scores in output.token_scores
    )


def _mark_other_occurrences(
    passages: Passages, spans: Iterable[UserSpan], control: Control
) -> Iterable[Region]:
    """Yield each text that the user marked with a control tag wherever it is not marked yet."""
    own = [span for span in spans if span.control == control.name]
    marked = {span.shape for span in own}
    for span in own:
        for shape in other_occurrences(span, passages):
            if shape not in marked:
                marked.add(shape)
                yield region(shape, {control: list(span.labels)}, source=passages.source)
