"""Serves any `LabelStudioMLBase` subclass unchanged: path/to/model.py:MyModel."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared import __version__
from shared.backend.base import Backend
from shared.backend.label_studio_ml import import_base
from shared.errors import DeadlineError, InferenceError, PrelabelError, truncate
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_labels import with_task_labels
from shared.pipeline.multi_model import PredictionJson
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results.validation import check_results
from shared.server.backend_service import VERSION_WAIT_SECONDS, BackendService
from shared.server.connection_parameters import ParameterNotice
from shared.server.http_messages import PredictRequest, SetupRequest, WebhookRequest
from shared.server.service import PredictionService
from shared.server.status import report_failures
from shared.server.third_party_file import load_class, reload_class
from shared.server.third_party_instances import ModelInstances
from shared.server.third_party_job import FitWatch, start_fit
from shared.settings import Settings, read_settings

logger = logging.getLogger(__name__)


def open_model(reference: str) -> PredictionService:
    """Return the service of the class that `path/to/model.py:MyModel` names.

    SettingError says what was not found.
    """
    model_class = load_class(reference)
    if issubclass(model_class, Backend):
        return BackendService([model_class], named=[model_class.name])
    return ThirdPartyService(model_class, reference)


class ThirdPartyService(PredictionService):
    """Serves a third-party model: one object per project and label config, one call at a time.

    Training runs at the same time on an object of its own, which then replaces the other; or in a
    job (FIT_IN_JOB). What the
    model returns becomes what Label Studio can store: as many predictions as tasks, and no region
    that would not be shown.
    """

    def __init__(self, model_class: type[Any], reference: str = "") -> None:
        self._reference = reference
        self._class = model_class
        self._name = model_class.__name__
        self._parameters = ParameterNotice()
        self._instances = ModelInstances(model_class)
        self._training = ThreadPoolExecutor(1, thread_name_prefix="fit")

    @property
    def names(self) -> list[str]:
        """The class's own name."""
        return [self._name]

    def predict(
        self, request: PredictRequest, backend: str | None, scope: RequestScope
    ) -> list[PredictionJson]:
        """Return one prediction a task; if the model fails on all, it is asked for each."""
        config = LabelConfig.parse(request.label_config)
        try:
            with self._instances.exclusive_call(scope):
                model = self._instances.get_or_create((request.project_id, config.xml))
                answers = self._ask_model(model, request.tasks, request.context)
        except DeadlineError as error:
            for task in request.tasks:
                self._record_failure(task, error)
            answers = [None] * len(request.tasks)
        interactive = request.context is not None
        return [
            self._to_response(answer, task, config, interactive)
            for answer, task in zip(answers, request.tasks, strict=True)
        ]

    def version(self, xml: str, project: str, backend: str | None) -> str:
        """Return the model's own version; INITIAL while it cannot be created, as others run."""
        key = project.partition(".")[0], LabelConfig.parse(xml).xml
        return _version_of(self._instances.get_soon(key, VERSION_WAIT_SECONDS))

    def versions(self) -> list[str]:
        """Return the versions of the models in use."""
        return list(dict.fromkeys(map(_version_of, self._instances.all_instances())))

    def take_parameters(self, request: SetupRequest) -> None:
        """Give the extra parameters to the model, as label-studio-ml's own server does (2.x)."""
        if not hasattr(self._class, "set_extra_params"):
            self._parameters.tell(request.project_key, request.extra_params)
            return
        key = request.project_id, LabelConfig.parse(request.label_config).xml
        model = self._instances.get_soon(key, VERSION_WAIT_SECONDS)
        try:
            if model is not None:
                model.set_extra_params(request.extra_params)
        except Exception:  # third-party code may raise anything
            logger.exception("%s takes no extra parameters of the connection", self._name)

    def handle_event(self, request: WebhookRequest) -> str:
        """Start training, if the model has any, in a thread: Label Studio does not wait for it."""
        can_train = self._class.fit is not import_base().fit
        if not can_train or request.action not in self._class.TRAIN_EVENTS or not request.project:
            return "ignored"
        train = self._start_job if self._fits_in_job else self._train
        self._training.submit(train, request, request.project)
        return "accepted"

    def warm_up(self) -> None:
        """Load nothing, since the model needs a label config; look after its trainings in jobs."""
        if self._fits_in_job:
            FitWatch(read_settings(Settings), self._reload).run()

    @property
    def _fits_in_job(self) -> bool:
        return bool(self._reference) and read_settings(Settings).fit_in_job

    def status(self) -> dict[str, Any]:
        """Return the class, its versions, and what failed."""
        return {
            "version": __version__,
            "backends": self.names,
            "model_versions": self.versions(),
            "failures": report_failures(),
        }

    def _ask_model(self, model: Any, tasks: Sequence[Any], context: Any) -> list[Any]:
        """Return the model's answer for each task; `[]` for those on which it fails."""
        try:
            return self._ask_for_all(model, tasks, context)
        except (Exception, SystemExit) as error:  # third-party code may raise anything
            if len(tasks) != 1:
                logger.warning("%s failed on %s: %s", self._name, _count_tasks(tasks), error)
                return [self._ask_model(model, [task], context)[0] for task in tasks]
            if not isinstance(error, InferenceError):  # ours say what is wrong with the answer
                logger.exception("%s failed on one task", self._name)
                error = InferenceError(f"{type(error).__name__} in its predict")
            self._record_failure(tasks[0], error)
            return [[]]

    def _ask_for_all(self, model: Any, tasks: Sequence[Any], context: Any) -> list[Any]:
        answer = _to_plain(model.predict(list(tasks), context=context))
        if isinstance(answer, dict):
            answer = answer.get("predictions", answer)
        if not isinstance(answer, list):
            raise InferenceError(
                f"{self._name} returned {_describe(answer)}; expected a list of predictions, or"
                ' such a list under the key "predictions"'
            )
        if len(answer) != len(tasks):
            count = _count_tasks(tasks)
            raise InferenceError(f"{self._name} returned {len(answer)} predictions for {count}")
        return answer

    def _to_response(
        self, answer: Any, task: Any, config: LabelConfig, interactive: bool
    ) -> PredictionJson:
        """Return the good predictions of a task in the shape that the model chose.

        That is one prediction or a list; the editor reads one.
        """
        several = answer if isinstance(answer, list) else [answer]
        checked = (self._check_prediction(prediction, task, config) for prediction in several)
        good = [prediction for prediction in checked if prediction is not None]
        if interactive:
            return good[0] if good else {"result": []}
        return good if isinstance(answer, list) else good[0] if good else []

    def _check_prediction(
        self, prediction: Any, task: Any, config: LabelConfig
    ) -> dict[str, Any] | None:
        """Return it without what Label Studio would refuse, or store and not show.

        One refused prediction would cost the whole batch: null as a value does that, too.
        """
        prediction = _to_plain(prediction)
        if not isinstance(prediction, dict) or not isinstance(prediction.get("result"), list):
            if prediction is not None:
                expected = 'expected an object with a list "result"'
                self._record_answer(task, f"{_describe(prediction)}; {expected}")
            return None
        checked = {key: value for key, value in prediction.items() if value is not None}
        if not isinstance(checked.get("score", 0.0), int | float):
            score = _describe(checked.pop("score"))
            self._record_answer(task, f'{score} as "score", which is left out')
        if "model_version" in checked:
            checked["model_version"] = str(checked["model_version"])
        return checked | {"result": self._displayable(prediction["result"], task, config)}

    def _displayable(self, results: list[Any], task: Any, config: LabelConfig) -> list[Any]:
        """Return the results that Label Studio would show."""
        data = _data_of(task)
        if data is not None:
            config = with_task_labels(config, data)
        errors = [f for f in check_results(config, results, data) if f.severity == "error"]
        for finding in {finding.index: finding for finding in errors}.values():
            runtime().failures.record_dropped_region(
                self._name, _id_of(task), finding.rule, finding.message
            )
        dropped = {finding.index for finding in errors}
        return [result for index, result in enumerate(results) if index not in dropped]

    def _record_answer(self, task: Any, found: str) -> None:
        self._record_failure(task, InferenceError(f"{self._name} returned {found}"))

    def _record_failure(self, task: Any, error: PrelabelError) -> None:
        runtime().failures.record_task(self._name, _id_of(task), error)

    def _start_job(self, request: WebhookRequest, project: dict[str, Any]) -> None:
        try:
            key = str(project.get("id") or ""), str(project.get("label_config") or "")
            event = request.model_dump(mode="json")
            job = start_fit(read_settings(Settings), self._reference, event, key)
            logger.info("%s: job %s trains project %s", self._name, job.id, key[0])
        except Exception:  # the border of the thread
            logger.exception("%s: training could not be started", self._name)

    def _reload(self) -> None:
        """Load the class again, with what its training has written."""
        try:
            self._class = reload_class(self._reference)
            self._instances = ModelInstances(self._class)
            logger.info("%s is loaded again: it was trained", self._name)
        except Exception:  # third-party code may raise anything
            logger.exception("%s cannot be loaded again: the one before serves", self._name)

    def _train(self, request: WebhookRequest, project: dict[str, Any]) -> None:
        xml, project_id = str(project.get("label_config") or ""), str(project.get("id") or "")
        try:
            key = project_id, LabelConfig.parse(xml).xml
            model = self._instances.create_another(key)
            job_id = f"{project_id}-{request.action}"
            model.process_event(request.action, request.model_dump(), job_id, {})
            self._instances.put(key, model)
            logger.info("%s: training for project %s is done", self._name, project_id)
        except (Exception, SystemExit):  # third-party code may raise anything
            logger.exception("%s: training for project %s failed", self._name, project_id)


def _to_plain(answer: Any) -> Any:
    """Return an answer of label-studio-ml 2, which is a pydantic model, as plain values."""
    return answer.model_dump() if hasattr(answer, "model_dump") else answer


def _count_tasks(tasks: Sequence[Any]) -> str:
    return "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"


def _version_of(model: Any) -> str:
    return str(getattr(model, "model_version", None) or "INITIAL")


def _id_of(task: Any) -> Any:
    return task.get("id") if isinstance(task, dict) else None


def _data_of(task: Any) -> dict[str, Any] | None:
    data = task.get("data") if isinstance(task, dict) else None
    return data if isinstance(data, dict) else None


def _describe(answer: Any) -> str:
    """Return what an answer is in a few words, without its values: they may be confidential."""
    if not isinstance(answer, dict):
        return f"a value of type {type(answer).__name__}"
    keys = ", ".join(truncate(str(key), 40) for key in list(answer)[:5])
    return f"an object with the keys {keys}" if keys else "an empty object"
