"""Checks of one prediction, requested as Label Studio does: the tags, the media, the result."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from shared.doctor.check import Check, broken_check, ok_check, warning_check
from shared.doctor.session import DoctorSession
from shared.errors import ConfigError, truncate
from shared.label_studio.import_file import DROPPED_PREFIX
from shared.label_studio.javascript import lookup_path
from shared.label_studio.ml_requests import predict_request, setup_request
from shared.label_studio.variables import keys_of
from shared.results.validation import FractionDetector, check_results, config_problems

# The remedies for a failure's cause (see `shared.errors.Cause`) or, where it has none, its reason.
MEDIA_REMEDIES = {
    "missing_key": "media_key",
    "value_type": "media_key",
    "empty_value": "media_value",
    "invalid_address": "media_value",
    "wrong_encoding": "media_value",
    "label_studio_url_missing": "media_url",
    "label_studio_token": "media_token",
    "host_not_allowed": "media_hosts",
    "bucket_not_allowed": "media_buckets",
    "private_address": "media_private",
    "local_file": "media_local",
    "too_large": "media_size",
    "http_status": "media_gone",
    "invalid_url": "media_gone",
    "blocked_address": "media_gone",
    "fetch": "media_unreachable",
    "decode": "media_unreadable",
}

# Any other cause is a failure of the model itself.
PREDICTION_REMEDIES = {
    "model": "predict_model",
    "deadline": "predict_deadline",
    "labels": "predict_labels",
    "unfillable": "predict_unfillable",
}

# A failed task or dropped region, as the server's /status lists it.
Failure = Mapping[str, Any]


def check_label_config(session: DoctorSession) -> Iterator[Check]:
    """Check which backend fills which control tag."""
    link = "Label config"
    try:
        config = session.label_config
    except ConfigError as error:
        yield broken_check(link, "config", str(error))
        return
    for problem in config_problems(config):
        build_check = broken_check if problem.severity == "error" else warning_check
        yield build_check(link, "config", problem.message)
    body = setup_request(config.xml, _project_name(session), session.label_studio_url)
    response = session.server_client.post(f"{session.server_url}/setup", json=body)
    if not response.is_success:
        message = f"/setup answers {response.status_code}: {_read_detail(response)}"
        yield broken_check(link, "config", message)
        return
    session.setup_version = str(response.json().get("model_version"))
    status = _label_config_status(session)
    if status is None:
        message = f"{config.describe_controls()}; model version {session.setup_version}"
        yield ok_check(link, message)
    elif not status["filled"]:
        yield broken_check(link, "nothing_filled", "; ".join(status["problems"]))
    else:
        for name, backend in status["filled"].items():
            yield ok_check(link, f"{config.find_control(name)} is filled by {backend}")
        yield from _check_unfilled_tags(session, status["filled"], status["problems"])


def _check_unfilled_tags(
    session: DoctorSession, filled: Mapping[str, str], problems: list[str]
) -> Iterator[Check]:
    """Warn of the control tags that no backend fills, with the reason where it is known."""
    for control in session.label_config.controls:
        if control.name in filled or control.get_flag("model_skip"):
            continue
        problem = next((text for text in problems if str(control) in text), None)
        if problem is not None:
            yield warning_check("Label config", "tag_problem", problem)
        else:
            message = f"{control} is filled by no backend"
            yield warning_check("Label config", "tag_not_filled", message)


def check_media(session: DoctorSession) -> Iterator[Check]:
    """Check that the server can read what the task shows: the task is predicted for that."""
    config, task = session.label_config, session.task
    # The task may have failed before: only what is new belongs to this prediction.
    earlier = _recent_failures(session)
    body = predict_request([task], config.xml, _project_name(session))
    session.response = session.server_client.post(f"{session.server_url}/predict", json=body)
    session.failures = [f for f in _recent_failures(session) if f not in earlier]
    for failure in session.failures:
        rule = MEDIA_REMEDIES.get(_cause(failure))
        if rule is not None:
            yield broken_check("Media", rule, f"task {task['id']}: {failure['message']}")
            return
    keys = (key for target in config.objects.values() for key in keys_of(target.value))
    values = (
        f"{key}: {_shorten_value(lookup_path(task['data'], key))}" for key in dict.fromkeys(keys)
    )
    yield ok_check("Media", f"task {task['id']}: {', '.join(values)}")


def check_prediction(session: DoctorSession) -> Iterator[Check]:
    """Check that the task was predicted, under the model version of /setup."""
    response = session.response
    assert response is not None
    if not response.is_success:
        message = f"/predict answers {response.status_code}: {_read_detail(response)}"
        yield broken_check("Prediction", "predict_refused", message)
        return
    [result] = response.json()["results"]
    # a list of several models' predictions, or an empty one for a task that failed
    prediction = result[0] if isinstance(result, list) and result else result
    if not isinstance(prediction, dict):
        failure = next((f for f in session.failures if not _is_drop(f)), None)
        rule = PREDICTION_REMEDIES.get(_cause(failure), "predict_failed")
        reason = failure["message"] if failure else "the answer is empty"
        yield broken_check("Prediction", rule, f"task {session.task['id']}: {reason}")
        return
    session.prediction = prediction
    version = prediction.get("model_version", session.setup_version)
    if version != session.setup_version:
        message = f"/setup answers model version {session.setup_version}, /predict {version}"
        yield broken_check("Prediction", "predict_version", message)
        return
    count = len({result.get("id") for result in prediction["result"]})
    regions = "1 region" if count == 1 else f"{count} regions"
    message = f"{regions}, score {prediction.get('score', '–')}, model version {version}"
    if count or any(map(_is_drop, session.failures)):
        yield ok_check("Prediction", message)
    else:
        yield warning_check("Prediction", "nothing_found", message)


def check_label_mapping(session: DoctorSession) -> Iterator[Check]:
    """Check which of the model's classes becomes which label, and which labels get none."""
    status = _label_config_status(session)
    for report in status["mappings"] if status else ():
        control = session.label_config.find_control(report["control"])
        pairs = ", ".join(f"{name} → {label}" for name, label in report["labels"].items())
        if pairs:
            yield ok_check("Labels", f"{control}: {pairs}")
        classes = ", ".join(report["unused_classes"][:20]) or "none"
        for label in report["unfilled_labels"]:
            message = f'{control}: no class of the model becomes "{label}"'
            yield warning_check("Labels", "label_unfilled", message, classes=classes)


