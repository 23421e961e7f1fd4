"""The check that stores the prediction in Label Studio and reads it back."""

from collections.abc import Iterator
from typing import Any

from shared.doctor.check import Check, broken_check, ok_check, skipped_check
from shared.doctor.session import DoctorSession
from shared.errors import PrelabelError

# Numbers are compared to this precision, less than that of what Label Studio stores.
DECIMALS = 6


def check_storing(session: DoctorSession) -> Iterator[Check]:
    """Check that Label Studio keeps the prediction; it is stored with --push only."""
    if not session.push:
        yield skipped_check("Storing", "--push stores the prediction and reads it back")
        return
    task_id = session.task["id"]
    prediction = {"model_version": session.setup_version, **session.prediction}
    version = prediction["model_version"]
    try:
        session.project.store_predictions(
            [{"id": task_id, "predictions": [prediction]}], again=True
        )
        stored = session.project.stored_predictions(task_id)
    except PrelabelError as error:
        yield broken_check("Storing", "push_refused", str(error))
        return
    ours = [_round_numbers(p["result"]) for p in stored if p["model_version"] == version]
    if _round_numbers(prediction["result"]) in ours:
        yield ok_check("Storing", f"task {task_id} has the prediction of {version}")
    else:
        message = f"task {task_id} has {len(ours)} predictions of this version, but not this one"
        yield broken_check("Storing", "push_lost", message)


def _round_numbers(value: Any) -> Any:
    """Return JSON with its numbers rounded."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return round(float(value), DECIMALS)
    if isinstance(value, dict):
        return {key: _round_numbers(inner) for key, inner in value.items()}
    return [_round_numbers(inner) for inner in value] if isinstance(value, list) else value
