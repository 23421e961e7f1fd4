"""The loop of the official YOLO example, as label-studio-ml's users run it: a path at a time."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from ultralytics import YOLO

NETWORK = YOLO(os.environ["WEIGHTS"])
"""Made once: the official example keeps its networks too."""


class OfficialYolo(LabelStudioMLBase):
    """One `predict` of Ultralytics for each task, boxes of the first control tag out."""

    def predict(self, tasks: Sequence[Any], **kwargs: Any) -> list[Any]:
        [(name, tag)] = self.parsed_label_config.items()
        labels = set(tag["labels"])
        answers = []
        for task in tasks:
            address = task["data"][tag["inputs"][0]["value"]]
            file = parse_qs(urlsplit(address).query)["d"][0]
            [found] = NETWORK.predict(os.path.join(os.environ["FILES"], file), verbose=False)
            result = [
                {
                    "from_name": name,
                    "to_name": tag["to_name"][0],
                    "type": "rectanglelabels",
                    "original_width": found.orig_shape[1],
                    "original_height": found.orig_shape[0],
                    "score": score,
                    "value": {
                        "x": (x - width / 2) * 100,
                        "y": (y - height / 2) * 100,
                        "width": width * 100,
                        "height": height * 100,
                        "rectanglelabels": [found.names[int(index)]],
                    },
                }
                for (x, y, width, height), score, index in zip(
                    found.boxes.xywhn.tolist(),
                    found.boxes.conf.tolist(),
                    found.boxes.cls.tolist(),
                    strict=True,
                )
                if found.names[int(index)] in labels
            ]
            answers.append({"result": result})
        return answers


def application() -> Any:
    """The Flask application, for gunicorn."""
    return init_app(model_class=OfficialYolo, model_dir=os.environ["FILES"])
