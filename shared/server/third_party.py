"""Any `LabelStudioMLBase` subclass, ours or not, served unchanged: path/to/model.py:MyModel."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared import __version__
from shared.backend.base import Backend
from shared.backend.label_studio_ml import LabelStudioMLBase
from shared.errors import DeadlineError, InferenceError, truncate
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_labels import with_labels_of
from shared.pipeline.multi_model import PredictionJson
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results.validation import check_results
from shared.server.instances import Instances
from shared.server.messages import PredictRequest, WebhookRequest
from shared.server.model_file import load_class
from shared.server.service import VERSION_WAIT_SECONDS, BackendService, PredictionService, Readiness

logger = logging.getLogger(__name__)


def open_model(reference: str) -> PredictionService:
    """The class that `path/to/model.py:MyModel` names, ready to serve.

    SettingError names what was not found.
    """
    found = load_class(reference)
    if issubclass(found, Backend):
        return BackendService([found], named=[found.name])
    return ForeignService(found)


class ForeignService:
    """Serves somebody else's model: one object a project and label config, one call at a time.

    Training goes on beside, on an object of its own, which then takes the other's place. What it
    answers is brought into the shape that Label Studio stores: as many answers as tasks, and no
    region that would not be shown.
    """

    def __init__(self, model_class: type[Any]) -> None:
        self._class = model_class
        self._models = Instances(model_class)
        self._training = ThreadPoolExecutor(1, thread_name_prefix="fit")

    @property
    def names(self) -> list[str]:
        """The class's own name."""
        return [self._class.__name__]

    def answers_inline(self, request: PredictRequest, body_bytes: int, only: str | None) -> bool:
        """Never: somebody else's model may take any time."""
        return False

    def predict(
        self, request: PredictRequest, only: str | None, waiting: RequestScope
    ) -> list[PredictionJson]:
        """One answer a task; if the model fails or miscounts, it is asked task by task."""
        xml = LabelConfig.parse(request.label_config).xml
        try:
            with self._models.turn(waiting):
                answers = self._ask_all(self._models.get((request.project_id, xml)), request)
        except DeadlineError as late:
            for task in request.tasks:
                runtime().failures.record_task(self.names[0], _id(task), late)
            answers = [None] * len(request.tasks)
        config = LabelConfig.parse(xml)
        interactive = request.context is not None
        return [
            self._checked(answer, task, config, interactive)
            for answer, task in zip(answers, request.tasks, strict=True)
        ]

    def known_version(self, xml: str, only: str | None) -> str | None:
        """Unknown: the model may say anything, at any time."""
        return None

    def version(self, xml: str, project: str, only: str | None) -> str:
        """What the model says of itself; INITIAL while it is not made, since others run."""
        return _version(
            self._models.soon((project, LabelConfig.parse(xml).xml), VERSION_WAIT_SECONDS)
        )

    def handle_event(self, request: WebhookRequest) -> str:
        """Training, if the model has any, in a thread of its own: Label Studio does not wait."""
        own_fit = self._class.fit is not LabelStudioMLBase.fit
        project = request.project or {}
        if not own_fit or request.action not in self._class.TRAIN_EVENTS or not project:
            return "ignored"
        self._training.submit(self._fit, request)
        return "accepted"

    def versions(self) -> list[str]:
        """Of the models in use."""
        return list(dict.fromkeys(map(_version, self._models.values())))

    def warm_up(self) -> None:
        """A foreign model loads when its first label config comes."""

    def readiness(self) -> Readiness:
        """Nothing is loaded beforehand."""
        return Readiness({}, {})

    def status(self) -> dict[str, Any]:
        """The class, and what failed."""
        failures = runtime().failures
        counts = {f"{name}:{reason}": n for (name, reason), n in failures.counts().items()}
        return {
            "version": __version__,
            "backends": self.names,
            "model_versions": self.versions(),
            "failures": {"counts": counts, "recent": failures.recent()},
        }

    def _ask_all(self, model: Any, request: PredictRequest) -> list[Any]:
        try:
            return self._ask(model, request.tasks, request.context)
        except (Exception, SystemExit) as error:  # a foreign model may raise anything
            logger.warning("%s failed on %s: %s", *self.names, _tasks(request.tasks), error)
            return [self._ask_one(model, task, request.context) for task in request.tasks]

    def _ask(self, model: Any, tasks: Sequence[Any], context: Any) -> list[Any]:
        answered = model.predict(list(tasks), context=context)
        if hasattr(answered, "model_dump"):
            answered = answered.model_dump()
        if isinstance(answered, dict):
            answered = answered.get("predictions", answered)
        if not isinstance(answered, list):
            raise InferenceError(
                f"{self.names[0]} answered {_shape(answered)}; expected a list of predictions, or"
                ' such a list under the key "predictions"'
            )
        if len(answered) != len(tasks):
            raise InferenceError(
                f"{self.names[0]} gave {len(answered)} answers for {_tasks(tasks)}"
            )
        return answered

    def _ask_one(self, model: Any, task: Any, context: Any) -> Any:
        try:
            return self._ask(model, [task], context)[0]
        except InferenceError as error:  # ours: it says what is wrong with the answer
            runtime().failures.record_task(self.names[0], _id(task), error)
            return []
        except (Exception, SystemExit) as error:  # a foreign model may raise anything
            logger.exception("%s failed on one task", self.names[0])
            reason = InferenceError(f"{type(error).__name__} in its predict")
            runtime().failures.record_task(self.names[0], _id(task), reason)
            return []

    def _checked(
        self, answer: Any, task: Any, config: LabelConfig, interactive: bool
    ) -> PredictionJson:
        many = answer if isinstance(answer, list) else [answer]
        kept = [found for one in many if (found := self._kept(one, task, config)) is not None]
        if interactive:
            return kept[0] if kept else {"result": []}
        return kept if isinstance(answer, list) else kept[0] if kept else []

    def _kept(self, prediction: Any, task: Any, config: LabelConfig) -> dict[str, Any] | None:
        """The prediction without what would make Label Studio refuse the batch, or show nothing."""
        if hasattr(prediction, "model_dump"):
            prediction = prediction.model_dump()
        if not isinstance(prediction, dict) or not isinstance(prediction.get("result"), list):
            if prediction is not None:
                self._refuse(task, f'{_shape(prediction)}; expected an object with a list "result"')
            return None
        results = prediction["result"]
        if isinstance(task, dict) and isinstance(task.get("data"), dict):
            config = with_labels_of(config, task["data"])
        wrong = {
            finding.index: finding
            for finding in check_results(config, results, _data(task))
            if finding.severity == "error"
        }
        for finding in wrong.values():
            runtime().failures.record_dropped_region(
                self.names[0], _id(task), finding.rule, finding.message
            )
        kept = {key: value for key, value in prediction.items() if value is not None}
        if not isinstance(kept.get("score", 0.0), int | float):
            self._refuse(task, f'{_shape(kept.pop("score"))} as "score", which is left out')
        if "model_version" in kept:
            kept["model_version"] = str(kept["model_version"])
        return kept | {"result": [r for index, r in enumerate(results) if index not in wrong]}

    def _refuse(self, task: Any, found: str) -> None:
        """Say what is wrong with the answer to a task, in the log and in /status."""
        error = InferenceError(f"{self.names[0]} answered {found}")
        runtime().failures.record_task(self.names[0], _id(task), error)

    def _fit(self, request: WebhookRequest) -> None:
        project = request.project or {}
        xml, number = str(project.get("label_config") or ""), str(project.get("id") or "")
        try:
            key = number, LabelConfig.parse(xml).xml
            model = self._models.new(key)
            data = request.model_dump()
            model.process_event(request.action, data, f"{number}-{request.action}", {})
            self._models.keep(key, model)
            logger.info("%s: training for project %s is done", self.names[0], number)
        except (Exception, SystemExit):  # a foreign model may raise anything
            logger.exception("%s: training for project %s failed", self.names[0], number)


def _tasks(tasks: Sequence[Any]) -> str:
    return "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"


def _version(model: Any) -> str:
    return str(getattr(model, "model_version", None) or "INITIAL")


def _data(task: Any) -> dict[str, Any] | None:
    data = task.get("data") if isinstance(task, dict) else None
    return data if isinstance(data, dict) else None


def _shape(value: Any) -> str:
    """What an answer is, in a few words; what it says may be nobody's business."""
    if not isinstance(value, dict):
        return f"a value of type {type(value).__name__}"
    keys = ", ".join(truncate(str(key), 40) for key in list(value)[:5])
    return f"an object with the keys {keys}" if keys else "an empty object"


def _id(task: Any) -> Any:
    return task.get("id") if isinstance(task, dict) else None
