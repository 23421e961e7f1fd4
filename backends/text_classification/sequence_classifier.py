"""A transformers sequence classifier: texts to the logits of their classes.

Classes may also be only named (zero-shot), where the model tells whether one text follows from
another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

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
from shared.errors import ModelError
from shared.settings import Settings

Kind = Literal["one", "several", "named"]

# Tokens of a window that are left to the name of a class.
PROMPT = 48


class ClassifierInput(NamedTuple):
    """A text, and the names of classes to ask about if the model has none of its own."""

    text: str
    names: tuple[str, ...]
    template: str


@dataclass(frozen=True)
class Classification:
    """What the model says of a text.

    `logits` has the shape (classes,), or (classes, 2) with entailment second where the classes
    are `named`. A text has one of the classes, or `several`.
    """

    classes: tuple[str, ...]
    logits: Logits
    kind: Kind

    def scores(self, classes: Iterable[str], several: bool) -> dict[str, float]:
        """Each class' chance, from 0 to 1; of named ones, that among those asked for."""
        wanted = [name for name in self.classes if name in set(classes)]
        if not wanted:
            return {}
        rows = self.logits[[self.classes.index(name) for name in wanted]]
        chances: Any
        if self.kind == "several":
            chances = 1 / (1 + np.exp(-rows))
        elif self.kind == "named" and several:
            chances = softmax(rows)[:, 1]
        elif self.kind == "named":
            chances = softmax(rows[:, 1])
        else:
            chances = softmax(self.logits)[[self.classes.index(name) for name in wanted]]
        return dict(zip(wanted, map(float, chances), strict=True))


# What is said of a text without a letter.
NO_CLASSES = Classification((), np.empty(0, np.float32), "one")


@dataclass
class TextClassifier:
    """The tokenizer and the network."""

    tokenizer: Tokenizer
    network: Network

    @classmethod
    def load(cls, source: ModelSource, settings: Settings) -> "TextClassifier":
        """From a folder of transformers; code in it is not run."""
        tokenizer = Tokenizer.load(source.folder, source.name)
        network = Network.load(source, tokenizer, settings)
        if len(network.labels) < 2:
            raise ModelError(f"{source.name} gives a number, not classes")
        return cls(tokenizer, network)

    @property
    def verdicts(self) -> tuple[int, int] | None:
        """The places of contradiction and entailment, if the model is of that kind (NLI)."""
        names = [name.casefold() for name in self.network.labels]
        against = {"contradiction", "not_entailment", "not entailment"} & set(names)
        if "entailment" not in names or not against:
            return None
        return names.index(against.pop()), names.index("entailment")

    def classify(self, questions: Sequence[ClassifierInput]) -> list[Classification]:
        """Each text, however long: the mean over its windows, by their length."""
        blank = [not question.text.strip() for question in questions]
        told = iter(
            self._classify([q for q, empty in zip(questions, blank, strict=True) if not empty])
        )
        return [NO_CLASSES if empty else next(told) for empty in blank]

    def _classify(self, questions: Sequence[ClassifierInput]) -> list[Classification]:
        verdicts = self.verdicts
        if verdicts is not None:
            return self._ask(questions, list(verdicts))
        kind: Kind = "one"
        if self.network.config.problem_type == "multi_label_classification":
            kind = "several"
        parts = [
            [tokens.build_row(start, end) for start, end in self._spans(tokens, 0)]
            for tokens in self.tokenizer.encode([question.text for question in questions])
        ]
        labels = tuple(self.network.labels)
        return [Classification(labels, logits, kind) for logits in self._means(parts)]

    def _ask(
        self, questions: Sequence[ClassifierInput], verdicts: list[int]
    ) -> list[Classification]:
        """Whether "This text is about sports." follows from a text, for each name of a class."""
        found = []
        for question in questions:
            text = replace_surrogates(question.text)
            [tokens] = self.tokenizer.encode([text])
            places = [tokens.offsets[start:end] for start, end in self._spans(tokens, PROMPT)]
            pieces = [text[part[0][0] : part[-1][1]] if part else "" for part in places]
            claims = [question.template.replace("{}", name) for name in question.names]
            rows = [
                self.tokenizer.encode_pairs(
                    [(piece, claim) for piece in pieces], self.network.max_tokens
                )
                for claim in claims
            ]
            logits = np.array(self._means(rows), np.float32).reshape(len(claims), -1)
            two = logits[:, verdicts] if claims else np.empty((0, 2), np.float32)
            found.append(Classification(question.names, two, "named"))
        return found

    def _spans(self, tokens: Tokens, kept_free: int) -> Iterable[tuple[int, int]]:
        room = max(1, self.network.max_tokens - len(tokens.prefix) - len(tokens.suffix) - kept_free)
        return [part[:2] for part in split_windows(tokens.word_ids, room, min_overlap=0)] or [
            (0, 0)
        ]

    def _means(self, parts: Sequence[Sequence[Row]]) -> list[Logits]:
        """The mean logits of each group of rows, long rows counting more."""
        ran = iter(self.network.run([row for rows in parts for row in rows]))
        return [
            np.average([next(ran) for _ in rows], axis=0, weights=[len(row.ids) for row in rows])
            for rows in parts
        ]