def check_validation(session: DoctorSession) -> Iterator[Check]:
    """Check that the editor would show the prediction as meant."""
    dropped = [failure for failure in session.failures if _is_drop(failure)]
    for failure in dropped:
        yield broken_check("Validation", "dropped", f"left out: {failure['message']}")
    results = session.prediction["result"]
    fractions = FractionDetector(session.label_config)
    fractions.observe_results(results)
    findings = check_results(session.label_config, results, session.task["data"])
    findings += fractions.findings()
    for finding in findings:
        if finding.severity == "error":
            yield broken_check("Validation", "invalid", finding.message)
        else:
            yield warning_check("Validation", "doubtful", finding.message)
    if not dropped and not findings:
        message = f"nothing is left out; results that will be shown: {len(results)}"
        yield ok_check("Validation", message)


def _project_name(session: DoctorSession) -> str:
    """Return the project's id and a time, as Label Studio names a project to a backend."""
    return f"{session.project_id}.{int(time.time())}"


def _server_status(session: DoctorSession) -> dict[str, Any]:
    """Return the server's /status; an empty object for a server of another kind."""
    if not session.backend_names:
        return {}
    status: dict[str, Any] = session.ask_server("/status").raise_for_status().json()
    return status


def _recent_failures(session: DoctorSession) -> list[dict[str, Any]]:
    """Return the task's failures that the server has recorded."""
    failures = _server_status(session).get("failures", {}).get("recent", [])
    return [failure for failure in failures if failure["task"] == session.task["id"]]


def _label_config_status(session: DoctorSession) -> dict[str, Any] | None:
    """Return the entry of the server's /status about the project's label config."""
    digest = hashlib.sha256(session.label_config.xml.encode()).hexdigest()[:12]
    entries = _server_status(session).get("label_configs", [])
    entries = [entry for entry in entries if entry.get("digest") == digest]
    # It has an entry for each path that it was asked for, such as / and /ner: take the one of ours.
    current = [entry for entry in entries if entry["model_version"] == session.setup_version]
    return next(iter(current or entries), None)


def _cause(failure: Failure | None) -> str:
    """Return a failure's cause; a server of an earlier release sends the reason only."""
    return str(failure.get("cause", failure["reason"])) if failure else ""


def _is_drop(failure: Failure) -> bool:
    """Return whether it is a region that was left out, of a task that was predicted."""
    return str(failure["reason"]).startswith(DROPPED_PREFIX)


def _read_detail(response: httpx.Response) -> str:
    """Return the message of an error response."""
    try:
        return str(response.json().get("detail"))[:300]
    except (ValueError, AttributeError):
        return "no JSON"


def _shorten_value(value: Any) -> str:
    """Return as much of a task's value as identifies it, without an address's query."""
    text = str(value).partition("?")[0] if str(value).startswith("http") else str(value)
    return truncate(text, 60)
