"""Checks a result list, a prediction, or a task of an import file. None of them raises."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_labels import with_task_labels
from shared.results.validation.documents import path_problems
from shared.results.validation.finding import Finding, RuleViolation, Value, quote
from shared.results.validation.region_keys import REGION_KEYS, is_score
from shared.results.validation.relations import link_problems
from shared.results.validation.rules import ControlRules, Rules, rules_of
from shared.results.validation.task_data import result_data_problems, task_data_problems

# The region ids so far, with the control tags that have a result for each.
ControlsById = dict[str, set[str]]


def check_results(
    config: LabelConfig, results: Sequence[Any], data: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Check a prediction's `result` list. Accepts any JSON, and never raises.

    With the task's `data` it is also checked that spans and items are in what the task shows,
    and that labels are among those that the task brings.
    """
    config = config if data is None else with_task_labels(config, data)
    rules = rules_of(config)
    if not isinstance(results, list | tuple):
        what = f'"result" is {quote(results)}, expected a list'
        return [Finding("result", None, None, what)]
    findings: list[Finding] = []
    seen: ControlsById = {}
    linked: list[int] = []
    for index, result in enumerate(results):
        if type(result) is not dict:
            found: Sequence[RuleViolation] = [_not_an_object(result)]
        else:
            found = _result_problems(rules, result, seen, data)
            if "parentID" in result or result.get("type") == "relation":
                linked.append(index)
        for problem in found:
            findings.append(_build_finding(problem, result, index))
    for index in linked:
        for problem in link_problems(config, results[index], seen):
            findings.append(_build_finding(problem, results[index], index))
    return findings


def _not_an_object(result: Any) -> RuleViolation:
    return RuleViolation("not_an_object", f"it is {quote(result)}, expected an object")


def _build_finding(problem: RuleViolation, result: Any, index: int) -> Finding:
    region = result.get("id") if isinstance(result, dict) else None
    region = region if isinstance(region, str) and region else None
    where = f"region {quote(region)[1:-1]}" if region else f"result {index}"
    return Finding(problem.rule, region, index, f"{where}: {problem.message}", problem.severity)


def _result_problems(
    rules: Rules, result: dict[str, Any], seen: ControlsById, data: Mapping[str, Any] | None
) -> list[RuleViolation]:
    """Check one result by itself, and record its id in `seen`."""
    kind = result.get("type")
    if kind == "relation":
        return []
    found = rules.find_control(result.get("from_name"), result.get("to_name"))
    known = _register_id(found, result, seen) if found is not None else None
    if found is not None and not found.is_known:
        return []  # reported by `config_problems`
    if found is None or kind != found.control.type:
        return [_tag_mismatch(rules, found, result)]
    value = result.get("value")
    if type(value) is not dict:
        return [RuleViolation("value", f'"value" is {quote(value)}, expected an object')]
    problems = [
        REGION_KEYS[key].violation(result[key])
        for key in result
        if key in REGION_KEYS and not REGION_KEYS[key].is_valid(result[key])
    ]
    if known is None:
        problems += _id_problems(found, result)
    problems += _to_name_problems(found, result)
    problems += _value_problems(found, value, result, known)
    if data is not None and not problems:
        problems += result_data_problems(found, result, data)
    elif "startOffset" in value and found.on_text and not problems:
        problems += path_problems(value)
    return problems


def _value_problems(
    found: ControlRules, value: Value, result: Value, known: bool | None
) -> Iterator[RuleViolation]:
    """Check the shape and the control tag's value; `known` is what `_identify` returned."""
    if found.shape_check is not None:
        yield from _geometry_problems(found, value, result, known)
    if found.value_check is not None:
        yield from found.value_check(value, result)
    if "score" in value:
        yield SCORE_IN_VALUE
    if result.get("item_index") and found.on_single_image:
        what = f'"item_index" is {quote(result["item_index"])}, but {found.target} is one image'
        yield RuleViolation("item_index", what)
    if found.describes_items and result.get("item_index") is None:
        yield ITEM_INDEX_MISSING


# Marks in `Seen` that a control tag draws the region: no control tag has an empty name.
DRAWN = ""

ITEM_INDEX_MISSING = RuleViolation(
    "item_index",
    '"item_index" is missing: with perItem="true" the editor shows only what says of which item it'
    " is (0 of a single image)",
)
SCORE_IN_VALUE = RuleViolation(
    "score_in_value",
    '"score" in "value" is lost when the editor saves; it belongs beside "value"',
    "warning",
)


def _register_id(found: ControlRules, result: Value, seen: ControlsById) -> bool | None:
    """Return whether an earlier result has the same id; None if the id is faulty."""
    region = result.get("id")
    if type(region) is not str or not region:
        return None
    name = found.control.name
    controls = seen.get(region)
    if controls is None:
        seen[region] = {name, DRAWN} if found.draws else {name}
        return False
    if name in controls or (found.draws and DRAWN in controls):
        return None
    controls.add(name)
    if found.draws:
        controls.add(DRAWN)
    return True


