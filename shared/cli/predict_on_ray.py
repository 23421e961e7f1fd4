"""`prelabel predict --engine ray`: what the command does then, and says."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import typer

from shared.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bulk.ray_engine.run_folder import RunFolder
    from shared.cli.predict_inputs import Options
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.task_sources import Source
    from shared.pipeline.plan import PredictionPlan


class Engine(str, Enum):
    """What runs a bulk prediction."""

    local = "local"
    ray = "ray"


@dataclass(frozen=True)
class RayOptions:
    """The options that only this engine has."""

    actors: int | None
    gpus_per_actor: float
    address: str | None


def predict_on_ray(options: "Options", ray_options: RayOptions) -> None:
    """Predict the inputs into a file or a folder of parts, and say how long it took."""
    from shared.bulk.ray_engine.run_folder import RunFolder
    from shared.cli.predict_inputs import read_label_config
    from shared.cli.progress import format_count
    from shared.label_studio.earlier_run import RetriedInputs
    from shared.pipeline.command_plans import fetch_plans
    from shared.pipeline.runtime import runtime

    if "-" in options.inputs:
        raise SettingError("--engine ray cannot read standard input: name a file")
    config = read_label_config(options, None)
    plans = fetch_plans(runtime(), config, options.backends, options.min_score)
    for problem in dict.fromkeys(problem for plan in plans for problem in plan.problems):
        typer.echo(f"prelabel: {problem}", err=True)
    digest = hashlib.sha256(config.xml.encode()).hexdigest()[:12]
    head = {"label_config": digest, "model_versions": [plan.version() for plan in plans]}
    sources = _open_sources(options, config, head["model_versions"])
    with RunFolder(options.output, head, options.resume) as folder:
        if folder.done:
            typer.echo(f"{format_count(folder.done)} done already", err=True)
        _run(options, ray_options, sources, plans, folder)
    for source in sources:
        if isinstance(source, RetriedInputs):
            source.forget()


def _open_sources(
    options: "Options", config: "LabelConfig", versions: "Sequence[str]"
) -> "Sequence[Source]":
    """Open the inputs: as one, which is read from its start, if only some tasks are wanted."""
    from shared.cli.predict_inputs import open_inputs, wanted_tasks
    from shared.label_studio.earlier_run import EarlierRun, RetriedInputs
    from shared.label_studio.import_file import has_import_format
    from shared.label_studio.task_choice import Only

    inputs = open_inputs(options, config, wanted_tasks(options.only, versions))
    if options.only is Only.failed:
        if not has_import_format(options.output):
            raise SettingError(
                "--only failed with --engine ray needs an OUTPUT that is one file, such as"
                f" {options.output}.jsonl: the tasks that did not fail are taken from there"
            )
        EarlierRun(options.output)  # says what is missing, before Ray is started
        return [RetriedInputs(inputs, options.output.resolve())]
    return [inputs] if options.only or options.sample else inputs.sources


def _run(
    options: "Options",
    ray_options: RayOptions,
    sources: "Sequence[Source]",
    plans: "list[PredictionPlan]",
    folder: "RunFolder",
) -> None:
    from shared.bulk.ray_engine.cluster import choose_pool, connected
    from shared.bulk.ray_engine.engine import RayPrediction
    from shared.bulk.ray_engine.part_predictor import PartRequest, own_variables
    from shared.cli.progress import Meter, format_count, format_duration, format_rate
    from shared.label_studio.import_filter import describe_left_out

    done_before = folder.done
    versions = tuple(plan.version() for plan in plans)
    request = PartRequest(
        plans[0].config.xml,
        tuple(options.backends),
        versions,
        folder.path,
        variables=own_variables(),
        min_score=options.min_score,
        replaces=options.replace,
    )
    inline = all(plan.is_inline for plan in plans)
    with connected(ray_options.address) as ray:
        pool = choose_pool(ray, ray_options.actors, ray_options.gpus_per_actor, inline)
        job = RayPrediction(ray, sources, request, pool, folder)
        with Meter(job, "predict") as meter:
            job.report = meter.report_done
            job.run()
    tasks, seconds = folder.done - done_before, meter.seconds
    rate = tasks / max(seconds, 1e-3)
    typer.echo(
        f"{options.output_name}: {format_count(tasks)} in {format_duration(seconds)},"
        f" {format_rate(rate)} per second, {pool.actors} actor{'' if pool.actors == 1 else 's'}"
    )
    for line in describe_left_out(job.left_out):
        typer.echo(f"{options.output_name}: {line}", err=True)
