"""Storing the prediction, and reading it back."""

from collections.abc import Iterator
from typing import Any

from shared.cli.doctor.check import Check, broken, good, skipped
from shared.cli.doctor.session import DoctorSession
from shared.errors import PrelabelError

# To which numbers are compared: Label Studio keeps more.
DECIMALS = 6


def storing(way: DoctorSession) -> Iterator[Check]:
    """Whether Label Studio keeps the prediction; it is stored with --push only."""
    if not way.push:
        yield skipped("Storing", "--push stores the prediction and reads it back")
        return
    prediction = {"model_version": way.version, **way.answer}
    try:
        way.project.predict([{"id": way.task["id"], "predictions": [prediction]}], again=True)
        stored = way.project.predictions(way.task["id"])
    except PrelabelError as error:
        yield broken("Storing", "push_refused", str(error))
        return
    ours = [found for found in stored if found["model_version"] == prediction["model_version"]]
    if any(_plain(found["result"]) == _plain(prediction["result"]) for found in ours):
        what = f"task {way.task['id']} has the prediction of {prediction['model_version']}"
        yield good("Storing", what)
    else:
        what = f"task {way.task['id']} has {len(ours)} predictions of this version, none like it"
        yield broken("Storing", "push_lost", what)


def _plain(value: Any) -> Any:
    """JSON with its numbers rounded."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return round(float(value), DECIMALS)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
