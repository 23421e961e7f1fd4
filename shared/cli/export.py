"""`prelabel export`: writes a model as servers without PyTorch run it."""

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.cli.calibration import read_items
from shared.cli.export_folder import new_folder
from shared.cli.progress import format_bytes
from shared.errors import ModelError, RefusedPrecisionError, SettingError

if TYPE_CHECKING:
    from shared.backend.base import Backend
    from shared.backend.claim import ModelSpec

# Ends a refusal; the option that is to be left out goes in.
HINT = "Nothing was written: without {} it is exported"


class Precision(str, Enum):
    """What a model is written in."""

    auto = "auto"
    int8 = "int8"


@app.command()
def export(
    backend: str = typer.Argument(
        help="A backend, such as detection or ner; ner:MODEL chooses the model (default: that of"
        " its settings)"
    ),
    output: Path = typer.Option(help="The folder to write, which must be new or empty"),
    precision: Precision = typer.Option(
        Precision.auto,
        help="auto: with --calibrate a copy in int8, too, if it agrees on those tasks and is faster"
        " (extra int8); int8: such a copy or nothing",
    ),
    calibrate: str = typer.Option(
        None, help="A file of tasks, or a folder of images or texts, such as those to come"
    ),
    label_config: Path = typer.Option(
        None,
        help="The label config of those tasks, an XML file (default: the backend's example)",
        exists=True,
        dir_okay=False,
    ),
) -> None:
    """Convert a model into a folder from which a server without PyTorch serves it.

    The folder is named in place of the model: it is compared with PyTorch here, once. Such a
    server needs the extra BACKEND-lite alone.
    """
    from shared.backend.registry import choose_backends

    if precision is Precision.int8 and calibrate is None:
        raise SettingError("--precision int8 needs --calibrate, tasks such as those to come")
    [cls] = choose_backends([backend])
    reason = cls.unavailable_reason()
    if reason is not None:
        raise SettingError(reason)
    specs = list(cls(served=True).default_specs())
    if not specs:
        raise SettingError(f"{cls.name} has no model: name one, as in {cls.name}:MODEL")
    items = None if calibrate is None else read_items(cls, calibrate, label_config)
    with new_folder(output) as folder:
        if items is not None:
            check_items(cls, specs[0], items)
        engine = cls(served=True).export_model(specs[0], folder)
        if items is not None:
            is_required = precision is Precision.int8
            engine = add_int8_copy(cls, specs[0], folder, items, is_required) or engine
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    typer.echo(f"{specs[0].label}: {engine}, {format_bytes(size)} in {output}")
    typer.echo(f"Put the folder into MODEL_DIR, and name it: {cls.model_variable()}={output.name}")


def check_items(cls: "type[Backend]", spec: "ModelSpec", items: Iterable[Any]) -> None:
    """Raise SettingError if int8 cannot be tried with these items."""
    try:
        cls(served=True).check_calibration(items)
    except ModelError as error:
        raise SettingError(f"{spec.label}: {error}. {HINT.format('--calibrate')}") from None


def add_int8_copy(
    cls: "type[Backend]", spec: "ModelSpec", folder: Path, items: Iterable[Any], is_required: bool
) -> str | None:
    """Add a copy in int8; return on what the model runs. None if it is refused, which is told.

    SettingError if it cannot be tried, or if it is refused and required: who asks for int8 is not
    served anything else.
    """
    try:
        return cls(served=True).quantize_model(spec, folder, items)
    except RefusedPrecisionError as error:
        refusal = f"{spec.label} does not run in int8: {error}"
        if is_required:
            raise SettingError(f"{refusal}. {HINT.format('--precision int8')}") from None
        typer.echo(refusal, err=True)
        return None
    except ModelError as error:
        raise SettingError(f"{spec.label}: {error}. {HINT.format('--calibrate')}") from None
