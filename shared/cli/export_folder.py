"""The folder that `prelabel export` writes: by one process at a time, and all of it or nothing."""

import errno
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import SettingError
from shared.jobs.file_lock import FileLock

# What a disk says that is full, or beyond the quota, or a library that does not know why.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Yield a folder to write into; at the end of the block `output` has its content.

    SettingError if `output` has content, cannot be written, or is being written.
    """
    if output.exists() and not output.is_dir():
        raise _there_already(output)
    is_ours = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = FileLock(output)
        is_free = lock.acquire()
    except OSError as error:
        raise _unwritable(output, error) from None
    if not is_free:
        raise SettingError(
            f"Another prelabel export is writing to {output}: wait for its end, or choose another"
            " folder for --output"
        )
    try:
        with _filled(output) as partial:
            yield partial
    except BaseException as error:
        if is_ours and not any(output.iterdir()):
            output.rmdir()
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise _unwritable(output, error) from None
        raise
    finally:
        lock.release()


@contextmanager
def _filled(output: Path) -> Iterator[Path]:
    from shared.backend.unfinished_export import PARTIAL

    partial = output / PARTIAL
    if any(path != partial for path in output.iterdir()):
        raise _unfinished(output) if partial.is_dir() else _there_already(output)
    try:  # what a killed export has left; this one begins anew
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    except OSError as error:
        raise _unwritable(output, error) from None
    try:
        yield partial
        _open_folders(partial)
        for path in partial.iterdir():
            path.rename(output / path.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _open_folders(partial: Path) -> None:
    """Let the folders inside be read by whom a new one is read by, such as a container's user.

    Those of the cache, which are moved here, are for their owner alone.
    """
    mode = stat.S_IMODE(partial.stat().st_mode)
    for path in partial.rglob("*"):
        if path.is_dir():
            path.chmod(mode)


def _there_already(output: Path) -> SettingError:
    return SettingError(f"{output} is there already: --output should be a new folder")


def _unfinished(output: Path) -> SettingError:
    return SettingError(
        f"{output} holds an export that was ended when it was nearly done: delete the folder, and"
        " export again"
    )


def _unwritable(output: Path, error: OSError) -> SettingError:
    return SettingError(
        f"{output} cannot be written ({error.strerror}): choose another folder for --output"
    )
