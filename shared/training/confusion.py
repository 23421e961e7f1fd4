"""What was predicted for each true label: of regions, whatever their label, by their place."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from shared.evaluation.annotated_task import labels_of
from shared.evaluation.evaluation import TaskResult
from shared.evaluation.metrics.metric import NO_LABEL, Outcome
from shared.evaluation.similarity.regions import similarity_matrix
from shared.results import ParsedRegion

# How similar a missed and an invented region must be to be one that was called otherwise: as a
# hit must be.
LEAST_SIMILARITY = 0.5


class ConfusionCounter:
    """Counts the labels of a control tag's regions: an observer of an `Evaluation`.

    A true region that was missed and a predicted one at its place, with another label, are one
    that was confused; what has no such counterpart stands against NO_LABEL. Control tags with
    choices need none: their figures have `confusion`.
    """

    def __init__(self, control: str, version: str) -> None:
        self._control = control
        self._version = version
        self._counts: Counter[tuple[str, str]] = Counter()

    def __call__(self, result: TaskResult) -> None:
        """Count what became of a task's regions, if it is of the version."""
        outcome = result.outcomes.get(self._control)
        if outcome is not None and result.version == self._version:
            self._counts.update(self._confused(outcome))

    def table(self) -> dict[str, dict[str, int]]:
        """Return how often each label was predicted, by true and predicted label."""
        table: dict[str, dict[str, int]] = defaultdict(dict)
        for (true, predicted), count in sorted(self._counts.items()):
            table[true][predicted] = count
        return dict(table)

    def _confused(self, outcome: Outcome) -> Iterator[tuple[str, str]]:
        for hit in outcome.hits:
            yield self._label(hit.truth), self._label(hit.predicted)
        pairs = _pair_places(outcome.misses, outcome.inventions)
        for missed, invented in pairs.items():
            yield self._label(outcome.misses[missed]), self._label(outcome.inventions[invented])
        for place, region in enumerate(outcome.misses):
            if place not in pairs:
                yield self._label(region), NO_LABEL
        taken = set(pairs.values())
        for place, region in enumerate(outcome.inventions):
            if place not in taken:
                yield NO_LABEL, self._label(region)

    def _label(self, region: ParsedRegion) -> str:
        for control, value in region.values.items():
            if control.name == self._control:
                return ", ".join(labels_of(control, value)) or NO_LABEL
        return NO_LABEL


def _pair_places(
    misses: Sequence[ParsedRegion], inventions: Sequence[ParsedRegion]
) -> dict[int, int]:
    """Return which invented region stands at the place of which missed one, the closest first."""
    if not misses or not inventions:
        return {}
    similarities = similarity_matrix(inventions, misses)
    found: dict[int, int] = {}
    taken: set[int] = set()
    for index in similarities.argsort(axis=None, kind="stable")[::-1].tolist():
        invented, missed = divmod(index, len(misses))
        if similarities[invented, missed] < LEAST_SIMILARITY:
            break
        if missed not in found and invented not in taken:
            found[missed] = invented
            taken.add(invented)
    return found
