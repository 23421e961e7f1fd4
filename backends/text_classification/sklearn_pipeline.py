"""Pipelines of scikit-learn that classify texts, in files of skops: no pickles, no code."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._transformers.tokenizer import replace_surrogates
from backends.text_classification.sequence_classifier import (
    NO_CLASSES,
    Classification,
    ClassifierInput,
    Kind,
)
from shared.backend.extras import require
from shared.backend.model_folder import find_model
from shared.errors import ModelError, short_path, truncate
from shared.settings import Settings

logger = logging.getLogger(__name__)

EXTRA = "sklearn"
SUFFIX = ".skops"
# How pickled pipelines are called, which can contain code.
PICKLES = (".pkl", ".pickle", ".joblib")
# A probability of 0 would have an infinite logit.
LEAST_PROBABILITY = 1e-12
# What a pipeline is tried with when it is loaded.
TRIAL = "a few words"

Floats = NDArray[np.float32]


def find_file(model: str, settings: Settings) -> Path | None:
    """Return the file of a pipeline: itself, or the one in a folder; None for another model.

    ModelError for a pickle, and for a folder with several pipelines.
    """
    if Path(model).suffix in PICKLES:
        raise ModelError(
            f"{short_path(model)} is a pickle, which can contain code and is not read: save the"
            f' pipeline by skops.io.dump(pipeline, "{Path(model).stem}{SUFFIX}")'
        )
    for path in (find_model(model, settings), Path(model).expanduser()):
        if path.is_file() and path.suffix == SUFFIX:
            return path
        if path.is_dir():
            return file_in(path)
    if Path(model).suffix == SUFFIX:
        raise ModelError(f"{short_path(model)}: no such file, neither here nor in MODEL_DIR")
    return None


def file_in(folder: Path) -> Path | None:
    """Return the pipeline in a folder, if there is one; ModelError if there are several."""
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise ModelError(f"{folder.name} holds {names}; expected one: name the file instead")
    return files[0] if files else None


@dataclass
class SklearnPipeline:
    """A pipeline that takes texts, the names of its classes, and whether a text has several."""

    name: str
    inner: Any
    classes: tuple[str, ...]
    kind: Kind

    @classmethod
    def load(cls, path: Path, settings: Settings, trusted: Iterable[str] = ()) -> "SklearnPipeline":
        """Load a file of skops.

        Raises:
            ModelError: it holds types that are not `trusted`, or takes no texts, or has no classes.
            SettingError: skops is not installed.
        """
        if settings.engine != "auto":
            raise ModelError(
                f"ENGINE={settings.engine}: {path.name} runs in scikit-learn alone (auto)"
            )
        inner = _read(path, trusted)
        classes = getattr(inner, "classes_", None)
        if classes is None or isinstance(classes, list):
            raise ModelError(
                f"{path.name} is a {type(inner).__name__} without classes of texts; expected: a"
                " Pipeline of a vectorizer and a classifier with `classes_`"
            )
        several = bool(getattr(getattr(inner, "steps", [("", inner)])[-1][1], "multilabel_", False))
        names = tuple(map(str, classes))
        model = cls(path.name, inner, names, "several" if several else "one")
        model.try_text()
        logger.info("%s runs in scikit-learn: %s", path.name, truncate(", ".join(names), 200))
        return model

    def try_text(self) -> None:
        """Raise ModelError if the pipeline takes no text, or gives no score for each class."""
        try:
            self.score_texts([TRIAL])
        except ModelError:
            raise
        except Exception as error:  # scikit-learn raises many kinds
            reason = truncate(" ".join(str(error).split()), 200)
            steps = ", ".join(type(one).__name__ for _, one in getattr(self.inner, "steps", ()))
            raise ModelError(
                f"{self.name} takes no texts ({steps or type(self.inner).__name__}):"
                f" {reason}; expected: a vectorizer such as TfidfVectorizer first"
            ) from error

    def classify(self, inputs: Sequence[ClassifierInput]) -> list[Classification]:
        """Classify each text; a blank one has no class."""
        texts = [one.text for one in inputs if one.text.strip()]
        logits = self.score_texts(texts) if texts else ()
        found = (Classification(self.classes, row, self.kind) for row in logits)
        return [next(found) if one.text.strip() else NO_CLASSES for one in inputs]

    def score_texts(self, texts: Sequence[str]) -> Floats:
        """Return the logits of each text's classes, shape (texts, classes).

        Their softmax, or sigmoid where a text may have several classes, is `predict_proba`;
        without that they are the values of `decision_function`.
        """
        whole = [replace_surrogates(text) for text in texts]
        if hasattr(self.inner, "predict_proba"):
            chances = np.asarray(self.inner.predict_proba(whole), np.float64)
            chances = np.clip(chances, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
            odds = chances / (1 - chances) if self.kind == "several" else chances
            logits = np.log(odds)
        elif hasattr(self.inner, "decision_function"):
            logits = np.asarray(self.inner.decision_function(whole), np.float64)
            if logits.ndim == 1:  # of two classes it is that of the second
                logits = np.stack([np.zeros_like(logits), logits], axis=1)
        else:
            raise ModelError(
                f"{self.name} has neither predict_proba nor decision_function, so its classes have"
                " no scores"
            )
        if logits.shape != (len(texts), len(self.classes)):
            raise ModelError(
                f"{self.name} gives {logits.shape[-1]} scores for {len(self.classes)} classes"
                f" ({truncate(', '.join(self.classes), 100)}); expected one each"
            )
        return logits.astype(np.float32)


def _read(path: Path, trusted: Iterable[str]) -> Any:
    skops: Any = require("skops.io", EXTRA)
    try:
        found = skops.get_untrusted_types(file=path)
    except Exception as error:  # a file that is no archive, or one of another version
        raise ModelError(
            f"{path.name} is no file of skops ({type(error).__name__}): expected what"
            " skops.io.dump wrote"
        ) from None
    untrusted = sorted(set(found) - set(trusted))
    if untrusted:
        raise ModelError(
            f"{path.name} holds types that are not trusted: {', '.join(untrusted)}. Look at what"
            " they are, and if they may run here, name them in"
            " TEXT_CLASSIFICATION_TRUSTED_TYPES"
        )
    try:
        return skops.load(path, trusted=sorted(found))
    except Exception as error:  # such as a type that is not installed here
        raise ModelError(
            f"{path.name} cannot be loaded: {truncate(' '.join(str(error).split()), 300)}"
        ) from error
