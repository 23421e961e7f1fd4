"""The checks: of results, of a prediction, of a task."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.label_config import LabelConfig
from shared.validation.finding import Finding, Problem, Value, near, shown
from shared.validation.rules import (
    ENVELOPE_KEYS,
    ControlRules,
    Rules,
    envelope,
    has_place,
    is_score,
    rules_of,
)

DIRECTIONS = ("left", "right", "bi")


def check_results(config: LabelConfig, results: Sequence[Any]) -> list[Finding]:
    """What is wrong with a prediction's `result` list. Takes any JSON, and never raises."""
    rules = rules_of(config)
    findings: list[Finding] = []
    if not isinstance(results, list | tuple):
        what = f'"result" is {shown(results)}, expected a list'
        return [Finding("result", None, None, what)]
    seen: dict[str, set[str]] = {}
    linked: list[int] = []
    for index, result in enumerate(results):
        problems = _problems(rules, result, seen)
        if problems:
            findings.extend(_find(problem, result, index) for problem in problems)
        if isinstance(result, Mapping) and ("parentID" in result or result.get("type") == "relation"):
            linked.append(index)
    for index in linked:
        found = _links(rules, results[index], seen)
        findings.extend(_find(problem, results[index], index) for problem in found)
    return findings


def _find(problem: Problem, result: Any, index: int) -> Finding:
    region = result.get("id") if isinstance(result, Mapping) else None
    region = region if isinstance(region, str) else None
    where = f"region {_plain(region)}" if region else f"result {index}"
    return Finding(problem.rule, region, index, f"{where}: {problem.message}", problem.severity)


def _plain(name: str) -> str:
    return shown(name)[1:-1]


def _problems(rules: Rules, result: Any, seen: dict[str, set[str]]) -> Sequence[Problem]:
    """What is wrong with one result by itself; notes its id in `seen`."""
    if not isinstance(result, Mapping):
        return [Problem("not_an_object", f"it is {shown(result)}, expected an object")]
    kind = result.get("type")
    if kind == "relation":
        return ()
    found = _control(rules, result, kind)
    if isinstance(found, Problem):
        return [found]
    value = result.get("value")
    if not isinstance(value, Mapping):
        return [Problem("value", f'"value" is {shown(value)}, expected an object')]
    problems: list[Problem] = []
    name = result.get("id")
    known = _identify(found, result, name, seen, problems)
    if ENVELOPE_KEYS & result.keys():
        problems += envelope(result)
    if result.get("to_name") not in found.to_names:
        _to_name(found, result, problems)
    _place(found, value, result, known, problems)
    if found.answer is not None:
        problems += found.answer(value, result)
    if "score" in value:
        what = '"score" in "value" is lost when the editor saves; it belongs beside "value"'
        problems.append(Problem("score_in_value", what, "warning"))
    return problems


def _control(rules: Rules, result: Value, kind: Any) -> ControlRules | Problem:
    name = result.get("from_name")
    if not isinstance(name, str):
        return Problem("unknown_from_name", f'"from_name" is {shown(name)}, expected a string')
    found = rules.find(name)
    if found is None:
        return Problem("unknown_from_name", rules.unknown(name, kind))
    if kind != found.control.type:
        if kind is None:
            return Problem("missing_key", f'"type" is missing, expected "{found.control.type}"')
        return Problem("wrong_type", rules.wrong_type(found.control, kind))
    return found


def _identify(
    found: ControlRules, result: Value, name: Any, seen: dict[str, set[str]], problems: list[Problem]
) -> bool:
    """Whether an earlier result has the same id; the same control twice is an error."""
    if not isinstance(name, str) or not name:
        if found.shape is not None or name is not None:
            what = f'"id" is {shown(name)}, expected a string'
            problems.append(Problem("id", what, "warning" if name is None else "error"))
        return False
    controls = seen.get(name)
    if controls is None:
        seen[name] = {result["from_name"]}
        return False
    if result["from_name"] in controls:
        what = f"{found.control} has two results under this id; the editor fails on that"
        problems.append(Problem("duplicate_id", what))
    controls.add(result["from_name"])
    return True


def _to_name(found: ControlRules, result: Value, problems: list[Problem]) -> None:
    name = result.get("to_name")
    if isinstance(name, str) and any("{{" in known for known in found.to_names):
        return
    expected = " or ".join(shown(known) for known in sorted(found.to_names))
    problems.append(
        Problem("wrong_to_name", f'"to_name" is {shown(name)}, {found.control} has {expected}')
    )


