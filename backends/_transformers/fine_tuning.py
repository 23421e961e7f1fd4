"""Fine-tuning of a transformers network by `transformers.Trainer`, the best epoch kept."""

import importlib.util
import logging
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends._transformers.tokenizer import Row
from shared.backend import BackendSettings
from shared.backend.extras import require
from shared.backend.training import TrainingError, TrainingMemoryError, TrainingRun
from shared.settings import read_settings

logger = logging.getLogger(__name__)

# Rows of a step. Fewer at a time, if memory is short, add up to as many.
BATCH_ROWS = 16
# Few examples are seen more often: at least this many steps, but not more than MAX_EPOCHS.
MIN_STEPS, MIN_EPOCHS, MAX_EPOCHS = 400, 3, 30
# Epochs without a clearly better one after which training ends: at least 3, or this share of all.
PATIENCE = 0.2
# A lower loss alone is clear from this share on.
CLEARLY_LOWER = 0.8
# What BERT's authors found for networks of this width; narrower ones take larger steps.
BASE_RATE, BASE_WIDTH, WIDTH_EXPONENT = 5e-5, 768, 1.5
WEIGHT_DECAY = 0.01
# A label that the loss leaves out.
IGNORED = -100

Metrics = dict[str, float]


class TrackerSettings(BackendSettings):
    """The variables by which Trainer's own callbacks are switched on."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    mlflow_tracking_uri: str = Field("", description="An MLflow server that trainings report to")
    wandb_api_key: str = Field("", description="The key of Weights & Biases, which is reported to")

    def integrations(self) -> list[str]:
        """Return the names of the integrations, as Trainer knows them; they are modules, too."""
        wanted = {"mlflow": self.mlflow_tracking_uri, "wandb": self.wandb_api_key}
        found = []
        for name, value in wanted.items():
            if value and importlib.util.find_spec(name) is None:
                logger.warning("%s is not installed: the training is not reported to it", name)
            elif value:
                found.append(name)
        return found


class TrainingRow(NamedTuple):
    """A row of tokens, and what is to be learnt of it: a tag for each token, a class, or several.

    Several classes are a number for each of all: 1 or 0.
    """

    row: Row
    labels: Sequence[int] | int | Sequence[float]


@dataclass(frozen=True)
class EpochJudge:
    """A network, and how an epoch is judged.

    - `evaluate` returns the metrics on the validation part; nothing if it is empty
    - `main_metric` is the one by which the best epoch is found; of equal ones the lower
      `validation_loss` counts
    - `save` writes the network as it is to the folder of the run
    """

    network: Any
    evaluate: Callable[[], Metrics]
    main_metric: str
    save: Callable[[], None]


@dataclass(frozen=True)
class FineTuning:
    """A network with how its epochs are judged, and the examples; `pad_id` fills short rows."""

    judge: EpochJudge
    pad_id: int
    rows: Sequence[TrainingRow]


def fine_tune(tuning: FineTuning, run: TrainingRun) -> None:
    """Train the network, and save its best epoch; TrainingError if there are no rows."""
    require("accelerate", "train")
    if not tuning.rows:
        raise TrainingError("the training part of the dataset has no text")
    epochs = run.max_epochs or count_epochs(len(tuning.rows))
    with tempfile.TemporaryDirectory(dir=run.output) as scratch:
        _build_trainer(tuning, run, epochs, Path(scratch)).train()


def count_epochs(rows: int) -> int:
    """Return how often a number of rows is seen."""
    steps = math.ceil(rows / BATCH_ROWS)
    return min(MAX_EPOCHS, max(MIN_EPOCHS, math.ceil(MIN_STEPS / steps)))


def learning_rate(config: Any) -> float:
    """Return the peak rate for a network, by its width."""
    width = int(getattr(config, "hidden_size", 0) or getattr(config, "dim", 0) or BASE_WIDTH)
    return float(BASE_RATE * max(1.0, BASE_WIDTH / width) ** WIDTH_EXPONENT)


def describe_settings(run: TrainingRun, config: Any) -> dict[str, Any]:
    """Return what a network is trained with, for the version's settings."""
    return {
        "learning_rate": learning_rate(config),
        "batch_size": BATCH_ROWS,
        "rows_at_once": rows_at_once(run),
        "weight_decay": WEIGHT_DECAY,
    }


def rows_at_once(run: TrainingRun) -> int:
    """Return how many rows are in memory at a time."""
    return max(1, round(BATCH_ROWS * run.batch_scale))


@contextmanager
def prepared_torch(run: TrainingRun) -> Iterator[None]:
    """Let PyTorch use the run's seed and no more threads than it may; errors of memory are ours."""
    before = torch.get_num_threads()
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)
    try:
        with memory_errors():
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise TrainingMemoryError for the errors by which PyTorch says that memory is short."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise TrainingMemoryError("the training ran out of memory") from None
    except RuntimeError as error:
        if "allocate memory" not in str(error) and "out of memory" not in str(error):
            raise
        raise TrainingMemoryError("the training ran out of memory") from None


