"""The job that does for what is drawn on one task what a request had no time for.

It predicts the request's task and context once more, without a deadline, and stores the result as
a prediction of its own: all of it or, when it is cancelled, nothing.
"""

from collections.abc import Mapping
from typing import Any

from shared.backend.progress import listening
from shared.errors import TaskError
from shared.jobs.context import JobContext
from shared.jobs.job import Job, JobCancelledError, JobError
from shared.jobs.job_store import JobStore
from shared.jobs.submit import submit_job
from shared.label_studio.project import Project
from shared.pipeline.prediction import Prediction
from shared.pipeline.runtime import runtime
from shared.server.prediction_job import LANE, check_key
from shared.server.project_plans import ProjectPlans
from shared.settings import Settings

KIND = "drawn"
FUNCTION = "shared.server.drawn_job:run_drawn"
# What is drawn is not what the plan predicts in bulk, and so has a version of its own.
VERSION_SUFFIX = "-drawn"


def start_drawn(settings: Settings, key: str, arguments: Mapping[str, Any]) -> Job:
    """Start the job, or return the one that has not ended and does the same.

    `arguments` are the number of the `project`, the id of the `task`, the request's `context` and
    the `backend` of its path, if it has one.
    """
    for job in JobStore(settings.train_dir).list_jobs():
        is_same = (job.kind, job.key, job.arguments) == (KIND, key, arguments)
        if is_same and not job.is_finished:
            return job
    here = settings.model_copy(update={"queue_url": None})
    return submit_job(here, KIND, key, FUNCTION, arguments, LANE)


def run_drawn(context: JobContext) -> Mapping[str, Any]:
    """Predict what is drawn, and store it; return how many results there are."""
    arguments = context.arguments
    project = Project(arguments["project"], context.settings)
    try:
        check_key(project, context.job.key)
        found = _predict(context, project)
        context.say("stores the prediction")
        stored = found.to_json() | {"model_version": found.version + VERSION_SUFFIX}
        task = {"id": arguments["task"], "predictions": [stored]}
        project.store_predictions([task], again=context.job.attempts > 1)
    finally:
        project.close()
    context.say(f"task {arguments['task']}: {len(found.results)} results stored")
    return {"task": arguments["task"], "results": len(found.results)}


def _predict(context: JobContext, project: Project) -> Prediction:
    arguments = context.arguments
    number = arguments["task"]
    data = project.read_task_data(number)
    if data is None:
        raise JobError(f"task {number} has been deleted")
    context.say("loads the models")
    plan = ProjectPlans(context.settings, runtime()).make(project, arguments.get("backend"))[0]
    context.say(f"predicts what is drawn on task {number}")

    def report(fraction: float) -> None:
        try:
            context.report(stage="predict", fraction=round(fraction, 4))
        except JobCancelledError as error:
            raise TaskError(str(error)) from None

    with listening(report):
        task = {"id": number, "data": data}
        [outcome] = runtime().pipeline.run(plan, [task], arguments["context"])
    context.report(fraction=1.0)  # raises if the job was cancelled
    if outcome.prediction is None or not outcome.prediction.results:
        raise JobError(f"task {number}: {outcome.error or 'nothing is found of what is drawn'}")
    return outcome.prediction
