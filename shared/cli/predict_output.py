"""Where `prelabel predict` writes: a path, or an address in an object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from shared.label_studio.task_choice import Only

if TYPE_CHECKING:
    from shared.cli.predict_inputs import Options


@contextmanager
def open_output(name: str, options: "Options") -> Iterator[Path]:
    """Yield the path at which the output is written: its own, or one that is moved into a store.

    SettingError if the store cannot be used.
    """
    from shared.media.object_address import parse_place

    place = parse_place(name)
    if isinstance(place, Path):
        yield place
        return
    from shared.bulk.stored_output import StoredOutput, fetch_earlier
    from shared.settings import Settings, read_settings

    reads_earlier = options.only is Only.failed
    if options.dry_run:
        with TemporaryDirectory() as folder:
            if reads_earlier:
                fetch_earlier(place, Path(folder) / place.name)
            yield Path(folder) / place.name
        return
    settings = read_settings(Settings)
    is_bound = options.push or reads_earlier
    output = StoredOutput(place, settings.cache_dir, options.resume, is_bound)
    with output:
        if reads_earlier:
            output.fetch_earlier()
        yield output.path
