"""Annotated texts with the numbers of their classes, and how well they are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._transformers.calibration import log_loss
from backends._transformers.text_dataset import AnnotatedText, read_texts
from shared.backend.choices import allows_several
from shared.backend.training import TrainingError, TrainingRun

# The class of each text, shape (texts,); or 1 and 0 for each class, shape (texts, classes).
Truth = NDArray[np.int64]


@dataclass(frozen=True)
class ClassifiedTexts:
    """Texts and what they are: their `truth`."""

    texts: Sequence[str]
    truth: Truth

    def joined(self, other: "ClassifiedTexts") -> "ClassifiedTexts":
        """Return these texts, and after them the other ones."""
        return ClassifiedTexts(
            [*self.texts, *other.texts], np.concatenate([self.truth, other.truth])
        )


def has_several(run: TrainingRun) -> bool:
    """Return whether each class is decided by itself."""
    return allows_several(run.control) or len(run.labels) == 1


def read_classes(run: TrainingRun, part: str) -> ClassifiedTexts:
    """Return the texts of a part. Without a choice a text has no class, or is left out.

    The latter where it has to have one.
    """
    several = has_several(run)
    read = [one for one in read_texts(run, part) if several or one.classes]
    truth = [_number_classes(one, run, several) for one in read]
    shape = (len(read), len(run.labels)) if several else (len(read),)
    return ClassifiedTexts([_joined(one) for one in read], np.array(truth, np.int64).reshape(shape))


def _joined(text: AnnotatedText) -> str:
    """Return the text as the backend reads it: one line for each passage."""
    return "\n".join(text.text[start:end] for start, end in text.passages)


def _number_classes(text: AnnotatedText, run: TrainingRun, several: bool) -> Any:
    classes = text.classes or ()
    if several:
        return [int(label in classes) for label in run.labels]
    return run.labels.index(classes[0])


def check_enough(train: ClassifiedTexts, run: TrainingRun) -> None:
    """Raise TrainingError if there is nothing that tells classes from each other."""
    truth = train.truth
    if truth.ndim == 2:
        varied = truth.size and (truth.min(axis=0) != truth.max(axis=0)).any()
        if not varied:
            raise TrainingError(
                f"{run.control}: no choice has both texts that have it and texts that have it not"
            )
        return
    found = [run.labels[number] for number in np.unique(truth)]
    if len(found) < 2:
        raise TrainingError(
            f"{run.control}: two classes are needed, and the texts to learn from have"
            f" {found[0] if found else 'none'}"
        )


def judge(logits: NDArray[np.float32], truth: Truth) -> dict[str, float]:
    """Return the metrics of the validation part; nothing if it is empty.

    Accuracy where a text has one class, else F1 over all texts and classes.
    """
    if not len(truth):
        return {}
    loss = log_loss(logits, truth)
    if truth.ndim == 1:
        accuracy = float((logits.argmax(axis=1) == truth).mean())
        return {"accuracy": accuracy, "validation_loss": loss}
    found = logits > 0
    hits = float((found & (truth == 1)).sum())
    f1 = 2 * hits / max(float(found.sum() + truth.sum()), 1)
    return {"f1": f1, "validation_loss": loss}


def main_metric(metrics: Mapping[str, float]) -> float:
    """Return the metric by which trainings are compared."""
    return metrics["accuracy"] if "accuracy" in metrics else metrics["f1"]
