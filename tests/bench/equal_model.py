"""The model of the `pattern` backend as label-studio-ml's users write one: no checks, no ids."""

import os
from collections.abc import Sequence
from typing import Any

from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase

from backends.pattern.rules import RULES, find_matches


class EqualModel(LabelStudioMLBase):
    """Marks what the same rules find, in the first control tag's labels."""

    def predict(self, tasks: Sequence[Any], **kwargs: Any) -> list[Any]:
        [(name, tag)] = self.parsed_label_config.items()
        key, labels = tag["inputs"][0]["value"], set(RULES) & set(tag["labels"])
        answers = []
        for task in tasks:
            text = task["data"][key]
            result = [
                {
                    "from_name": name,
                    "to_name": tag["to_name"][0],
                    "type": "labels",
                    "value": {
                        "start": start,
                        "end": end,
                        "text": text[start:end],
                        "labels": [rule],
                    },
                }
                for rule, start, end in find_matches(text)
                if rule in labels
            ]
            answers.append({"result": result})
        return answers


def application() -> Any:
    """The Flask application, for gunicorn."""
    return init_app(model_class=EqualModel, model_dir=os.environ["MODEL_DIR"])
