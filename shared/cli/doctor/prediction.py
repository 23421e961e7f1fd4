"""A prediction of one task, asked for as Label Studio does: what fills what, and what fails."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from shared.cli.doctor.check import Check, broken, good, warning
from shared.cli.doctor.session import DoctorSession
from shared.errors import ConfigError, truncate
from shared.label_studio.javascript import get
from shared.label_studio.ml_requests import predict_request, setup_request
from shared.label_studio.variables import keys_of
from shared.results.validation import Fractions, check_results, config_problems

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

Failure = Mapping[str, Any]


def label_config(way: DoctorSession) -> Iterator[Check]:
    """Which backend fills which control tag."""
    try:
        xml = way.config.xml
    except ConfigError as error:
        yield broken("Label config", "config", str(error))
        return
    for problem in config_problems(way.config):
        say = broken if problem.severity == "error" else warning
        yield say("Label config", "config", problem.message)
    body = setup_request(xml, _project_name(way), way.home)
    answer = way.server.post(f"{way.url}/setup", json=body)
    if not answer.is_success:
        yield broken(
            "Label config", "config", f"/setup answers {answer.status_code}: {_said(answer)}"
        )
        return
    way.version = str(answer.json().get("model_version"))
    seen = _seen(way)
    if seen is None:
        yield good("Label config", f"{way.config.describe()}; model version {way.version}")
        return
    filled: dict[str, str] = seen["filled"]
    if not filled:
        yield broken("Label config", "nothing_filled", "; ".join(seen["problems"]))
        return
    for name, backend in filled.items():
        yield good("Label config", f"{way.config.control(name)} is filled by {backend}")
    yield from _left(way, filled, seen["problems"])


def _left(way: DoctorSession, filled: Mapping[str, str], problems: list[str]) -> Iterator[Check]:
    """The control tags that nobody fills, and why if it is known."""
    for control in way.config.controls:
        if control.name in filled or control.flag("model_skip"):
            continue
        why = next((text for text in problems if str(control) in text), None)
        if why is not None:
            yield warning("Label config", "tag_problem", why)
        else:
            yield warning("Label config", "tag_not_filled", f"{control} is filled by no backend")


def media(way: DoctorSession) -> Iterator[Check]:
    """Whether the server can read what the task shows; the prediction comes with it."""
    before = _failures(way)
    body = predict_request([way.task], way.config.xml, _project_name(way))
    answer = way.server.post(f"{way.url}/predict", json=body)
    way.failures = [found for found in _failures(way) if found not in before]
    way.answer = answer
    for failed in way.failures:
        rule = MEDIA_REMEDIES.get(_cause(failed))
        if rule is not None:
            yield broken("Media", rule, f"task {way.task['id']}: {failed['message']}")
            return
    data = way.task["data"]
    keys = (key for target in way.config.objects.values() for key in keys_of(target.value))
    values = ", ".join(f"{key}: {_short(get(data, key))}" for key in dict.fromkeys(keys))
    yield good("Media", f"task {way.task['id']}: {values}")


def prediction(way: DoctorSession) -> Iterator[Check]:
    """Whether the task was predicted, and under the version that /setup names."""
    answer = way.answer
    if not answer.is_success:
        what = f"/predict answers {answer.status_code}: {_said(answer)}"
        yield broken("Prediction", "predict_refused", what)
        return
    [found] = answer.json()["results"]
    found = found[0] if isinstance(found, list) and found else found
    failed = next((f for f in way.failures if not _is_drop(f)), None)
    if not isinstance(found, dict):
        rule = PREDICTION_REMEDIES.get(_cause(failed), "predict_failed")
        why = failed["message"] if failed else "the answer is empty"
        yield broken("Prediction", rule, f"task {way.task['id']}: {why}")
        return
    way.answer = found
    version = found.get("model_version", way.version)
    if version != way.version:
        what = f"/setup says model version {way.version}, /predict {version}"
        yield broken("Prediction", "predict_version", what)
        return
    regions = len({result.get("id") for result in found["result"]})
    count = "1 region" if regions == 1 else f"{regions} regions"
    what = f"{count}, score {found.get('score', '–')}, model version {version}"
    if regions or any(map(_is_drop, way.failures)):
        yield good("Prediction", what)
    else:
        yield warning("Prediction", "nothing_found", what)


def labels(way: DoctorSession) -> Iterator[Check]:
    """Which labels no class of the model becomes."""
    seen = _seen(way)
    for report in seen["mappings"] if seen else ():
        control = way.config.control(report["control"])
        pairs = ", ".join(f"{name} → {label}" for name, label in report["labels"].items())
        if pairs:
            yield good("Labels", f"{control}: {pairs}")
        classes = ", ".join(report["unused_classes"][:20]) or "none"
        for label in report["unfilled_labels"]:
            what = f'{control}: no class of the model becomes "{label}"'
            yield warning("Labels", "label_unfilled", what, classes=classes)


def validation(way: DoctorSession) -> Iterator[Check]:
    """Whether the editor would show the prediction as meant."""
    dropped = [failed for failed in way.failures if _is_drop(failed)]
    for failed in dropped:
        yield broken("Validation", "dropped", f"left out: {failed['message']}")
    results = way.answer["result"]
    fractions = Fractions(way.config)
    fractions.see(results)
    wrong = [*check_results(way.config, results, way.task["data"]), *fractions.findings()]
    for finding in wrong:
        if finding.severity == "error":
            yield broken("Validation", "invalid", finding.message)
        else:
            yield warning("Validation", "doubtful", finding.message)
    if not dropped and not wrong:
        yield good("Validation", f"nothing is left out; results that will be shown: {len(results)}")


def _project_name(way: DoctorSession) -> str:
    """Return the project's id and a time, as Label Studio names a project to a backend."""
    return f"{way.number}.{int(time.time())}"


def _status(way: DoctorSession) -> dict[str, Any]:
    """What the server says of itself, if it is ours."""
    if not way.names:
        return {}
    found: dict[str, Any] = way.server.get(f"{way.root}/status").raise_for_status().json()
    return found


def _failures(way: DoctorSession) -> list[dict[str, Any]]:
    recent = _status(way).get("failures", {}).get("recent", [])
    return [failed for failed in recent if failed["task"] == way.task["id"]]


def _seen(way: DoctorSession) -> dict[str, Any] | None:
    """What the server's /status says of the project's label config."""
    digest = hashlib.sha256(way.config.xml.encode()).hexdigest()[:12]
    found = [
        entry for entry in _status(way).get("label_configs", []) if entry.get("digest") == digest
    ]
    same = [entry for entry in found if entry["model_version"] == way.version]
    return next(iter(same or found), None)


def _cause(failed: Failure | None) -> str:
    """Return a failure's cause; a server of an earlier release sends the reason only."""
    return str(failed.get("cause", failed["reason"])) if failed else ""


def _is_drop(failed: Failure) -> bool:
    return str(failed["reason"]).startswith("dropped_")


def _said(answer: Any) -> str:
    """An error's one sentence."""
    try:
        return str(answer.json().get("detail"))[:300]
    except (ValueError, AttributeError):
        return "no JSON"


def _short(value: Any) -> str:
    """A task's value, as far as it identifies it: without an address's query."""
    text = str(value).partition("?")[0] if str(value).startswith("http") else str(value)
    return truncate(text, 60)
