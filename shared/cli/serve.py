"""`prelabel serve`: the server that Label Studio connects to."""

import importlib
import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.cli.official_variables import log_official_variables
from shared.errors import SettingError

if TYPE_CHECKING:
    from shared.server.worker_metrics import WorkerMetrics
    from shared.settings import Settings

# What every worker needs: one that is killed is then replaced within a moment.
WORKER_MODULES = (
    "shared.server.app",
    "shared.server.third_party_service",
    "shared.media.download",
)


@app.command()
def serve(
    context: typer.Context,
    backend: list[str] = typer.Argument(
        None,
        help="Names of backends (default: all that are installed). ner:MODEL chooses the model;"
        " ner:A ner:B give each task two predictions. Or a LabelStudioMLBase class of your own, as"
        " path/to/model.py:MyModel.",
        show_default=False,
    ),
    host: str = typer.Option(None, help="Address to listen on (default: HOST, or 127.0.0.1)"),
    port: int = typer.Option(None, help="Port to listen on (default: PORT, or 9090)"),
    workers: int = typer.Option(None, help="Number of worker processes (default: WORKERS, or 1)"),
) -> None:
    """Serve predictions to Label Studio, which connects to this server as a model."""
    from shared.server import logs
    from shared.server.gunicorn_app import GunicornServer
    from shared.settings import Settings, avoid_huge_pages, read_settings

    avoid_huge_pages()
    options = {"host": host, "port": port, "workers": workers}
    settings = read_settings(Settings).model_copy(
        update={key: value for key, value in options.items() if value is not None}
    )
    logs.configure_logging(settings.log_level, settings.log_format)
    log_official_variables(context.obj or ())
    names = list(backend or settings.backends)
    # A single worker makes its application while it serves; several share what is imported before.
    serve_first = settings.workers == 1 and all(map(_is_folder, names))
    _import_before_fork(() if serve_first else WORKER_MODULES)
    if not serve_first:
        _check_names(names)
    GunicornServer(
        lambda worker_metrics: make_app(names, settings, worker_metrics),
        settings,
        on_start=lambda: _print_address(names, settings),
        serve_first=serve_first,
    ).run()


def make_app(
    names: list[str], settings: "Settings", worker_metrics: "WorkerMetrics | None" = None
) -> Any:
    """Make the application, in the process that serves it.

    What models need is imported and loaded afterwards, by `BackendService.warm_up`: it takes
    seconds, in which health checks are answered.
    """
    import sys

    from shared.backend.registry import choose_backends, faulty_backends
    from shared.server.app import create_app
    from shared.server.backend_service import BackendService
    from shared.server.third_party_file import is_reference
    from shared.server.third_party_service import open_model

    # Threads hand over the GIL after 1 ms instead of 5: the event loop waits less for theirs.
    sys.setswitchinterval(0.001)
    if settings.label_studio_api_key is not None:
        importlib.import_module("label_studio_sdk.base_client")
    plain = [name.partition(":")[0] for name in names]
    if len(names) == 1 and is_reference(names[0]):
        return create_app(open_model(names[0]), settings, worker_metrics)
    classes = choose_backends(names)
    faults = {} if names else faulty_backends()  # of others nobody asked
    service = BackendService(classes, named=plain, faults=faults)
    return create_app(service, settings, worker_metrics)


def _is_folder(name: str) -> bool:
    """Return whether a name is that of a folder of ours, which is known without importing it."""
    is_public = name.isidentifier() and not name.startswith("_")
    return is_public and importlib.util.find_spec(f"backends.{name}") is not None


def _import_before_fork(modules: Iterable[str]) -> None:
    """Import what workers share, with all that is imported already."""
    from shared.server.lasting_objects import lasting_objects

    with lasting_objects():
        for name in modules:
            importlib.import_module(name)


def _check_names(names: list[str]) -> None:
    """Raise SettingError for what cannot be served, before anything is started."""
    from shared.backend.registry import choose_backends
    from shared.server.third_party_file import check_reference, is_reference

    foreign = [name for name in names if is_reference(name)]
    if foreign and len(names) > 1:
        raise SettingError(f"{foreign[0]} can only be served by itself: leave out the other names")
    if foreign:
        check_reference(foreign[0])
    else:
        choose_backends(names)


def _print_address(names: list[str], settings: "Settings") -> None:
    typer.echo(
        f"prelabel on http://{settings.listen_address}"
        f" ({', '.join(names) or 'all installed backends'})"
    )
    if settings.host in {"127.0.0.1", "localhost", "::1"}:
        typer.echo(
            "Only this machine can connect. For a Label Studio elsewhere, or in a container:"
            " --host 0.0.0.0, with BASIC_AUTH_USER and BASIC_AUTH_PASS set"
        )
