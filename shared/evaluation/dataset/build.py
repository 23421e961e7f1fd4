"""Builds a dataset of annotated tasks: collects samples, fetches media, splits, and writes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from shared.errors import PrelabelError, SettingError
from shared.evaluation.annotated_task import AnnotatedTask
from shared.evaluation.dataset.formats import create_writer, fetched_tags
from shared.evaluation.dataset.known_parts import KnownParts, PlacedTask
from shared.evaluation.dataset.label_index import LabelIndex
from shared.evaluation.dataset.manifest import Manifest, ManifestEntry, sample_digest
from shared.evaluation.dataset.media_store import MediaRequest, MediaStore, StoredMedium
from shared.evaluation.dataset.near_duplicates import text_signature
from shared.evaluation.dataset.options import DatasetFormat, DatasetOptions
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.sampler import Sampler, content_digest_of, document_of
from shared.evaluation.dataset.split import (
    Grouping,
    SplitEntry,
    assign_parts,
    find_better_seed,
    group_entries,
    lacking_labels,
)
from shared.evaluation.dataset.workspace import MANIFEST, Workspace
from shared.evaluation.dataset.writer import SampleFile, WriterContext
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.media.reader import MediaReader

# Called with what is being done, how many tasks are done, and of how many, if that is known.
Report = Callable[[str, int, int | None], None]
FAILURES = "failures.jsonl"


@dataclass(frozen=True)
class BuildTools:
    """What a build works with: the fetcher of media, where problems and progress go.

    `known_parts` are those of earlier datasets, which the build adds to. `advises_split` is whether
    problems say what parts of the split lack, and which seed helps. `media_folder` keeps what was
    fetched for further builds; by default it is removed at the end.
    """

    media: MediaReader
    problems: ProblemLog = field(default_factory=ProblemLog)
    report: Report = lambda stage, done, total: None
    known_parts: KnownParts = field(default_factory=KnownParts)
    advises_split: bool = True
    media_folder: Path | None = None


def build_dataset(
    tasks: Iterable[AnnotatedTask],
    config: LabelConfig,
    options: DatasetOptions,
    tools: BuildTools,
) -> Manifest:
    """Write the dataset of annotated tasks into `options.output` and return its manifest.

    Tasks are taken one by one, in bounded memory. SettingError if the label config does not fit
    the format, a library is missing, or the folder holds something else; what concerns single
    tasks goes to `tools.problems`, and costs only itself.
    """
    workspace = Workspace(options.output)
    # Whatever does not fit is said before anything is read.
    labels = LabelIndex(config)
    tags = fetched_tags(config, options)
    state = {"options": options.to_json(), "label_config": config.xml}
    workspace.begin(state, options.resume)
    if workspace.is_made:
        workspace.finish()
        return Manifest.read(options.output / MANIFEST)
    manifest = _Build(workspace, config, options, tools, labels).run(tasks, tags)
    manifest.write(workspace.made / MANIFEST)
    workspace.finish()
    return manifest


@dataclass
class _Build:
    """One build: its samples lie in a file, one line each, and a short entry of each in memory."""

    workspace: Workspace
    config: LabelConfig
    options: DatasetOptions
    tools: BuildTools
    labels: LabelIndex
    entries: list[SplitEntry] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    groups: Sequence[int] = ()

    def run(self, tasks: Iterable[AnnotatedTask], tags: frozenset[str]) -> Manifest:
        self._collect(tasks)
        self._check_any()
        folder = self.tools.media_folder or self.workspace.media
        folder.mkdir(parents=True, exist_ok=True)
        store = MediaStore(folder, self.tools.media)
        self._fetch(store, tags)
        parts, joined = self._split()
        written, counts = self._write(store, tags, parts)
        return Manifest(
            self.options.to_json(),
            self.config.xml,
            written,
            counts,
            dict(sorted(self.left_out.items())),
            len(self.failed),
            joined,
        )

    def _collect(self, tasks: Iterable[AnnotatedTask]) -> None:
        """Write the samples of tasks to a file."""
        sampler = Sampler(self.options.annotations, self.tools.media, self.tools.problems)
        with self.workspace.samples.open("wb") as file:
            for done, task in enumerate(tasks, 1):
                sample = sampler.read(task)
                if sample is not None:
                    file.write(sample.to_line())
                    labels = self.labels.add_all(sample.labels(self.config))
                    self.entries.append(SplitEntry(_order_of(task), b"", labels))
                self.tools.report("read", done, None)
        self.left_out = sampler.left_out

    def _check_any(self) -> None:
        """Raise SettingError if there is nothing to write, and leave the folder empty."""
        if self.entries:
            return
        self.workspace.discard()
        if not self.left_out:
            raise SettingError("there are no tasks")
        why = ", ".join(f"{count:,} left out: {why}" for why, count in self.left_out.items())
        raise SettingError(f"no task can be in the dataset: {why}")

    def _samples(self) -> Iterator[Sample]:
        with self.workspace.samples.open("rb") as file:
            for line in file:
                yield Sample.from_line(line)

    def _fetch(self, store: MediaStore, tags: frozenset[str]) -> None:
        """Fetch all media, and complete the entries with what identifies the content."""
        requests = (one for sample in self._samples() for one in self._requests(sample, tags))
        results = store.fetch_all(requests)
        with (self.workspace.made / FAILURES).open("wb") as failures:
            for place, sample in enumerate(self._samples()):
                fetched = {}
                for _ in self._requests(sample, tags):
                    request, found = next(results)
                    if isinstance(found, PrelabelError):
                        failures.write(self._fail(sample, request, found))
                    else:
                        fetched[request.address] = found
                self._identify(self.entries[place], sample, fetched)
                self.tools.report("fetch", place + 1, len(self.entries))
        if not self.failed:
            (self.workspace.made / FAILURES).unlink()

    def _requests(self, sample: Sample, tags: frozenset[str]) -> list[MediaRequest]:
        return [request for _, _, request in self._placed_requests(sample, tags)]

    def _placed_requests(
        self, sample: Sample, tags: frozenset[str]
    ) -> Iterator[tuple[str, int | None, MediaRequest]]:
        """Yield each medium with its object tag and place in a list, as far as tags are fetched."""
        for name, shows in sample.objects.items():
            if shows["tag"] not in tags:
                continue
            if shows["tag"] == "Video" and self.options.format is not DatasetFormat.video:
                rate, step = shows["frame_rate"], self.options.frame_step
                yield name, None, MediaRequest("Video", shows["address"], sample.id, rate, step)
            elif shows["tag"] in {"Audio", "Video"}:
                yield name, None, MediaRequest(shows["tag"], shows["address"], sample.id)
            elif shows["tag"] == "TimeSeries":
                if isinstance(shows["value"], str):  # else the task itself holds the columns
                    yield name, None, MediaRequest("TimeSeries", shows["value"], sample.id)
            else:
                for item, address in enumerate(shows["addresses"]):
                    place = item if shows["is_list"] else None
                    yield name, place, MediaRequest("Image", address, sample.id)

    def _fail(self, sample: Sample, request: MediaRequest, error: PrelabelError) -> bytes:
        self.failed.add(request.key)
        self.tools.problems.add(f"{request.tag} cannot be used: {error}", sample.task)
        line = {"task": sample.task, "tag": request.tag, "address": request.address[:200]}
        line |= {"reason": error.reason, "message": str(error)}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _identify(
        self, entry: SplitEntry, sample: Sample, fetched: Mapping[str, StoredMedium]
    ) -> None:
        digests = {address: medium.digest for address, medium in fetched.items()}
        entry.content = content_digest_of(sample, digests)
        entry.document = document_of(sample)
        if not self.options.near_duplicates:
            return
        files = (file for medium in fetched.values() for file in medium.files)
        entry.image = next((int(file.signature, 16) for file in files if file.signature), 0)
        texts = (shows["text"] for shows in sample.objects.values() if "text" in shows)
        entry.text = text_signature(next(texts, ""))

    def _split(self) -> tuple[list[str], int]:
        """Return the part of each entry, and how many stay with one before."""
        shares, names = self.options.split, self.options.split_names
        grouping = group_entries(self.entries, self.options.near_duplicates)
        fixed = self._find_fixed_parts(grouping)
        parts = assign_parts(self.entries, grouping, shares, self.options.seed, fixed)
        self.groups = grouping.groups
        if self.tools.advises_split:
            self._report_parts(parts, grouping.joined)
            self._report_labels(grouping, parts)
        return [names[part] for part in parts], grouping.joined

    def _find_fixed_parts(self, grouping: Grouping) -> dict[int, int]:
        """Return the number of the part of each group that was in a dataset before."""
        contents: dict[int, list[bytes]] = {}
        for entry, group in zip(self.entries, grouping.groups, strict=True):
            contents.setdefault(group, []).append(entry.content)
        names = self.options.split_names
        found = {group: self.tools.known_parts.find(own) for group, own in contents.items()}
        return {group: names.index(part) for group, part in found.items() if part in names}

    def _report_labels(self, grouping: Grouping, parts: Sequence[int]) -> None:
        shares, names = self.options.split, ", ".join(self.options.split_names)
        lacking = lacking_labels(self.entries, grouping, parts, len(shares))
        if lacking.rare:
            shown = self.labels.describe(lacking.rare)
            self.tools.problems.add(f"too rare to be in each of {names}: {shown}")
        if lacking.others:
            shown = self.labels.describe(lacking.others)
            better = find_better_seed(self.entries, grouping, shares)
            helps = "" if better is None else f"; with --seed {better} each part has them"
            self.tools.problems.add(f"not in each of {names}: {shown}{helps}")

    def _report_parts(self, parts: Sequence[int], joined: int) -> None:
        for part, name in enumerate(self.options.split_names):
            if self.entries and part not in parts:
                what = f"{name} is empty: of {len(parts)} tasks none came there"
                if joined:
                    what += f" ({joined} stay with others of their document, or near-duplicates)"
                self.tools.problems.add(f"{what}; another --seed or --split may change it")

    def _write(
        self, store: MediaStore, tags: frozenset[str], parts: Sequence[str]
    ) -> tuple[list[ManifestEntry], dict[str, dict[str, dict[str, int]]]]:
        context = WriterContext(
            self.config,
            self.options,
            self.workspace.made,
            self.tools.problems,
            self.labels.names(),
        )
        writer = create_writer(context)
        written, counts = [], self.labels.counter()
        self.tools.known_parts.begin()
        for place, sample in enumerate(self._samples()):
            files = self._files_of(sample, store, tags)
            if not files and self._requests(sample, tags):
                self.left_out["media cannot be fetched"] += 1
            else:
                part = parts[place]
                writer.add(part, sample, files)
                content = self.entries[place].content
                written.append(ManifestEntry(sample.id, sample_digest(sample, content), part))
                placed = PlacedTask(content, self.groups[place])
                self.tools.known_parts.place(sample.id, placed, part)
                counts.add(self.entries[place].labels, part)
            self.tools.report("write", place + 1, len(self.entries))
        writer.finish()
        return written, counts.to_json()

    def _files_of(
        self, sample: Sample, store: MediaStore, tags: frozenset[str]
    ) -> list[SampleFile]:
        found = []
        for name, item, request in self._placed_requests(sample, tags):
            medium = None if request.key in self.failed else store.find(request)
            for file in medium.files if medium else ():
                found.append(SampleFile(name, item, file, store.path(file)))
        return found


def _order_of(task: AnnotatedTask) -> tuple[float, float, int]:
    """Return what sorts tasks by the time when they were first annotated."""
    ids = [one.id for one in task.annotations if isinstance(one.id, int)]
    own: Any = task.id
    return (
        min(ids, default=float("inf")),
        own if isinstance(own, int) else float("inf"),
        task.number,
    )
