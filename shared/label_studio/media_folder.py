"""Folders and globs of media files: each file is a task."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from shared.errors import DecodeError, SettingError
from shared.label_studio.encoded_text import encode_text
from shared.label_studio.javascript import split_path
from shared.label_studio.label_config import LabelConfig, ObjectTag
from shared.label_studio.tags import TEXT_TAGS
from shared.label_studio.task_file import TABLE_SUFFIXES, TaskEntry
from shared.label_studio.variables import keys_of
from shared.media.reader import LOCAL_FILES, LocalPath

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
        (LOCAL_FILES_ROOT), or else from the folder that holds the named one. SettingError if
        there is no such file.
        """
        self.name = name
        self._target = target
        path = Path(name)
        self._folder = path if path.is_dir() else Path(_fixed_folder(name))
        self._prefix = local_files_prefix(self._folder, root) if prefix is None else prefix
        self._suffixes = tuple(SUFFIXES.get(target.tag, "").split())
        self._count = sum(1 for _ in self._media_paths())
        self._read = 0
        if not self._count:
            what = f"files of {target.tag} ({' '.join(self._suffixes)})"
            raise SettingError(f"{name}: found no {what}")

    @property
    def fraction(self) -> float | None:
        """The share of the files that has been read."""
        return self._read / self._count

    def __iter__(self) -> Iterator[TaskEntry]:
        for index, path in enumerate(self._media_paths()):
            yield self._build_entry(index, path)
            self._read = index + 1

    def _build_entry(self, index: int, path: Path) -> TaskEntry:
        url = self._prefix + quote(path.relative_to(self._folder).as_posix())
        if self._target.tag in TEXT_TAGS and not self._target.value_is_url:
            return self._text_entry(index, path)
        return TaskEntry(
            index, None, {"data": _build_data(self._target, LocalPath.from_file(url, path))}
        )

    def _text_entry(self, index: int, path: Path) -> TaskEntry:
        try:
            text = encode_text(path.read_text(encoding="utf-8-sig"), self._target)
        except (OSError, UnicodeError) as error:
            return TaskEntry(index, None, problem=f"{path.name} cannot be read: {error}")
        except DecodeError as error:
            return TaskEntry(index, None, problem=f"{path.name}: {error}")
        return TaskEntry(index, None, {"data": _build_data(self._target, text)})

    def _media_paths(self) -> Iterator[Path]:
        for path in _walk_files(self.name):
            if path.suffix.lower() in self._suffixes:
                yield path


def is_media(name: str, config: LabelConfig) -> bool:
    """Return whether an input is a folder, glob or media file, and not a file of tasks."""
    if glob.has_magic(name) and not os.path.exists(name):
        return True
    if os.path.isdir(name):
        return True
    shown = " ".join(SUFFIXES.get(target.tag, "") for target in config.objects.values()).split()
    suffix = Path(name).suffix.lower()
    return suffix in shown and suffix not in TABLE_SUFFIXES


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


def _walk_files(name: str) -> Iterator[Path]:
    if os.path.isdir(name):
        for folder, inside, files in os.walk(name):
            inside[:] = sorted(part for part in inside if not part.startswith("."))
            yield from (Path(folder, file) for file in sorted(files) if not file.startswith("."))
    elif os.path.exists(name):
        yield Path(name)
    else:
        found = sorted(glob.iglob(name, recursive=True))
        yield from (Path(path) for path in found if os.path.isfile(path))


def _fixed_folder(pattern: str) -> str:
    """Return the folders of a glob before its first wildcard."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder


def local_files_prefix(folder: Path, root: Path | None) -> str:
    """Return Label Studio's address of the files in a folder, up to their path in it.

    `root` is LOCAL_FILES_ROOT; a folder outside of it is named by its own name alone.
    """
    folder = folder.resolve()
    base = root.resolve() if root is not None and folder.is_relative_to(root.resolve()) else None
    path = folder.relative_to(base or folder.parent).as_posix()
    return f"{LOCAL_FILES}?d={quote(path)}/" if path != "." else f"{LOCAL_FILES}?d="
