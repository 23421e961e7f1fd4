"""Which examples a question gets: those most like its task, balanced over their labels."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.prompt.answer_schema.spans import LABEL, LABELS
from backends.prompt.question import AnsweredTask, TextPart
from shared.backend.embedding import describe_text

# Characters of all examples of a question together: about 3,000 tokens.
MAX_SHOWN_CHARACTERS = 12_000


class ExamplePool:
    """Annotated tasks, from which those that are like another are chosen."""

    def __init__(self, examples: Sequence[AnsweredTask], control: str) -> None:
        self._examples = examples
        self._labels = [label_of(one.answer[control]) for one in examples]
        self._vectors = np.array([_describe(one.content) for one in examples])

    def choose(
        self, content: Sequence[TextPart], count: int, without: int | None = None
    ) -> list[AnsweredTask]:
        """Return up to `count` examples, the most similar last; not the one at place `without`.

        No label comes a second time before each other label has come once: a model that sees one
        label more often says it more often. Those that would make more than MAX_SHOWN_CHARACTERS
        together are left out.
        """
        if not self._examples or count < 1:
            return []
        similarity = self._compare(content)
        order = [int(place) for place in np.argsort(-similarity, kind="stable")]
        if without is not None:
            order.remove(without)
        rounds = Counter[Any]()
        ranked: list[tuple[int, int, int]] = []
        for rank, place in enumerate(order):
            label = self._labels[place]
            ranked.append((rounds[label], rank, place))
            rounds[label] += 1
        chosen = list(self._take(sorted(ranked), count))
        return [self._examples[place] for _, place in sorted(chosen, reverse=True)]

    def _take(
        self, ranked: Sequence[tuple[int, int, int]], count: int
    ) -> Iterator[tuple[int, int]]:
        """Yield rank and place of the first `count` that have room."""
        room = MAX_SHOWN_CHARACTERS
        for _, rank, place in ranked:
            length = count_characters(self._examples[place])
            if count and length <= room:
                room, count = room - length, count - 1
                yield rank, place

    def _compare(self, content: Sequence[TextPart]) -> NDArray[np.float32]:
        compared: NDArray[np.float32] = self._vectors @ _describe(content)
        return compared


def label_of(answer: Any) -> Any:
    """Return what counts as the label of an answer: its choices, or the labels of its spans.

    A text is a label of its own.
    """
    if isinstance(answer, list):
        return tuple(sorted({str(label) for one in answer for label in _labels_in(one)}))
    return answer


def _labels_in(entry: Any) -> Sequence[Any]:
    if not isinstance(entry, Mapping):
        return (entry,)
    return entry.get(LABELS) or (entry.get(LABEL),)


def count_characters(task: AnsweredTask) -> int:
    """Return how long the texts of a task are together."""
    return sum(len(part.text) for part in task.content)


def _describe(content: Sequence[TextPart]) -> NDArray[np.float32]:
    """Return a vector of length 1 of what a task shows."""
    vector = describe_text("\n".join(part.text for part in content))
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
