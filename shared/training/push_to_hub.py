"""Uploads a trained version to Hugging Face, without what tells of its tasks.

`huggingface_hub` reads the token (`HF_TOKEN`) and the address (`HF_ENDPOINT`) by itself.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from shared.backend.extras import require
from shared.errors import PrelabelError, SettingError, redact_url, truncate
from shared.settings import restrain_libraries
from shared.training.leavings import LOG_FILE, MANIFEST_FILE, METRICS_FILE
from shared.training.version_store import VERSION_FILE, TrainedVersion

# What stays here: the ids of tasks, the label config as it is written, and messages about tasks.
KEPT_FILES = frozenset((MANIFEST_FILE, LOG_FILE))
MAX_MESSAGE = 400


def check_token(repo: str) -> None:
    """Raise SettingError if nothing can be uploaded: before a training, too."""
    restrain_libraries()
    if require("huggingface_hub", "train").get_token() is None:
        raise SettingError(
            f"{repo}: no token for Hugging Face: set HF_TOKEN to one that may write"
            " (https://huggingface.co/settings/tokens)"
        )


def push_version(version: TrainedVersion, repo: str, private: bool = True) -> str:
    """Upload a version's folder as a model, and return its address.

    `repo` is OWNER/NAME; it is created if it does not exist, and `private` only counts then.
    SettingError if the token lacks; PrelabelError with what the hub says: `huggingface_hub` raises
    ValueError for names and model cards that it refuses, RuntimeError for large files that failed.
    """
    check_token(repo)
    hub = require("huggingface_hub", "train")
    errors = require("huggingface_hub.errors", "train")
    api = hub.HfApi(library_name="prelabel")
    try:
        created = api.create_repo(repo, private=private, exist_ok=True)
        api.create_commit(
            created.repo_id,
            list(_operations(hub, version)),
            commit_message=f"{version.control} {version.name}",
        )
    except (errors.HTTPError, OSError, ValueError, RuntimeError) as error:
        raise PrelabelError(f"{repo}: not uploaded: {_in_one_line(error)}") from None
    return f"{api.endpoint}/{created.repo_id}"


def shared_files(folder: Path) -> list[str]:
    """Return the files of a version that are uploaded, as paths inside its folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    names = (path.relative_to(folder).as_posix() for path in files)
    return [name for name in names if name not in KEPT_FILES]


def _operations(hub: Any, version: TrainedVersion) -> Iterator[Any]:
    for name in shared_files(version.folder):
        path = version.folder / name
        edit = _EDITS.get(name)
        content: str | bytes = str(path)
        if edit is not None:
            edited = edit(orjson.loads(path.read_bytes()))
            content = orjson.dumps(edited, option=orjson.OPT_INDENT_2)
        yield hub.CommitOperationAdd(name, content)


def _edit_version(written: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**written, "project": "", "figures": _without_reason(written["figures"])}


def _edit_metrics(written: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**written, "gate": _without_reason(written["gate"])}


def _without_reason(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the gate's figures without its sentence, which may name a task that failed."""
    return {key: value for key, value in figures.items() if key != "reason"}


# How files that tell of the project are written for others.
_EDITS = {VERSION_FILE: _edit_version, METRICS_FILE: _edit_metrics}


def _in_one_line(error: Exception) -> str:
    """Return what an error of the hub says: its message has several lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return truncate(redact_url(" ".join(lines)), MAX_MESSAGE) or type(error).__name__
