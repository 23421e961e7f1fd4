"""`prelabel gallery`: what the server would fill of Label Studio's own templates."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.errors import SettingError, escape_control

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.editor.templates import Template
    from shared.pipeline.sample_run import SampleRun
    from shared.results.validation import Finding

# One template with what became of it: a line of `--format json`.
Row = dict[str, Any]


class Format(str, Enum):
    """How the templates are written."""

    table = "table"
    json = "json"


@app.command()
def gallery(
    templates: list[str] = typer.Argument(
        None,
        metavar="TEMPLATE",
        help="Templates, or parts of their names, such as keypoints or audio (default: all)",
    ),
    backend: list[str] = typer.Option(
        None, help="A backend, or backend:model; may be repeated (default: those of the server)"
    ),
    editor: bool = typer.Option(
        False, "--editor", help="Also compare what Label Studio's own editor draws"
    ),
    format: Format = typer.Option(Format.table, help="table, or json: one template per line"),  # noqa: A002
) -> None:
    """Predict each template of Label Studio's gallery, with data that is made for it.

    Shows which backend fills which control tag with the settings and models of this environment.
    The templates are those of an installed label-studio, or of LABEL_STUDIO_ASSETS. The exit
    status is 1 if a prediction is not drawn as it was meant.
    """
    from shared.pipeline.runtime import reset_runtime
    from shared.server import logs

    logs.configure_logging("CRITICAL")
    try:
        with ExitStack() as stack:
            rows = _run_all(_choose(templates or []), backend or [], _compare_by(stack, editor))
            good = (_print_json if format is Format.json else _print_table)(rows)
    finally:
        reset_runtime()
    if not good:
        raise typer.Exit(1)


def _choose(wanted: list[str]) -> "list[Template]":
    """Return the templates whose names have one of the given parts; SettingError if none has."""
    from shared.editor.assets import require_assets
    from shared.editor.templates import read_templates
    from shared.settings import Settings, read_settings

    folder = require_assets(read_settings(Settings)).folder
    found = read_templates(folder)
    if not found:
        raise SettingError(f"{folder} is not beside Label Studio's templates")
    if not wanted:
        return list(found)
    matches = {part: _matching(found, part) for part in wanted}
    for part, ones in matches.items():
        if not ones:
            raise SettingError(f'No template of Label Studio has "{part}" in its name')
    return [one for one in found if any(one in ones for ones in matches.values())]


def _matching(templates: "Sequence[Template]", part: str) -> "list[Template]":
    """Return the template of that name, or all whose names contain it."""
    same = [one for one in templates if part in (one.key, one.name)]
    return same or [one for one in templates if part in one.name]


def _compare_by(stack: ExitStack, editor: bool) -> "Callable[[SampleRun], list[Finding]]":
    """Return what compares a run with the editor, which runs until the stack is closed."""
    if not editor:
        return lambda run: []
    from shared.editor.browser import EditorBrowser
    from shared.editor.findings import compare_task
    from shared.settings import Settings, read_settings

    browser = stack.enter_context(EditorBrowser(read_settings(Settings)))
    return lambda run: compare_task(browser, run.config, run.task)


def _run_all(
    templates: "Iterable[Template]",
    names: list[str],
    compare: "Callable[[SampleRun], list[Finding]]",
) -> Iterator[Row]:
    from shared.label_studio.label_config import LabelConfig
    from shared.pipeline.runtime import runtime
    from shared.pipeline.sample_run import SampleRunner

    runner = SampleRunner(runtime(), names)
    for template in templates:
        run = runner.run(LabelConfig.parse(template.label_config))
        counts = run.count_results()
        yield {
            "template": template.name,
            "controls": [
                {
                    "name": control.name,
                    "tag": control.tag,
                    "backend": run.filled_by.get(control.name),
                    "results": counts[control.name],
                }
                for control in run.config.controls
            ],
            "problems": list(run.problems),
            "failures": list(run.failures),
            "editor": [finding.message for finding in compare(run)],
        }


def _print_json(rows: Iterable[Row]) -> bool:
    from shared.label_studio.json_stream import dump_line

    good = True
    for row in rows:
        sys.stdout.buffer.write(dump_line(row))
        sys.stdout.buffer.flush()
        good = good and not row["editor"]
    return good


def _print_table(rows: Iterable[Row]) -> bool:
    """Print the templates, and then what is to be said of them; return whether all is drawn."""
    from shared.cli.tables import create_console, create_table, name_cell

    console = create_console()
    table = create_table(["template", "control tag", "filled by"])
    table.add_column("results", justify="right")
    all_rows = list(rows)
    for row in all_rows:
        for place, one in enumerate(row["controls"]):
            names = (row["template"] if not place else "", f"{one['tag']} {one['name']}")
            cells = (*names, one["backend"] or "nobody")
            table.add_row(*map(name_cell, cells), str(one["results"] or ""))
    console.print(table)
    for row in all_rows:
        for message in (*row["problems"], *row["failures"], *row["editor"]):
            text = escape_control(f"{row['template']}: {message}")
            console.print(text, markup=False, highlight=False)
    controls = [one for row in all_rows for one in row["controls"]]
    claimed = sum(one["backend"] is not None for one in controls)
    filled = sum(one["results"] > 0 for one in controls)
    typer.echo(
        f"Templates: {len(all_rows)}. Control tags: {len(controls)}, with a backend: {claimed},"
        f" filled: {filled}"
    )
    return not any(row["editor"] for row in all_rows)
