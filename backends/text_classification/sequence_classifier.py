"""A transformers sequence classifier: texts to the logits of their classes.

NLI models, which tell whether one text follows from another, classify into any classes that are
named (zero-shot).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._transformers.converted_model import SEVERAL_CLASSES
from backends._transformers.engine import load_text_model
from backends._transformers.model_source import ModelSource
from backends._transformers.network import Network
from backends._transformers.runners import Logits, softmax
from backends._transformers.tokenizer import (
    Row,
    Tokenizer,
    Tokens,
    replace_surrogates,
    split_windows,
)
from backends.text_classification.mean_head import AUTO_CLASS as MEAN_HEAD_CLASS
from backends.text_classification.mean_head import MeanHead
from shared.errors import ModelError
from shared.settings import Settings

# A text has "one" of the classes, or "several"; or the classes are "named" in the label config.
Kind = Literal["one", "several", "named"]

# transformers' name of the loss of a classifier whose classes exclude each other.
ONE_CLASS = "single_label_classification"
# Tokens of a window that are left free for the sentence with the name of a class.
PROMPT_TOKENS = 48


class ClassifierInput(NamedTuple):
    """A text; the classes to ask an NLI model for, and the sentence to ask with."""

    text: str
    class_names: tuple[str, ...]
    template: str


@dataclass(frozen=True)
class Classification:
    """The logits of a text's classes.

    Shape (classes,); (classes, 2), with contradiction and entailment, if the classes are "named".
    """

    classes: tuple[str, ...]
    logits: Logits
    kind: Kind

    def score_classes(self, classes: Iterable[str], several: bool) -> dict[str, float]:
        """Return the score of each of these classes, from 0 to 1.

        If one of the "named" classes is chosen, their scores add up to 1; if `several` may be,
        each is scored by itself.
        """
        wanted = set(classes)
        indices = [index for index, name in enumerate(self.classes) if name in wanted]
        if not indices:
            return {}
        logits = self.logits[indices]
        scores: Any
        if self.kind == "several":
            scores = 1 / (1 + np.exp(-logits))
        elif self.kind == "named" and several:
            scores = softmax(logits)[:, 1]
        elif self.kind == "named":
            scores = softmax(logits[:, 1])
        else:
            scores = softmax(self.logits)[indices]
        names = [self.classes[index] for index in indices]
        return dict(zip(names, map(float, scores), strict=True))


# The classification of a text that is blank.
NO_CLASSES = Classification((), np.empty(0, np.float32), "one")


def compare_classifications(expected: Classification, found: Classification) -> float:
    """Return the largest difference of a class's score; infinite where another class is the best.

    Where a text may have several classes, it is so where another set of them reaches a half.
    """
    several = expected.kind == "several"
    scores = [one.score_classes(expected.classes, several) for one in (expected, found)]
    if not scores[0]:
        return 0.0
    if several:
        same = all((scores[0][name] >= 0.5) == (scores[1][name] >= 0.5) for name in scores[0])
    else:
        same = len({max(one, key=one.__getitem__) for one in scores}) == 1
    if not same:
        return inf
    return max(abs(scores[0][name] - scores[1][name]) for name in scores[0])


@dataclass
class TextClassifier:
    """The tokenizer and the network of a sequence classification or NLI model.

    With a `head` of ours the network gives logits for each token. A `trained` one is no NLI model,
    whatever the names of its classes.
    """

    tokenizer: Tokenizer
    network: Network
    head: MeanHead | None = None
    trained: bool = False

    @classmethod
    def load(
        cls, source: ModelSource, settings: Settings, trained: bool = False
    ) -> "TextClassifier":
        """Load both from a model's folder; code in it is not run."""
        head = MeanHead.load(source.folder)
        tokenizer, network = load_text_model(with_head_class(source, head), settings)
        if len(network.labels) < 2 and network.problem_type != SEVERAL_CLASSES:
            raise ModelError(f"{source.name} is a regression model: it has no classes")
        return cls(tokenizer, network, head, trained)

    @property
    def nli_indices(self) -> tuple[int, int] | None:
        """The logits of contradiction and entailment; None if the model is not for NLI."""
        if self.trained:
            return None
        names = [name.casefold() for name in self.network.labels]
        negative = {"contradiction", "not_entailment", "not entailment"} & set(names)
        if "entailment" not in names or not negative:
            return None
        return names.index(negative.pop()), names.index("entailment")

    def classify(self, inputs: Sequence[ClassifierInput]) -> list[Classification]:
        """Classify each text, however long: the mean of its windows, weighted by their length."""
        is_blank = [not item.text.strip() for item in inputs]
        classified = iter(
            self._classify_texts(
                [item for item, blank in zip(inputs, is_blank, strict=True) if not blank]
            )
        )
        return [NO_CLASSES if blank else next(classified) for blank in is_blank]

    def _classify_texts(self, inputs: Sequence[ClassifierInput]) -> list[Classification]:
        nli_indices = self.nli_indices
        if nli_indices is not None:
            return [self._classify_zero_shot(item, list(nli_indices)) for item in inputs]
        kind: Kind = "one"
        if self.network.problem_type == SEVERAL_CLASSES:
            kind = "several"
        labels = tuple(self.network.labels)
        logits = self.mean_logits([item.text for item in inputs])
        return [Classification(labels, one, kind) for one in logits]

    def mean_logits(self, texts: Sequence[str]) -> list[Logits]:
        """Return the logits of each text's classes, shape (classes,)."""
        return self._mean_logits(self.build_rows(texts))

    def embed(self, inputs: Sequence[ClassifierInput]) -> NDArray[np.float32]:
        """Return the hidden state of each text before the last layer, shape (texts, hidden)."""
        return self.network.embed_texts(self.build_rows([item.text for item in inputs]))

    def build_rows(self, texts: Sequence[str]) -> list[list[Row]]:
        """Return the rows of each text's windows."""
        return [
            [tokens.build_row(start, end) for start, end in self._window_spans(tokens)]
            for tokens in self.tokenizer.encode(texts)
        ]

    def _classify_zero_shot(self, item: ClassifierInput, nli_indices: list[int]) -> Classification:
        """Ask for each class whether "This text is about sports." follows from the text."""
        if not item.class_names:
            return Classification((), np.empty((0, 2), np.float32), "named")
        text = replace_surrogates(item.text)
        [tokens] = self.tokenizer.encode([text])
        pieces = [
            text[tokens.offsets[start, 0] : tokens.offsets[end - 1, 1]] if start < end else ""
            for start, end in self._window_spans(tokens, PROMPT_TOKENS)
        ]
        hypotheses = [item.template.replace("{}", name) for name in item.class_names]
        rows_by_class = [
            self.tokenizer.encode_pairs(
                [(piece, hypothesis) for piece in pieces], self.network.max_tokens
            )
            for hypothesis in hypotheses
        ]
        logits = np.array(self._mean_logits(rows_by_class), np.float32)
        return Classification(item.class_names, logits[:, nli_indices], "named")

    def _window_spans(self, tokens: Tokens, reserved: int = 0) -> Iterable[tuple[int, int]]:
        """Return the tokens of each window, which leaves `reserved` tokens of a row free."""
        special = len(tokens.prefix) + len(tokens.suffix)
        max_tokens = max(1, self.network.max_tokens - special - reserved)
        windows = split_windows(tokens.word_ids, max_tokens, min_overlap=0)
        return [(window.start, window.end) for window in windows] or [(0, 0)]

    def _mean_logits(self, row_groups: Sequence[Sequence[Row]]) -> list[Logits]:
        """Return the mean logits of each group of rows, weighted by their length."""
        logits = iter(self._run_rows([row for rows in row_groups for row in rows]))
        return [
            np.average([next(logits) for _ in rows], axis=0, weights=[len(r.ids) for r in rows])
            for rows in row_groups
        ]

    def _run_rows(self, rows: Sequence[Row]) -> list[Logits]:
        logits = self.network.run(rows)
        if self.head is None:
            return logits
        return [self.head.pool(row, one) for row, one in zip(rows, logits, strict=True)]


def with_head_class(source: ModelSource, head: MeanHead | None) -> ModelSource:
    """Return the source with the class that reads its network: a head of ours is read by tokens."""
    return source if head is None else source._replace(auto_class=MEAN_HEAD_CLASS)
