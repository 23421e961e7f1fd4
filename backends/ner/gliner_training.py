"""Training of a GLiNER model on annotated spans, by gliner's own trainer."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends._transformers.fine_tuning import (
    BATCH_ROWS,
    WEIGHT_DECAY,
    EpochJudge,
    Metrics,
    count_epochs,
    epoch_callback,
    learning_rate,
    prepared_torch,
    rows_at_once,
    trainer_options,
    use_device,
)
from backends._transformers.hub import TrainingBase
from backends._transformers.text_dataset import LabelledSpan, read_texts
from backends._transformers.trainer_settings import write_trainer_settings
from backends._transformers.training_base import BASE_KEY, choose_base, identify_base
from backends.ner.entities import Entity
from backends.ner.gliner import CONFIG_FILE, GlinerModel, prompt_types
from backends.ner.gliner_examples import Example, ExampleWriter, SpanPassage
from backends.ner.span_metrics import score_spans
from backends.ner.tagged_passages import warn_of
from shared.backend import LabelMap
from shared.backend.extras import require
from shared.backend.label_map import Aliases
from shared.backend.training import TrainingError, TrainingRun
from shared.settings import Settings

# The encoder already knows entities: it takes smaller steps than what is on top of it.
ENCODER_SHARE = 0.2
# The focal loss by which gliner's examples fine-tune: nearly all spans are no entity.
FOCAL_LOSS = {"focal_loss_alpha": 0.75, "focal_loss_gamma": 2.0}


@dataclass(frozen=True)
class GlinerBase:
    """The model that is configured to be trained, and how it is served.

    - `aliases`: other names of types
    - `threshold`: the least score of an entity
    """

    configured: TrainingBase
    aliases: Aliases
    threshold: float
    settings: Settings


def train_gliner(run: TrainingRun, base: GlinerBase) -> None:
    """Train a GLiNER model for the labels of a run, and write it to `run.output`."""
    with prepared_torch(run):
        chosen = choose_base(base.configured, run.base, CONFIG_FILE)
        model = GlinerModel.load(chosen.folder, base.settings)
        model.inner.float().to(run.device)
        setattr(model.inner.config, BASE_KEY, identify_base(chosen))
        writer = ExampleWriter(model, types_by_label(run, base.aliases))
        train, val = (writer.split(read_texts(run, part)) for part in ("train", "val"))
        if not any(passage.spans for passage in train):
            raise TrainingError(f"no text of the training part has a span of {run.control}")
        training = _GlinerTraining(run, writer, val, base.threshold)
        training.fit(writer.write(train))
        write_trainer_settings(run, chosen, library="gliner", **training.describe())


def types_by_label(run: TrainingRun, aliases: Aliases) -> dict[str, list[str]]:
    """Return the types that the model is asked for of each label of a run, as in inference."""
    to_label = LabelMap.build(run.control, prompt_types(run.control), aliases).to_label
    types: dict[str, list[str]] = {}
    for name, label in to_label.items():
        if label in run.labels:
            types.setdefault(label, []).append(name)
    missing = [label for label in run.labels if label not in types]
    if missing:
        raise TrainingError(
            f"{run.control}: a GLiNER model cannot be asked for {', '.join(missing)}: the names"
            " of the labels, or their predicted_values, are those of other labels, too"
        )
    return types


@dataclass
class _GlinerTraining:
    """A GLiNER model in training, read by the code that serves it."""

    run: TrainingRun
    writer: ExampleWriter
    val: Sequence[SpanPassage]
    threshold: float

    @property
    def inner(self) -> Any:
        """GLiNER's own model."""
        return self.writer.model.inner

    @property
    def options(self) -> dict[str, Any]:
        """The rates and the loss."""
        rate = learning_rate(self.inner.config.encoder_config)
        return {"learning_rate": ENCODER_SHARE * rate, "others_lr": rate, **FOCAL_LOSS}

    def describe(self) -> dict[str, Any]:
        """Return what the model is trained with, for the version's settings."""
        sizes = {"batch_size": BATCH_ROWS, "rows_at_once": rows_at_once(self.run)}
        return {**self.options, **sizes, "weight_decay": WEIGHT_DECAY}

    def fit(self, examples: Sequence[Example]) -> None:
        """Train the model; the best epoch is in the run's folder then."""
        require("accelerate", "train")
        epochs = self.run.max_epochs or count_epochs(len(examples))
        val_examples = self.writer.write(self.val)
        warn_of(self.writer.left_out)
        with tempfile.TemporaryDirectory(dir=self.run.output) as scratch:
            trainer = self._build_trainer(examples, epochs, Path(scratch))
            judge = EpochJudge(
                self.inner, lambda: self._evaluate(trainer, val_examples), "f1", self._save
            )
            trainer.add_callback(epoch_callback(judge, self.run, epochs, trainer))
            trainer.train()

    def _build_trainer(self, examples: Sequence[Example], epochs: int, scratch: Path) -> Any:
        from gliner.training import TrainingArguments

        options = trainer_options(self.run, epochs, scratch) | self.options
        arguments = TrainingArguments(
            **options,
            others_weight_decay=WEIGHT_DECAY,
            per_device_eval_batch_size=rows_at_once(self.run),
        )
        use_device(arguments, self.run)
        collator = self.inner._create_data_collator()
        prompt = list(self.writer.prompt)
        return _trainer_class()(
            model=self.inner,
            args=arguments,
            train_dataset=list(examples),
            data_collator=lambda rows: collator(rows, entity_types=[prompt] * len(rows)),
        )

    def _evaluate(self, trainer: Any, examples: Sequence[Example]) -> Metrics:
        """Return precision, recall and F1 of spans on the validation part, and its loss."""
        if not examples:
            return {}
        loss = trainer.evaluate(list(examples))["eval_loss"]
        found = self.writer.model.find_entities(
            [passage.text for passage in self.val], [self.writer.prompt] * len(self.val)
        )
        metrics = score_spans([passage.spans for passage in self.val], map(self._to_spans, found))
        return {**metrics, "validation_loss": float(loss)}

    def _to_spans(self, entities: Sequence[Entity]) -> list[LabelledSpan]:
        label_of = {name: label for label, names in self.writer.types.items() for name in names}
        return [
            LabelledSpan(one.start, one.end, label_of[one.type])
            for one in entities
            if one.reaches(self.threshold)
        ]

    def _save(self) -> None:
        self.inner.save_pretrained(self.run.output, safe_serialization=True)


def _trainer_class() -> Any:
    import transformers
    from gliner.training import Trainer

    class MemoryAwareTrainer(Trainer):
        """gliner's trainer, which passes over a batch for which memory is short: ours ends."""

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            return transformers.Trainer.training_step(self, *args, **kwargs)

    return MemoryAwareTrainer
