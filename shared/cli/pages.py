"""`prelabel pages`: turns PDF and TIFF files into images and tasks that Label Studio can show."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import typer

from shared.cli import app
from shared.cli.local_path import check_local
from shared.errors import DecodeError, SettingError

TASKS_FILE = "tasks.json"


@app.command(name="pages")
def split(
    files: list[Path] = typer.Argument(
        metavar="FILE", help="PDF and TIFF files", exists=True, dir_okay=False
    ),
    output: Path = typer.Option(
        ...,
        "--output",
        "-o",
        callback=check_local,
        help=f"Folder for the images and {TASKS_FILE}",
        file_okay=False,
    ),
    dpi: float = typer.Option(
        None,
        min=10,
        max=1200,
        help="Resolution for rendering PDF pages (default: 200)",
        show_default=False,
    ),
    key: str = typer.Option(
        "pages", help='Key of the pages in the tasks, as in valueList="$pages"'
    ),
    url_prefix: str = typer.Option(
        None, help="URL prefix of the images in the tasks (default: that of local files)"
    ),
) -> None:
    """Split documents into images, a task per file, for <Image valueList="$pages"/>."""
    from shared.label_studio.media_listing import local_files_prefix
    from shared.media.document import DEFAULT_DPI
    from shared.settings import Settings, read_settings

    settings = read_settings(Settings)
    if url_prefix is None:
        url_prefix = local_files_prefix(output, settings.local_files_root)
    tasks = []
    for file, name in zip(files, _folder_names(files), strict=True):
        try:
            images = list(
                _write_pages(file, output / name, settings.max_megapixels, dpi or DEFAULT_DPI)
            )
        except DecodeError as error:
            raise DecodeError(f"{file}: {error}") from None
        urls = [url_prefix + quote(path.relative_to(output).as_posix()) for path in images]
        tasks.append({"data": {key: urls}})
        typer.echo(f"{file}: {len(urls)} pages")
    (output / TASKS_FILE).write_text(json.dumps(tasks, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{output / TASKS_FILE}: {len(tasks)} tasks")


def _write_pages(file: Path, folder: Path, max_megapixels: float, dpi: float) -> Iterator[Path]:
    from PIL import Image as Pillow

    from shared.media.document import decode_pages

    folder.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(decode_pages(file.read_bytes(), max_megapixels, dpi), 1):
        path = folder / f"page-{number:04}.png"
        Pillow.fromarray(page.pixels).save(path)
        yield path


def _folder_names(files: list[Path]) -> list[str]:
    """Return the name of each file's folder; SettingError if two would share one."""
    names = [file.stem for file in files]
    for name in names:
        if names.count(name) > 1:
            raise SettingError(f'Two of the files are named "{name}": their pages would mix')
    return names
