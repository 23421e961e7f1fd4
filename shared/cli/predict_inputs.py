"""What `prelabel predict` reads, by its arguments: files, folders, or the tasks of a project."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from shared.errors import SettingError
from shared.label_studio.task_choice import Only, Wanted, is_unannotated, lacks_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.backend.annotated_examples import AnnotatedExamples
    from shared.cli.predict_on_ray import RayOptions
    from shared.label_studio.earlier_run import EarlierRun
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.project import Project
    from shared.label_studio.task_sources import Inputs, ResumableSource, Source
    from shared.pipeline.plan import PredictionPlan


@dataclass(frozen=True)
class Options:
    """The arguments of the command."""

    inputs: list[str]
    label_config: Path | None
    output: Path
    backends: list[str]
    resume: bool
    push: bool
    project: int | None
    url_prefix: str | None
    only: Only | None
    replace: bool
    min_score: float
    sample: int | None
    dry_run: bool
    ray: "RayOptions | None" = None
    output_name: str = ""
    """What the user calls the output, which may be in an object store."""
    embeddings: bool = False


@dataclass(frozen=True)
class PredictRun:
    """What a run reads, and how it predicts."""

    config: "LabelConfig"
    plans: "list[PredictionPlan]"
    versions: list[str]
    source: "ResumableSource"
    project: "Project | None"
    earlier: "EarlierRun | None"


def open_run(options: Options) -> PredictRun:
    """Open what is to be predicted, with the models loaded; SettingError says what is wrong."""
    from shared.label_studio.earlier_run import EarlierRun
    from shared.pipeline.command_plans import load_plans
    from shared.pipeline.runtime import runtime

    project = _open_project(options.project)
    config = read_label_config(options, project)
    earlier = EarlierRun(options.output) if options.only is Only.failed else None
    examples = find_examples(options, config, project)
    plans = load_plans(runtime(), config, options.backends, options.min_score, examples)
    for problem in dict.fromkeys(problem for plan in plans for problem in plan.problems):
        typer.echo(f"prelabel: {problem}", err=True)
    versions = [plan.version() for plan in plans]
    if project is not None and not options.inputs:
        _choose_tasks(project, options, versions, earlier)
        if earlier is None or options.push:
            return PredictRun(config, plans, versions, project, project, None)
    source = open_inputs(options, config, wanted_tasks(options.only, versions))
    return PredictRun(config, plans, versions, source, project, earlier)


def find_examples(
    options: Options, config: "LabelConfig", project: "Project | None"
) -> "AnnotatedExamples | None":
    """Return what is annotated in the project, or else in the inputs; None if no tag asks for it.

    SettingError if the inputs cannot be read twice.
    """
    from shared.backend.annotated_examples import ATTRIBUTE, find_asking
    from shared.backend.process_resources import shared_resources
    from shared.evaluation.annotated_examples import collect_examples, project_examples

    asking = find_asking(config)
    if not asking:
        return None
    media = shared_resources().media
    if project is not None:
        found = project_examples(project, config, media)
    elif "-" in options.inputs:
        raise SettingError(
            f"{asking[0]} has {ATTRIBUTE}: its examples are in the inputs, which are read twice, so"
            " name a file instead of -"
        )
    else:
        everything = open_inputs(replace(options, sample=None), config)
        found = collect_examples(everything, config, media)
    for note in found.notes:
        typer.echo(f"prelabel: {note}", err=True)
    return found


def wanted_tasks(only: Only | None, versions: "Sequence[str]") -> "Wanted | None":
    """Return which tasks of files are wanted; None: all, or those that an earlier run names."""
    choices = {Only.missing: lacks_versions(versions), Only.unannotated: is_unannotated}
    return None if only is None else choices.get(only)


def _choose_tasks(
    project: "Project", options: Options, versions: list[str], earlier: "EarlierRun | None"
) -> None:
    """Tell a project which of its tasks are to be predicted."""
    if options.push or options.only is Only.missing:
        project.versions = frozenset(versions)
    project.unannotated = options.only is Only.unannotated
    project.only = None if earlier is None else earlier.task_ids
    project.size = options.sample
    project.replaces = options.replace


def _open_project(number: int | None) -> "Project | None":
    from shared.label_studio.project import Project
    from shared.pipeline.runtime import runtime

    return None if number is None else Project(number, runtime().settings)


def read_label_config(options: Options, project: "Project | None") -> "LabelConfig":
    """Return the label config of the file, or that of the project."""
    from shared.label_studio.label_config import LabelConfig

    if options.label_config is not None:
        return LabelConfig.parse(options.label_config.read_text("utf-8", errors="replace"))
    assert project is not None
    return LabelConfig.parse(project.label_config)


def open_inputs(
    options: Options, config: "LabelConfig", wanted: "Wanted | None" = None
) -> "Inputs":
    """Open the files and folders of tasks, of which some may be wanted."""
    from shared.label_studio.task_sources import Inputs

    # The tasks of a project that an earlier run has written are read from there.
    names = options.inputs or [str(options.output)]
    sources = open_sources(names, config, options.url_prefix)
    return Inputs(sources, wanted, options.sample)


def open_sources(
    names: "Sequence[str]", config: "LabelConfig", url_prefix: str | None
) -> "list[Source]":
    """Open files of tasks, and folders or globs of media."""
    from shared.bulk.parquet_file import ParquetFile, is_parquet
    from shared.label_studio.media_folder import (
        MediaFolder,
        find_media_tag,
        is_media,
        refuse_series,
    )
    from shared.label_studio.task_file import TaskFile
    from shared.pipeline.runtime import runtime

    root = runtime().settings.local_files_root
    sources: list[Source] = []
    for name in names:
        if is_media(name, config):
            sources.append(MediaFolder(name, find_media_tag(config), url_prefix, root))
        elif is_parquet(name):
            sources.append(ParquetFile(name))
        else:
            refuse_series(name, config)
            sources.append(TaskFile(name, tables=True))
    return sources
