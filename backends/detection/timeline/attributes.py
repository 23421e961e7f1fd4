"""What a TimelineLabels tag asks of its trained network, by the names of the official example."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.label_studio.label_config import Control

TRAINABLE = "model_trainable"


class NetworkSize(NamedTuple):
    """The size of a temporal network.

    It sees `sequence_size` frames in a row, in each direction by `num_layers` layers of
    `hidden_size` units.
    """

    sequence_size: int = 16
    hidden_size: int = 32
    num_layers: int = 1


@dataclass(frozen=True)
class TimelineOptions:
    """How a TimelineLabels tag is trained.

    Training ends after `epochs`, or when F1 or accuracy on the validation videos reach their
    threshold, or when nothing gets better. A label holds from a probability of `score_threshold`.
    The network sees every `frame_step`-th frame.
    """

    size: NetworkSize = field(default_factory=NetworkSize)
    epochs: int = 100
    f1_threshold: float = math.inf
    accuracy_threshold: float = math.inf
    score_threshold: float = 0.5
    frame_step: int = 1

    @classmethod
    def of_control(cls, control: Control) -> "TimelineOptions":
        """Read the attributes `model_classifier_…`; ConfigError names one that is invalid."""

        def read(name: str, default: float, low: float, high: float) -> float:
            return control.get_number(f"model_classifier_{name}", default, low=low, high=high)

        size = NetworkSize(
            int(read("sequence_size", 16, 2, 1000)),
            int(read("hidden_size", 32, 1, 1024)),
            int(read("num_layers", 1, 1, 8)),
        )
        return cls(
            size,
            int(read("epochs", 100, 1, 100_000)),
            read("f1_threshold", math.inf, 0, 1),
            read("accuracy_threshold", math.inf, 0, 1),
            control.get_number("model_score_threshold", 0.5, low=0, high=1),
            int(control.get_number("model_frame_step", 1, low=1, high=1000)),
        )

    def is_reached(self, f1: float, accuracy: float) -> bool:
        """Return whether figures on the validation videos are good enough to stop."""
        return f1 >= self.f1_threshold or accuracy >= self.accuracy_threshold


def timeline_obstacle(control: Control) -> str | None:
    """Return why a TimelineLabels tag cannot be trained; None if it can."""
    if not control.get_flag(TRAINABLE, default=True):
        return f'{control}: {TRAINABLE}="{control.attrs[TRAINABLE]}" says that it is not trained'
    return None
