"""The dataset of one control tag: which labels can be learned, and the files for its trainer."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.backend.base import Backend
from shared.backend.training import TrainingError
from shared.errors import SettingError
from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.dataset.build import BuildTools, build_dataset
from shared.evaluation.dataset.known_parts import KnownParts
from shared.evaluation.dataset.manifest import Manifest
from shared.evaluation.dataset.options import DatasetFormat, DatasetOptions
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.media.reader import MediaReader
from shared.training.examples import (
    HELD_OUT,
    MIN_CLASSES,
    SHARES,
    describe_rest,
    find_lacking,
    find_rare,
    needs_classes,
)
from shared.training.label_split import LabelSplit
from shared.training.snapshot import Snapshot
from shared.training.tag_scope import ANY_VALUE, TagScope, own_labels

# Called with what is being done, and how many tasks are done.
Report = Callable[[str, int], None]
MANIFEST_FILE = "manifest.json"
# Problems that a refusal quotes.
QUOTED_PROBLEMS = 2
# Problems that a job keeps.
MAX_PROBLEMS = 20


@dataclass(frozen=True)
class TagDataset:
    """A dataset on disk, and the labels that are learned from it.

    `config` is the label config with these alone. `notes` say in a sentence each what is left out.
    """

    folder: Path
    manifest: Manifest
    config: LabelConfig
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def held_out(self) -> frozenset[str]:
        """The ids of the tasks that no trainer may see, as texts."""
        return frozenset(str(one.id) for one in self.manifest.entries if one.part == HELD_OUT)


@dataclass
class TagDatasetBuilder:
    """Builds the dataset of one control tag.

    `parts` is the file of its split, see KnownParts; `fetched` keeps media for other datasets.
    """

    scope: TagScope
    snapshot: Snapshot
    media: MediaReader
    parts: Path
    fetched: Path
    report: Report
    problems: ProblemLog = field(default_factory=ProblemLog)
    _reasons: dict[str, str] = field(default_factory=dict)
    _unused: list[str] = field(default_factory=list)

    def build(self, backend: Backend, folder: Path) -> TagDataset:
        """Write the dataset into a folder; TrainingError says which examples are missing."""
        labels = self._choose_labels()
        known = KnownParts.read(self.parts)
        while True:
            manifest = self._write(backend, folder, labels, known)
            split = self._read_split(manifest, labels, known)
            if not split.balance(known.move):
                lacking = find_lacking(split.counts, labels)
                self._reasons |= lacking
                labels = [label for label in labels if label not in lacking]
                self._check_enough(labels, manifest)
                if not lacking:
                    break
            shutil.rmtree(folder)
        self.parts.parent.mkdir(parents=True, exist_ok=True)
        known.write(self.parts)
        learned = tuple(label for label in labels if label != ANY_VALUE)
        config = self.scope.learning_config(learned)
        return TagDataset(folder, manifest, config, learned, tuple(self._notes()))

    def tasks(self, problems: ProblemLog | None = None) -> Iterator[AnnotatedTask]:
        """Yield the annotated tasks as they were when the training began."""
        log = ProblemLog() if problems is None else problems
        reader = TaskReader(self.scope.config, self.media, log, needs_predictions=False)
        return self.snapshot.read(reader, log)

    def _choose_labels(self) -> list[str]:
        """Return the labels that are in enough tasks, in the order of the label config."""
        counts = self.scope.count_labels(self.tasks(self.problems))
        self._unused = [one for one in own_labels(self.scope.label_control) if one not in counts]
        self._reasons = find_rare(counts)
        own = dict.fromkeys(own_labels(self.scope.label_control))
        order = [*own, *sorted(label for label in counts if label not in own)]
        labels = [one for one in order if one in counts and one not in self._reasons]
        self._check_enough(labels, None)
        return labels

    def _check_enough(self, labels: Sequence[str], manifest: Manifest | None) -> None:
        """Raise TrainingError if nothing can be learned."""
        classes = MIN_CLASSES if needs_classes(self.scope.claim.control) else 1
        if len(labels) >= classes:
            return
        found = "there is no example"
        rest = describe_rest(self._reasons.values(), self._unused)
        if labels:
            found = f'only "{labels[0]}" has enough examples, and two labels are needed'
        why = "; ".join(filter(None, [found if labels or not rest else "", rest]))
        left_out = manifest.left_out if manifest else {}
        for reason, count in left_out.items():
            why += f"; {count:,} tasks were left out: {reason}"
        raise TrainingError(f"{why}{self._quote_problems()}")

    def _quote_problems(self) -> str:
        """Return the last problems: they are about what was done last."""
        quoted = [str(problem) for problem in self.problems][-QUOTED_PROBLEMS:]
        return f" ({'; '.join(quoted)})" if quoted else ""

    def _write(
        self, backend: Backend, folder: Path, labels: Sequence[str], known: KnownParts
    ) -> Manifest:
        config = self.scope.learning_config(labels)
        options = DatasetOptions(folder, self._format_of(backend), split=SHARES)

        def report(stage: str, done: int, total: int | None) -> None:
            self.report(stage, done)

        tools = BuildTools(self.media, self.problems, report, known, False, self.fetched)
        tasks = self.scope.narrow(self.tasks(), config, labels)
        try:
            return build_dataset(tasks, config, options, tools)
        except SettingError as error:
            raise TrainingError(f"{error}{self._quote_problems()}") from None

    def _format_of(self, backend: Backend) -> DatasetFormat:
        """Return the format that a trainer reads; TrainingError if there is no such one."""
        wanted = backend.dataset_format_for(self.scope.claim)
        known = [one.value for one in DatasetFormat]
        if wanted not in known:
            raise TrainingError(
                f'{backend.name} is trained from datasets in "{wanted}", which is none of'
                f" {', '.join(known)}"
            )
        return DatasetFormat(wanted)

    def _read_split(
        self, manifest: Manifest, labels: Sequence[str], known: KnownParts
    ) -> LabelSplit:
        """Return which labels are in which part."""
        part_of = {str(one.id): one.part for one in manifest.entries}
        split = LabelSplit(labels)
        for task in self.tasks():
            number = str(task.id)
            if number in part_of:
                found = self.scope.labels_in(task)
                split.add(number, known.digest_of(number), part_of[number], found)
        return split

    def _notes(self) -> Iterator[str]:
        rest = describe_rest(self._reasons.values(), self._unused)
        if rest:
            yield f"not learned: {rest}"
        for number, problem in enumerate(self.problems):
            if number == MAX_PROBLEMS:
                yield f"and {len(self.problems) - number} more problems"
                break
            yield str(problem)