def _build_trainer(tuning: FineTuning, run: TrainingRun, epochs: int, scratch: Path) -> Any:
    from transformers import Trainer, TrainingArguments

    options = trainer_options(run, epochs, scratch)
    arguments = TrainingArguments(
        **options, learning_rate=learning_rate(tuning.judge.network.config)
    )
    use_device(arguments, run)
    trainer = Trainer(
        model=tuning.judge.network,
        args=arguments,
        train_dataset=list(tuning.rows),
        data_collator=lambda rows: pad_rows(rows, tuning.pad_id),
    )
    trainer.add_callback(epoch_callback(tuning.judge, run, epochs, trainer))
    return trainer


def trainer_options(run: TrainingRun, epochs: int, scratch: Path) -> dict[str, Any]:
    """Return the arguments of Trainer but for the rate; it leaves nothing outside of `scratch`."""
    rows = rows_at_once(run)
    on_gpu = run.device.startswith("cuda")
    return {
        "output_dir": str(scratch),
        "num_train_epochs": epochs,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": max(1, round(BATCH_ROWS / rows)),
        "warmup_steps": 0.1,  # a share of all
        "weight_decay": WEIGHT_DECAY,
        "seed": run.seed,
        "use_cpu": not on_gpu,
        "bf16": on_gpu and torch.cuda.is_bf16_supported(),
        "dataloader_pin_memory": on_gpu,
        "remove_unused_columns": False,
        "save_strategy": "no",
        "logging_strategy": "epoch",
        "logging_nan_inf_filter": False,  # or a loss that is no number would look like 0
        "report_to": read_settings(TrackerSettings).integrations(),
        "disable_tqdm": True,
    }


def use_device(arguments: Any, run: TrainingRun) -> None:
    """Let Trainer use the device of the run."""
    if run.device.startswith("cuda"):
        use_one_gpu(arguments, run.device)


def use_one_gpu(arguments: Any, device: str) -> None:
    """Let Trainer use the GPU that the run has, not the first, nor all that there are."""
    torch.cuda.set_device(device if ":" in device else 0)
    vars(arguments)["_setup_devices"] = torch.device("cuda", torch.cuda.current_device())
    arguments._n_gpu = 1


def epoch_callback(judge: EpochJudge, run: TrainingRun, epochs: int, trainer: Any) -> Any:
    """Return a callback that judges, saves and reports each epoch; the best one is kept."""
    from transformers import PrinterCallback, TrainerCallback

    trainer.remove_callback(PrinterCallback)
    best = BestEpoch(judge.main_metric, patience=max(3, round(PATIENCE * epochs)))

    class EpochCallback(TrainerCallback):
        """Judges, saves and reports an epoch when Trainer logs its loss."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" not in (logs or {}):
                return
            epoch = round(state.epoch)
            judge.network.eval()
            metrics = judge.evaluate()
            judge.network.train()
            if best.add(metrics):
                judge.save()
            if metrics:
                trainer.log({f"eval_{name}": value for name, value in metrics.items()})
            goes_on = run.report(epoch, epochs, loss=float(logs["loss"]), **metrics)
            if not goes_on or best.is_over:
                control.should_training_stop = True

    return EpochCallback()


class BestEpoch:
    """Finds the best epoch, and when there has been no clearly better one for `patience` epochs."""

    def __init__(self, main_metric: str, patience: int) -> None:
        self._main_metric, self._patience = main_metric, patience
        self._best = self._reference = (-math.inf, math.inf)
        self._since = 0

    def add(self, metrics: Mapping[str, float]) -> bool:
        """Return whether it is the best so far; without metrics that is the last one."""
        if not metrics:
            return True
        value, loss = metrics[self._main_metric], metrics["validation_loss"]
        self._since += 1
        if value > self._reference[0] or loss < CLEARLY_LOWER * self._reference[1]:
            self._reference = max(value, self._reference[0]), min(loss, self._reference[1])
            self._since = 0
        if (value, -loss) <= (self._best[0], -self._best[1]):
            return False
        self._best = value, loss
        return True

    @property
    def is_over(self) -> bool:
        """Whether to end."""
        return self._since >= self._patience


def pad_rows(rows: Sequence[TrainingRow], pad_id: int) -> dict[str, torch.Tensor]:
    """Return a batch of tensors; shape (rows, longest) but for classes."""
    width = max(len(one.row.ids) for one in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, one in enumerate(rows):
        ids[place, : len(one.row.ids)] = torch.tensor(one.row.ids)
        mask[place, : len(one.row.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": _label_tensor(rows, width)}


def _label_tensor(rows: Sequence[TrainingRow], width: int) -> torch.Tensor:
    first = rows[0].labels
    if isinstance(first, int):
        return torch.tensor([one.labels for one in rows])
    if first and isinstance(first[0], float):
        return torch.tensor([one.labels for one in rows])
    labels = torch.full((len(rows), width), IGNORED)
    for place, one in enumerate(rows):
        labels[place, : len(one.labels)] = torch.tensor(one.labels)  # type: ignore[arg-type]
    return labels