def _id_problems(found: ControlRules, result: Value) -> Iterator[RuleViolation]:
    region = result.get("id")
    if isinstance(region, str) and region:
        what = f"a result before it has this id already; {_duplicate_effect(found, result)}"
        yield RuleViolation("duplicate_id", what)
    elif region is not None:
        yield RuleViolation("id", f'"id" is {quote(region)}, expected a string')


def _duplicate_effect(found: ControlRules, result: Value) -> str:
    """Report an id that two regions have."""
    if not found.draws and found.has_no_geometry(result["value"]):
        return f"what {found.control} says of a region belongs into one result"
    return "the editor shows the first one's place"


def _tag_mismatch(rules: Rules, found: ControlRules | None, result: Value) -> RuleViolation:
    """Check that `from_name` is a control tag and that `type` is its type."""
    name, kind = result.get("from_name"), result.get("type")
    if not isinstance(name, str):
        return RuleViolation(
            "unknown_from_name", f'"from_name" is {quote(name)}, expected a string'
        )
    if found is None:
        return RuleViolation("unknown_from_name", rules.describe_unknown(name, kind))
    if kind is None:
        return RuleViolation("missing_key", f'"type" is missing, expected "{found.control.type}"')
    return RuleViolation("wrong_type", rules.describe_wrong_type(found.control, kind))


def _to_name_problems(found: ControlRules, result: Value) -> Iterable[RuleViolation]:
    name = result.get("to_name")
    if isinstance(name, str) and (
        name in found.to_names or (found.to_name_pattern and found.to_name_pattern.fullmatch(name))
    ):
        return ()
    expected = " or ".join(quote(known) for known in sorted(found.to_names))
    what = f'"to_name" is {quote(name)}, but {found.control} is on {expected}'
    return [RuleViolation("wrong_to_name", what)]


def _geometry_problems(
    found: ControlRules, value: Value, result: Value, known: bool | None
) -> Iterable[RuleViolation]:
    """Check the shape; a control tag that does not draw may rely on an earlier result of its id."""
    if found.shape_check is None:
        return ()
    if found.draws or not found.has_no_geometry(value):
        return found.shape_check(value, result)
    named = result.get("id") is not None
    if known or (named and known is None):  # the fault of the id is reported already
        return ()
    why = "no result before it has this id" if named else 'it has no "id"'
    if not found.control.per_region:
        return [RuleViolation("no_place", f"it does not say where it is, and {why}")]
    what = (
        f"{found.control} speaks of regions (perRegion), each by the id of a result that draws it,"
        f" but {why}; without perRegion it speaks of the whole task"
    )
    return [RuleViolation("no_place", what)]


def check_prediction(
    config: LabelConfig, prediction: Any, data: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Check a prediction: its own keys and its results."""
    if not isinstance(prediction, dict):
        what = f"the prediction is {quote(prediction)}, expected an object"
        return [Finding("not_an_object", None, None, what)]
    findings = [
        Finding(p.rule, None, None, p.message, p.severity) for p in _key_problems(prediction)
    ]
    if isinstance(prediction.get("result"), list | tuple):
        findings += check_results(config, prediction["result"], data)
    return findings


def _key_problems(prediction: Value) -> Iterator[RuleViolation]:
    result = prediction.get("result")
    if "result" not in prediction:
        yield RuleViolation("result", 'the prediction has no "result"')
    elif not isinstance(result, list | tuple):
        yield RuleViolation("result", f'"result" is {quote(result)}, expected a list')
    score = prediction.get("score")
    if score is not None and not is_score(score):
        what = f'the prediction\'s "score" is {quote(score)}, expected a number from 0 to 1'
        yield RuleViolation("score", what)
    version = prediction.get("model_version", "")
    if not isinstance(version, str):
        yield RuleViolation(
            "model_version", f'"model_version" is {quote(version)}, expected a string'
        )


def check_task(config: LabelConfig, task: Any) -> list[Finding]:
    """Check a task of an import file: its data and each of its predictions."""
    if not isinstance(task, dict):
        what = f"the task is {quote(task)}, expected an object"
        return [Finding("not_an_object", None, None, what)]
    data = task.get("data")
    if not isinstance(data, dict):
        what = f'the task\'s "data" is {quote(data)}, expected an object'
        return [Finding("data", None, None, what)]
    findings = [
        Finding(p.rule, None, None, p.message, p.severity) for p in task_data_problems(config, data)
    ]
    predictions = task.get("predictions") or []
    if not isinstance(predictions, list):
        what = f'"predictions" is {quote(predictions)}, expected a list'
        return [*findings, Finding("predictions", None, None, what)]
    for place, prediction in enumerate(predictions):
        found = check_prediction(config, prediction, data)
        if isinstance(prediction, dict) and "model_version" not in prediction:
            what = 'the prediction has no "model_version"; an import stores "undefined"'
            found.append(Finding("model_version", None, None, what, "warning"))
        findings += [replace(finding, prediction=place) for finding in found]
    return findings
