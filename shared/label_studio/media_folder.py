"""Folders and globs of media files: each file is a task."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from shared.errors import DecodeError, SettingError
from shared.label_studio.encoded_text import encode_text
from shared.label_studio.javascript import split_path
from shared.label_studio.label_config import LabelConfig, ObjectTag
from shared.label_studio.media_listing import list_media
from shared.label_studio.tags import TEXT_TAGS
from shared.label_studio.task_file import TABLE_SUFFIXES, TaskEntry, TaskFile
from shared.label_studio.variables import keys_of
from shared.media.object_address import StoreAddress
from shared.media.place import is_folder_or_glob

# Suffixes of the files that an object tag shows.
SUFFIXES = {
    "Image": ".jpg .jpeg .png .gif .bmp .webp .tif .tiff .avif",
    "Text": ".txt .text .md",
    "HyperText": ".html .htm",
    "Audio": ".wav .mp3 .ogg .flac .m4a .opus .aac",
    "AudioPlus": ".wav .mp3 .ogg .flac .m4a .opus .aac",
    "Video": ".mp4 .webm .mov .mkv .avi",
    "TimeSeries": ".csv",
}


class MediaFolder:
    """The files of a folder or glob, or a single file, in the order of their names."""

    def __init__(self, name: str, target: ObjectTag, prefix: str | None, root: Path | None) -> None:
        """`prefix` is the URL prefix of the files in the written tasks.

        By default that is Label Studio's address of local files, with the path from `root`
        (LOCAL_FILES_ROOT), or else from the folder that holds the named one; for files in an
        object store, their own address. SettingError if there is no such file.
        """
        self.name = name
        self._target = target
        self._listing = list_media(name, root)
        self._prefix = self._listing.prefix if prefix is None else prefix
        self._suffixes = tuple(SUFFIXES.get(target.tag, "").split())
        self._read = 0
        self._count = sum(1 for _ in self._names())
        if not self._count:
            what = f"files of {target.tag} ({' '.join(self._suffixes)})"
            raise SettingError(f"{name}: found no {what}")

    @property
    def fraction(self) -> float | None:
        """The share of the files that has been read."""
        return self._read / self._count

    def __iter__(self) -> Iterator[TaskEntry]:
        for index, name in enumerate(self._names()):
            yield self._build_entry(index, name)
            self._read = index + 1

    def _build_entry(self, index: int, name: str) -> TaskEntry:
        if self._target.tag in TEXT_TAGS and not self._target.value_is_url:
            return self._text_entry(index, name)
        # the key of an object is not encoded in its address
        url = self._prefix + (name if StoreAddress.parse(self._prefix) else quote(name))
        data = _build_data(self._target, self._listing.name_file(url, name))
        return TaskEntry(index, None, {"data": data}, source=self._listing.place(name))

    def _text_entry(self, index: int, name: str) -> TaskEntry:
        try:
            text = encode_text(self._listing.read_bytes(name).decode("utf-8-sig"), self._target)
        except (OSError, UnicodeError) as error:
            return TaskEntry(index, None, problem=f"{_last(name)} cannot be read: {error}")
        except DecodeError as error:
            return TaskEntry(index, None, problem=f"{_last(name)}: {error}")
        data = _build_data(self._target, text)
        return TaskEntry(index, None, {"data": data}, source=self._listing.place(name))

    def _names(self) -> Iterator[str]:
        for name in self._listing:
            if name.lower().endswith(self._suffixes):
                yield name


def is_media(name: str, config: LabelConfig) -> bool:
    """Return whether an input is a folder, glob or media file, and not a file of tasks."""
    if is_folder_or_glob(name):
        return True
    shown = " ".join(SUFFIXES.get(target.tag, "") for target in config.objects.values()).split()
    suffix = Path(name).suffix.lower()
    return suffix in shown and suffix not in TABLE_SUFFIXES


def refuse_series(name: str, config: LabelConfig) -> None:
    """Raise SettingError if a table is itself the series that the label config shows.

    Read as a file of tasks, it would make a task of each row, without the key of the series.
    """
    targets = [target for target in config.objects.values() if keys_of(target.value)]
    if len(targets) != 1 or not _is_medium(targets[0]) or targets[0].tag != "TimeSeries":
        return
    if Path(name).suffix.lower() not in SUFFIXES["TimeSeries"].split():
        return
    task = next((entry.task for entry in TaskFile(name, tables=True) if entry.task), None)
    key = split_path(str(targets[0].key))[0]
    if task is not None and not {key, targets[0].key} & set(task["data"]):
        raise SettingError(
            f'{name}: each row of a table is a task, and these have no "{key}", which'
            f" {targets[0]} shows; if the file is a series itself, give its folder or a glob:"
            f" prelabel predict {os.path.dirname(name) or '.'}"
        )


def find_media_tag(config: LabelConfig) -> ObjectTag:
    """Return the object tag that shows the files; SettingError if one file is not a task."""
    targets = [target for target in config.objects.values() if keys_of(target.value)]
    if len(targets) == 1 and _is_medium(targets[0]):
        return targets[0]
    tags = ", ".join(f'{target.tag} "{target.name}"' for target in config.objects.values())
    raise SettingError(
        f"A file makes a task where the label config shows one medium; it shows {tags or 'none'}:"
        " write a file of tasks"
    )


def _is_medium(target: ObjectTag) -> bool:
    """Return whether the tag shows a single file, under a key that a task can have."""
    return (
        target.tag in SUFFIXES
        and not target.is_list
        and target.key is not None
        and not set(target.key) & set("[]{}")
    )


def _build_data(target: ObjectTag, value: str) -> dict[str, Any]:
    """Build a task's data with the value where the tag looks for it: for `$a.b` inside `a`."""
    data: Any = value
    for name in reversed(split_path(str(target.key))):
        data = {name: data}
    return cast(dict[str, Any], data)


def _last(name: str) -> str:
    return name.rpartition("/")[2]