def _place(
    found: ControlRules, value: Value, result: Value, known: bool, problems: list[Problem]
) -> None:
    if found.shape is None:
        return
    if found.optional_shape and not has_place(value):
        if not known:
            what = f"it says nothing about where it is, and no result before it has this id"
            problems.append(Problem("no_place", what))
        return
    problems += found.shape(value, result)


def _links(rules: Rules, result: Value, seen: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a relation, or with a parent."""
    if result.get("type") != "relation":
        parent = result.get("parentID")
        if isinstance(parent, str) and parent not in seen:
            what = f'"parentID" is {shown(parent)}, there is no such region'
            yield Problem("unknown_region", what + near(parent, seen), "warning")
        return
    for key in ("from_id", "to_id"):
        name = result.get(key)
        if not isinstance(name, str):
            yield Problem("missing_key", f'relation: "{key}" is {shown(name)}, expected a region\'s id')
        elif name not in seen:
            what = f'relation: "{key}" is {shown(name)}, there is no such region'
            yield Problem("unknown_region", what + near(name, seen))
    if "direction" in result and result["direction"] not in DIRECTIONS:
        what = f'relation: "direction" is {shown(result["direction"])}, expected left, right or bi'
        yield Problem("direction", what)
    yield from _relation_labels(rules, result.get("labels"))


def _relation_labels(rules: Rules, found: Any) -> Iterator[Problem]:
    if found is None:
        return
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        yield Problem("not_a_list", f'relation: "labels" is {shown(found)}, expected a list of strings')
        return
    known = rules.config.relation_labels
    for name in found:
        if name not in known:
            remedy = near(name, known) if known else "; the label config has no Relations tag"
            yield Problem("unknown_label", f"relation: there is no label {shown(name)}{remedy}")


def check_prediction(config: LabelConfig, prediction: Any) -> list[Finding]:
    """What is wrong with a prediction: its own keys and its results."""
    if not isinstance(prediction, Mapping):
        what = f"a prediction is {shown(prediction)}, expected an object"
        return [Finding("not_an_object", None, None, what)]
    findings = [Finding(p.rule, None, None, p.message, p.severity) for p in _header(prediction)]
    if isinstance(prediction.get("result"), list | tuple):
        findings += check_results(config, prediction["result"])
    return findings


def _header(prediction: Value) -> Iterator[Problem]:
    result = prediction.get("result")
    if "result" not in prediction:
        yield Problem("result", 'the prediction has no "result"')
    elif not isinstance(result, list | tuple):
        yield Problem("result", f'"result" is {shown(result)}, expected a list')
    score = prediction.get("score")
    if score is not None and not is_score(score):
        what = f"the prediction's \"score\" is {shown(score)}, expected a number from 0 to 1"
        yield Problem("score", what)
    if "model_version" not in prediction:
        return
    version = prediction["model_version"]
    if not isinstance(version, str) or not version:
        yield Problem("model_version", f'"model_version" is {shown(version)}, expected a string')


def check_task(config: LabelConfig, task: Any) -> list[Finding]:
    """What is wrong with a task of an import file: its data and each of its predictions."""
    if not isinstance(task, Mapping):
        return [Finding("not_an_object", None, None, f"the task is {shown(task)}, expected an object")]
    data = task.get("data")
    if not isinstance(data, Mapping):
        what = f'the task\'s "data" is {shown(data)}, expected an object'
        return [Finding("data", None, None, what)]
    findings = list(_data(config, data))
    predictions = task.get("predictions", [])
    if not isinstance(predictions, list | tuple):
        what = f'"predictions" is {shown(predictions)}, expected a list'
        return [*findings, Finding("predictions", None, None, what)]
    for place, prediction in enumerate(predictions):
        found = check_prediction(config, prediction)
        findings += _numbered(found, place) if len(predictions) > 1 else found
    return findings


def _numbered(findings: Iterable[Finding], place: int) -> Iterator[Finding]:
    for finding in findings:
        yield finding._replace(message=f"prediction {place}: {finding.message}")


def _data(config: LabelConfig, data: Value) -> Iterator[Finding]:
    for target in config.objects.values():
        key = target.key
        if key is None or "." in key or "[" in key or "{" in key:
            continue
        if data.get(key) is None:
            what = f'{target.tag} "{target.name}" shows "{key}", which the task\'s data lacks'
            yield Finding("missing_data", None, None, what + near(key, map(str, data)))
