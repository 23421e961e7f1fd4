"""The manifest of a dataset: what is in it, how it was split, and its version."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from shared.evaluation.dataset.options import SPLIT_NAMES
from shared.evaluation.dataset.sample import Sample

DIGEST_BYTES = 16


class ManifestEntry(NamedTuple):
    """A task of the dataset: its id, the digest of its content and answers, and its part."""

    id: Any
    digest: bytes
    part: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry as it stands in the manifest."""
        return {"id": self.id, "hash": self.digest.hex(), "split": self.part}


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    `labels` counts by control tag, label and part how often a label was given; `left_out` counts
    tasks by the reason why they are not in the dataset, `failed_media` media that could not be
    used (see failures.jsonl), `joined` tasks that stay with one before in the split.
    """

    options: Mapping[str, Any]
    label_config: str
    entries: Sequence[ManifestEntry]
    labels: Mapping[str, Mapping[str, Mapping[str, int]]]
    left_out: Mapping[str, int] = field(default_factory=dict)
    failed_media: int = 0
    joined: int = 0

    @property
    def version(self) -> str:
        """The hash of what decides on the dataset: options, label config, tasks and split.

        The order of tasks and of JSON's keys does not matter, nor does the machine.
        """
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        head = {"options": self.options, "label_config": self.label_config}
        digest.update(orjson.dumps(head, option=orjson.OPT_SORT_KEYS))
        for entry in self._sorted():
            digest.update(orjson.dumps(entry.to_json(), option=orjson.OPT_SORT_KEYS, default=str))
        return digest.hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """The number of tasks of each part that has some: train, val, test."""
        found = Counter(entry.part for entry in self.entries)
        return {part: found[part] for part in SPLIT_NAMES if part in found}

    def write(self, path: Path) -> None:
        """Write the manifest, one task a line."""
        head = {
            "version": self.version,
            "options": self.options,
            "label_config": self.label_config,
            "splits": self.counts,
            "labels": self.labels,
            "left_out": self.left_out,
            "failed_media": self.failed_media,
            "joined": self.joined,
        }
        text = orjson.dumps(head, option=orjson.OPT_INDENT_2)
        made = path.with_name(path.name + ".new")
        with made.open("wb") as file:
            file.write(text[:-2] + b',\n  "tasks": [')
            for number, entry in enumerate(self._sorted()):
                file.write(b",\n" if number else b"\n")
                file.write(orjson.dumps(entry.to_json(), default=str))
            file.write(b"\n  ]\n}\n")
        made.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read a manifest that was written."""
        written = orjson.loads(path.read_bytes())
        entries = [
            ManifestEntry(one["id"], bytes.fromhex(one["hash"]), one["split"])
            for one in written["tasks"]
        ]
        keys = ("labels", "left_out", "failed_media", "joined")
        return cls(
            written["options"], written["label_config"], entries, *(written[key] for key in keys)
        )

    def _sorted(self) -> Iterator[ManifestEntry]:
        yield from sorted(self.entries, key=lambda one: (str(one.id), one.digest))


def sample_digest(sample: Sample, content: bytes) -> bytes:
    """Return the digest of a sample: of the content that it shows, and of what was said of it."""
    said = {
        "regions": sample.regions,
        "answers": sample.answers,
        "item_answers": sample.item_answers,
    }
    packed = orjson.dumps(said, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.blake2b(content + packed, digest_size=DIGEST_BYTES).digest()
