"""The playground: a label config and data of one's own, predicted as `/predict` does it."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl

import anyio.to_thread
import orjson
from starlette.types import Receive

from shared.backend.process_resources import shared_resources
from shared.errors import PrelabelError, RequestError, TaskError, escape_control
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.object_tag import ObjectTag
from shared.label_studio.task import Task
from shared.media.address import is_plain_text
from shared.media.sample_files import to_data_url
from shared.results.validation import Finding, check_task
from shared.server.http_messages import PredictRequest
from shared.server.pages.drawing import Drawing, draw_prediction
from shared.server.pages.gallery import example_file
from shared.server.pages.overview import read_samples, sum_samples
from shared.server.status import report_failures

# What a media file may have to be shown on the page, in bytes; it is predicted in any case.
MAX_SHOWN_BYTES = 20_000_000
# Fields of the form, and no more are read.
MAX_FIELDS = 8
# The first bytes of the images that a browser shows.
IMAGE_TYPES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
STAGES = ("read", "infer", "regions")

# Predicts as POST /predict does: the body of its response.
Predict = Callable[[PredictRequest, int, Receive], Awaitable[bytes]]


@dataclass
class Trial:
    """One prediction on the page, or the sentence that says why there is none.

    `seconds` are those of each step, in their order; `shown` is the task for the editor, whose
    media are data URLs.
    """

    message: str = ""
    predictions: Sequence[dict[str, Any]] = ()
    findings: Sequence[Finding] = ()
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    drawings: Sequence[Drawing] = ()
    shown: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Any:
        """Note how long a step takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = time.perf_counter() - start

    @property
    def json(self) -> str:
        """The predictions as `/predict` answers them."""
        return json.dumps(self.predictions, ensure_ascii=False, indent=2)


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form; RequestError if it is none."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:  # not ASCII, or too many fields
        raise RequestError("The form cannot be read; open the page again") from None
    return dict(pairs)


async def run_trial(
    xml: str, written: str, names: Sequence[str], predict: Predict, receive: Receive
) -> Trial:
    """Predict a label config and the data in the form; whatever fails becomes a sentence."""
    trial = Trial()
    try:
        await _run(trial, xml, written, (names, predict, receive))
    except PrelabelError as error:
        trial.message = escape_control(str(error))
    return trial


async def _run(
    trial: Trial, xml: str, written: str, server: tuple[Sequence[str], Predict, Receive]
) -> None:
    names, predict, receive = server
    with trial.timed("label config and data"):
        config, task = await anyio.to_thread.run_sync(_read_input, trial, xml, written, names)
    request = PredictRequest(tasks=[task], label_config=xml, project=None, params=None)
    before, start = read_samples(), time.time()
    with trial.timed("prediction"):
        packed = await predict(request, len(xml) + len(written), receive)
    _add_stages(trial, before)
    await anyio.to_thread.run_sync(_finish, trial, config, task, (packed, start))


def _read_input(
    trial: Trial, xml: str, written: str, names: Sequence[str]
) -> tuple[LabelConfig, dict[str, Any]]:
    """Parse what the form holds; an example's own file takes the place of its address."""
    config = LabelConfig.parse(xml)
    task = parse_task(written, trial.notes)
    data = {
        key: (example_file(value, names) or value) if isinstance(value, str) else value
        for key, value in task["data"].items()
    }
    return config, {**task, "data": data}


def parse_task(written: str, notes: list[str]) -> dict[str, Any]:
    """Return the task in the field "data": a task, its data alone, or a list of either.

    RequestError says what is wrong.
    """
    try:
        found = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The data is not valid JSON: {error}") from None
    if isinstance(found, list) and found:
        if len(found) > 1:
            notes.append(f"Of the {len(found)} tasks the first was predicted.")
        found = found[0]
    if not isinstance(found, dict):
        raise RequestError(
            f'The data should be an object, such as {{"text": "…"}}, found {type(found).__name__}'
        )
    data = found.get("data")
    task = found if isinstance(data, dict) else {"data": found}
    # Failures are kept by task: with an id of its own this one's can be found.
    return {"id": task.get("id", f"playground-{token_hex(4)}"), "data": task["data"]}


def _add_stages(trial: Trial, before: Mapping[Any, float]) -> None:
    """Add the time of each stage: what all requests took meanwhile, so this one's if alone."""
    after = read_samples()
    for stage in STAGES:
        name = "prelabel_stage_seconds_sum"
        seconds = sum_samples(after, name, stage=stage) - sum_samples(before, name, stage=stage)
        if seconds > 0:
            trial.seconds[f"prediction: {stage}"] = seconds


def _finish(
    trial: Trial, config: LabelConfig, task: dict[str, Any], answer: tuple[bytes, float]
) -> None:
    """Check and draw what was answered, or say why nothing was."""
    packed, start = answer
    result = orjson.loads(packed)["results"][0]
    trial.predictions = [one for one in (result if isinstance(result, list) else [result]) if one]
    failures = [
        failure["message"]
        for failure in report_failures()["recent"]
        if failure["task"] == task["id"] and failure["time"] >= start
    ]
    reasons = [escape_control(message) for message in dict.fromkeys(failures)]
    if not trial.predictions:
        trial.message = "; ".join(reasons) or "The task got no prediction; the log says why"
    else:
        trial.notes += reasons
    with trial.timed("check"):
        trial.findings = check_task(config, {**task, "predictions": list(trial.predictions)})
    with trial.timed("media for the page"):
        data = _with_media(trial, config, task)
    _draw(trial, config, data)


def _draw(trial: Trial, config: LabelConfig, data: dict[str, Any]) -> None:
    trial.drawings = [
        draw_prediction(config, data, prediction["result"]) for prediction in trial.predictions
    ]
    predictions = [{"id": place, **one} for place, one in enumerate(trial.predictions, 1)]
    trial.shown = {"id": 1, "data": data, "predictions": predictions, "annotations": []}


def _with_media(trial: Trial, config: LabelConfig, task: dict[str, Any]) -> dict[str, Any]:
    """Return the task's data with its images as data URLs; the page fetches from nowhere."""
    data = dict(task["data"])
    for target in config.objects.values():
        if target.tag != "Image" or target.key not in data:
            continue
        try:
            data[target.key] = _load_media(target, Task.parse(task))
        except TaskError as error:
            data[target.key] = [] if target.is_list else ""
            note = f"{target} cannot be shown: {escape_control(str(error))}"
            trial.notes += [] if trial.message else [note]
    return data


def _load_media(target: ObjectTag, task: Task) -> Any:
    urls = [
        address if address.startswith("data:") or is_plain_text(address) else _fetch(address, task)
        for _, address in task.media_addresses(target)
    ]
    return urls if target.is_list else urls[0]


def _fetch(address: str, task: Task) -> str:
    content = shared_resources().media.fetch(address, task.id)
    if len(content) > MAX_SHOWN_BYTES:
        size = f"{len(content) / 1e6:.0f} MB"
        raise TaskError(f"it has {size}, and the page shows up to {MAX_SHOWN_BYTES / 1e6:.0f} MB")
    kind = next((kind for start, kind in IMAGE_TYPES.items() if content.startswith(start)), None)
    if kind is None:
        raise TaskError("it is no PNG, JPEG, GIF or WebP, which a browser shows")
    return to_data_url(content, kind)
