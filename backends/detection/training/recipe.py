"""How a network is trained: the trainer's settings, by the task and the number of pictures."""

import math
from collections.abc import Mapping
from typing import Any

BATCH = 16
# Pictures that a network should see in all, and the epochs within which that is done. Few pictures
# are seen often; many are not, since each epoch then teaches more.
SEEN_PICTURES = 3000
EPOCHS = (30, 150)
# Fraction of the time that may be used after which the last epoch should be done: later ones may
# take longer than those before.
USED_TIME = 0.9


def choose_epochs(train_count: int) -> int:
    """Return the number of epochs for so many pictures."""
    least, most = EPOCHS
    return min(max(math.ceil(SEEN_PICTURES / train_count), least), most)


def fit_epochs(epochs: int, done: int, seconds: float, allowed_seconds: float) -> int:
    """Return how many of the epochs fit into the allowed time, after `done` ones in `seconds`.

    The learning rate falls towards the last epoch, so a training that is cut off has learned less
    than one that is planned to be short.
    """
    fitting = int(allowed_seconds * USED_TIME / (seconds / done))
    return min(epochs, max(fitting, done))


def choose_batch(train_count: int, scale: float) -> int:
    """Return how many pictures a step of the optimizer takes."""
    return max(1, int(min(BATCH, max(train_count // 4, 2)) * scale))


def trainer_settings(task: str, epochs: int, batch: int) -> Mapping[str, Any]:
    """Return the settings of Ultralytics' trainer that make a training good."""
    return {
        "epochs": epochs,
        "patience": max(20, epochs // 3),
        "batch": batch,
        # One step of the optimizer for each batch: few pictures make few of them.
        "nbs": batch,
        "optimizer": "AdamW",
        "lr0": 0.002,
        "lrf": 0.01,
        "momentum": 0.9,
        "cos_lr": True,
        "warmup_epochs": 3.0 if epochs > 10 else 0.0,
        "warmup_bias_lr": 0.0,
        "close_mosaic": max(1, epochs // 5),
    }
