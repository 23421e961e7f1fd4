"""The input of commands that read annotations: export files, or a project."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from shared.evaluation.problems import ProblemLog
    from shared.evaluation.task_source import AnnotatedTasks
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.project import Project
    from shared.settings import Settings

INPUT_HELP = (
    "Export files of Label Studio (JSON, JSON-MIN or JSON Lines, also gzipped; - for standard"
    " input)"
)
LABEL_CONFIG_HELP = "The label config, an XML file (default: that of --project)"
PROJECT_HELP = "ID of a project in LABEL_STUDIO_URL"
ANNOTATIONS_HELP = (
    "Of several annotations of a task: the latest, the consensus of the annotators, or all"
)
# Problems that are printed; the report has all of them.
MAX_PRINTED_PROBLEMS = 10


@dataclass(frozen=True)
class AnnotatedInput:
    """Annotated tasks with their label config, and the project that they are in, if any.

    `task_url` is the address to which a task's id is added to open it in Label Studio.
    """

    config: "LabelConfig"
    tasks: "AnnotatedTasks"
    project: "Project | None"
    title: str
    task_url: str | None = None

    def __enter__(self) -> "AnnotatedInput":
        return self

    def __exit__(self, *error: object) -> None:
        if self.project is not None:
            self.project.close()


def open_annotated_input(
    inputs: list[str] | None,
    project: int | None,
    label_config: Path | None,
    problems: "ProblemLog",
    needs_predictions: bool = True,
) -> AnnotatedInput:
    """Open export files, or else the tasks of a project; BadParameter if neither is given.

    `needs_predictions`: whether stored predictions that a file lacks are a problem.
    """
    from shared.backend.process_resources import shared_resources
    from shared.evaluation.annotated_task import TaskReader
    from shared.evaluation.task_source import AnnotatedTasks, ProjectTasks, RawSource, open_exports
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.project import Project

    if not inputs and project is None:
        raise typer.BadParameter("nothing to read: specify an INPUT, or --project")
    if label_config is None and project is None:
        raise typer.BadParameter("--label-config is missing")
    resources = shared_resources()
    opened = None if project is None else Project(project, resources.settings)
    xml = opened.label_config if opened is not None else ""
    if label_config is not None:
        xml = label_config.read_text("utf-8", errors="replace")
    config = LabelConfig.parse(xml)
    if inputs:
        source: RawSource = open_exports(inputs, config)
    else:
        assert opened is not None
        source = ProjectTasks(opened)
    reader = TaskReader(config, resources.media, problems, needs_predictions)
    tasks = AnnotatedTasks(source, reader, problems)
    title = ", ".join(Path(name).name for name in inputs) if inputs else f"project {project}"
    return AnnotatedInput(config, tasks, opened, title, _task_url(resources.settings, project))


def _task_url(settings: "Settings", project: int | None) -> str | None:
    if project is None or settings.label_studio_url is None:
        return None
    return f"{settings.label_studio_url}/projects/{project}/data?task="


def print_problems(problems: "ProblemLog") -> None:
    """Print the first problems, each with the tasks in which it occurred."""
    for number, problem in enumerate(problems):
        if number == MAX_PRINTED_PROBLEMS:
            typer.echo(f"prelabel: and {len(problems) - number} more problems", err=True)
            break
        typer.echo(f"prelabel: {problem}", err=True)
