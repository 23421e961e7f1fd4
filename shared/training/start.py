"""Starts trainings, for the button, the counter of updates and the command line."""

from collections.abc import Sequence

from shared.backend.registry import choose_backends
from shared.errors import SettingError
from shared.jobs.job import Job
from shared.jobs.rq_queue import AUTO_DEVICE
from shared.jobs.submit import submit_job
from shared.settings import Settings
from shared.training.device import choose_device
from shared.training.source import TrainingSource

KIND = "training"
FUNCTION = "shared.training.training_job:run_training"


def start_training(
    settings: Settings,
    source: TrainingSource,
    key: str,
    controls: Sequence[str] = (),
    max_epochs: int = 0,
    backends: Sequence[str] = (),
) -> Job:
    """Start a training in a process of its own, or return the one that waits already.

    `key` is that of the project, see `shared.label_studio.project_key`; `controls` are the control
    tags to train, by default all that can be; `backends` are those that train them, by default
    each the one that serves it. Takes milliseconds, and asks no other server.
    SettingError says what is missing.
    """
    if not key.strip():
        raise SettingError("a training needs the key of a project, or a name for its models")
    source.check(settings)
    arguments = source.to_json()
    if controls:
        arguments["controls"] = list(controls)
    if backends:
        choose_backends(backends)
        arguments["backends"] = list(backends)
    if max_epochs:
        arguments["max_epochs"] = max_epochs
    return submit_job(settings, KIND, key, FUNCTION, arguments, _device(settings))


def _device(settings: Settings) -> str:
    """Return what a training is to have for itself; on another machine its worker knows that."""
    if settings.queue_url is not None and settings.device == AUTO_DEVICE:
        return AUTO_DEVICE
    return choose_device(settings)
