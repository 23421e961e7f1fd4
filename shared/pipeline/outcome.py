"""What came of a task."""

from dataclasses import dataclass
from typing import Any

from shared.errors import PrelabelError
from shared.pipeline.prediction import Prediction


@dataclass(frozen=True)
class TaskOutcome:
    """What came of one task: a prediction or an error."""

    prediction: Prediction | None = None
    error: PrelabelError | None = None

    def to_response(self, interactive: bool = False) -> dict[str, Any] | list[Any]:
        """As `/predict` answers: `[]` asks Label Studio to try again later.

        In interactive mode the editor needs an object, whatever came of it.
        """
        if self.prediction is not None:
            return self.prediction.to_json()
        return {"result": []} if interactive else []
