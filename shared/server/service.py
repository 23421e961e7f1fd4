"""What answers requests, free of HTTP: our backends, or a third-party model."""

from typing import Any, Protocol

from shared.pipeline.multi_model import PredictionJson
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.http_messages import PredictRequest, SetupRequest, WebhookRequest
from shared.server.status import Readiness
from shared.server.training_triggers import TrainingTriggers

# What the event loop parses and answers itself, where the models allow it. Above any of these it
# would take so long that health checks wait: bytes of the body, tasks, and variables ("$") of the
# label config, each of which is read from every task.
MAX_INLINE_BODY_BYTES = 16_384
MAX_INLINE_TASKS = 16
MAX_INLINE_VARIABLES = 32


class PredictionService(Protocol):
    """What answers the endpoints: our backends, or a third-party model.

    `backend` is the one that the path of the request names, if any.
    """

    @property
    def names(self) -> list[str]:
        """The backends that serve, each also under a path of its name."""

    def answers_inline(self, request: PredictRequest, body_bytes: int, backend: str | None) -> bool:
        """Whether `predict` takes less time than handing the request to a thread would."""
        return False

    def predict(
        self, request: PredictRequest, backend: str | None, scope: RequestScope
    ) -> list[PredictionJson]:
        """Return one response a task, in order; ClientGoneError if the client has left."""

    def predicts(self, request: PredictRequest, backend: str | None) -> bool:
        """Whether a predicted request asks for predictions.

        A task that is opened where models answer only clicks does not: they get ready for them.
        """
        return True

    def known_version(self, xml: str, project: str, backend: str | None) -> str | None:
        """Return the model version for a label config; None if finding it may take time.

        `project` is the project's key, here and below: see `shared.label_studio.project_key`.
        """
        return None

    def version(self, xml: str, project: str, backend: str | None) -> str:
        """Return the model version for a label config, within half a second."""

    def versions(self) -> list[str]:
        """Return the model versions in use."""

    def take_parameters(self, request: SetupRequest) -> None:
        """Take the extra parameters of a connection, or say that they have no effect."""

    def handle_event(self, request: WebhookRequest) -> str:
        """Handle an event of a project; return what is done about it, in one word."""
        return "ignored"

    @property
    def training(self) -> "TrainingTriggers | None":
        """What starts trainings; None where nothing can be trained by jobs."""
        return None

    def warm_up(self) -> None:
        """Load what can be loaded; called once, in a thread of its own."""

    @property
    def is_starting(self) -> bool:
        """Whether `warm_up` has still to load something."""
        return False

    def readiness(self) -> Readiness:
        """Return what is not ready, and why."""
        return Readiness()

    def status(self) -> dict[str, Any]:
        """Return everything an operator may want to know."""
