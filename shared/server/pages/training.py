"""The page of trainings: jobs, versions with their figures, and what can be done about them."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import RequestError
from shared.evaluation.figures import FigureRow, column_keys, figure_name
from shared.jobs.job import Job, JobState
from shared.label_studio.project_key import is_project_key, project_number
from shared.server.training_triggers import TrainingTriggers
from shared.settings import Settings
from shared.training.version_list import SERVED, SERVES, VersionEntry, list_entries
from shared.training.version_store import VersionStore

# Jobs, versions of a project and figures that the page shows.
MAX_JOBS, MAX_VERSIONS, MAX_FIGURES = 20, 20, 3
# How the state of a job is coloured, as that of a model.
STYLES = {
    JobState.done: "loaded",
    JobState.running: "loading",
    JobState.failed: "failed",
    JobState.interrupted: "failed",
}
NO_TRAININGS = "The model that serves here trains by its own fit, without jobs."


def describe_trainings(
    triggers: TrainingTriggers | None, served: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the values of the page's template; `served` is `projects` of /status."""
    if triggers is None:
        return {"missing": NO_TRAININGS, "jobs": [], "projects": [], "each": 0}
    report, store = triggers.report(), VersionStore(triggers.settings.train_dir)
    jobs = [_describe_job(job) for job in triggers.store.list_jobs()[: -MAX_JOBS - 1 : -1]]
    keys = [*report["projects"], *store.list_projects(), *served]
    return {
        "missing": report["obstacle"],
        "each": report["each_n_updates"],
        "jobs": jobs,
        "projects": [
            {
                "key": key,
                "number": project_number(key),
                "link": _project_link(triggers.settings, project_number(key)),
                "can_predict": triggers.background.obstacle() is None and is_project_key(key),
                "can_train": report["obstacle"] is None and is_project_key(key),
                "obstacle": report["projects"].get(key, {}).get("obstacle"),
                "changes": report["projects"].get(key, {}).get("changes", 0),
                "problems": served.get(key, {}).get("problems", []),
                "tags": _describe_tags(list_entries(store, key)),
            }
            for key in dict.fromkeys(keys)
        ],
    }


def _project_link(settings: Settings, number: int | None) -> str | None:
    """Return the address of a project's page; None without LABEL_STUDIO_URL."""
    if number is None or settings.label_studio_url is None:
        return None
    return f"{settings.label_studio_url}/projects/{number}"


def _describe_job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "key": job.key,
        "number": project_number(job.key),
        "kind": job.kind,
        "state": job.state.value,
        "style": STYLES.get(job.state, "waiting"),
        "progress": "" if job.state is JobState.done else _describe_progress(job.progress),
        "seconds": job.seconds,
        "remaining": job.remaining_seconds,
        "message": job.message,
        "can_end": not job.is_finished,
    }


def _describe_progress(progress: Mapping[str, Any]) -> str:
    """Return `epoch 3 of 20, loss 0.213`, or the stage before it; `30 done, 1 failed` of tasks."""
    if "done" in progress:
        rate = f", {progress.get('tasks_per_second', 0):g} per second"
        return f"{progress['done']} done, {progress.get('failed', 0)} failed{rate}"
    if "epoch" not in progress:
        return str(progress.get("stage", ""))
    words = [f"epoch {progress['epoch']} of {progress.get('epochs', '?')}"]
    metrics = {**progress, **(progress.get("metrics") or {})}
    if isinstance(loss := metrics.get("loss"), int | float):
        words.append(f"loss {loss:.3g}")
    return ", ".join(words)


def _describe_tags(entries: Sequence[VersionEntry]) -> list[dict[str, Any]]:
    by_control: dict[str, list[VersionEntry]] = {}
    for entry in entries:
        by_control.setdefault(entry.version.control, []).append(entry)
    return [_describe_tag(control, found) for control, found in by_control.items()]


def _describe_tag(control: str, entries: Sequence[VersionEntry]) -> dict[str, Any]:
    rows = [row for entry in entries for row in (entry.row, entry.before) if row is not None]
    keys = column_keys(rows)[:MAX_FIGURES]
    return {
        "control": control,
        "figures": [figure_name(key) for key in keys],
        "can_roll_back": any(entry.state == SERVES for entry in entries),
        "versions": [_describe_version(entry, keys) for entry in entries[:MAX_VERSIONS]],
    }


def _describe_version(entry: VersionEntry, keys: Sequence[str]) -> dict[str, Any]:
    return {
        "name": entry.version.name,
        "state": entry.state,
        "serves": entry.state == SERVES,
        "served": entry.state == SERVED,
        "created": entry.version.created[:16].replace("T", " "),
        "reason": entry.reason,
        "figures": [_format(entry.row, key) for key in keys],
        "before": [_format(entry.before, key) for key in keys] if entry.before else None,
    }


def _format(row: FigureRow | None, key: str) -> str:
    figure = row.figures.get(key) if row is not None else None
    return figure.format_value() if figure is not None else "–"


def change_trainings(triggers: TrainingTriggers, fields: Mapping[str, str]) -> None:
    """Do what a button of the page asks for; PrelabelError says what is missing."""
    action, project, control = (fields.get(name, "") for name in ("action", "project", "control"))
    if action == "train":
        triggers.start(project)
    elif action == "predict":
        triggers.background.start(project)
    elif action == "cancel":
        triggers.store.cancel(triggers.store.find(fields.get("job", "")).id)
    elif action == "promote":
        triggers.promote(project, control, fields.get("version", ""))
    elif action == "rollback":
        triggers.roll_back(project, control)
    else:
        raise RequestError("The form cannot be read; open the page again")
