"""`prelabel export`: writes a model as servers without PyTorch run it."""

from pathlib import Path

import typer

from shared.cli import app
from shared.errors import SettingError


@app.command()
def export(
    backend: str = typer.Argument(
        help="A backend, such as detection or ner; ner:MODEL chooses the model (default: that of"
        " its settings)"
    ),
    output: Path = typer.Option(help="The folder to write, which must be new or empty"),
) -> None:
    """Convert a model into a folder from which a server without PyTorch serves it.

    The folder is named in place of the model: it is compared with PyTorch here, once. Such a
    server needs the extra BACKEND-lite alone.
    """
    from shared.backend.registry import choose_backends

    [cls] = choose_backends([backend])
    reason = cls.unavailable_reason()
    if reason is not None:
        raise SettingError(reason)
    specs = list(cls(served=True).default_specs())
    if not specs:
        raise SettingError(f"{cls.name} has no model: name one, as in {cls.name}:MODEL")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise SettingError(f"{output} is there already: --output should be a new folder")
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / ".written").touch()
        (output / ".written").unlink()
    except OSError as error:
        raise SettingError(
            f"{output} cannot be written ({error.strerror}): choose another folder for --output"
        ) from None
    engine = cls(served=True).export_model(specs[0], output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    typer.echo(f"{specs[0].label}: {engine}, {size / 1e6:.0f} MB in {output}")
    typer.echo(f"Put the folder into MODEL_DIR, and name it: {cls.model_variable()}={output.name}")
