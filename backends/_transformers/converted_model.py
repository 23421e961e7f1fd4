"""The folder of a converted model: all that it takes to run it without PyTorch and transformers.

`model.xml` and `model.bin` are OpenVINO's, `tokenizer.json` is that of the library `tokenizers`,
and `network.json` says what else transformers knew of the model.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backends._transformers.runners import OPENVINO_FILE
from backends._transformers.tokenizer import Tokenizer, context_length

TOKENIZER_FILE = "tokenizer.json"
DESCRIPTION_FILE = "network.json"
# transformers' name of the loss of a classifier of whose classes a text may have several.
SEVERAL_CLASSES = "multi_label_classification"
# The folder of a copy in int8 beside those of the other precisions, and what says how it agrees.
INT8_FOLDER, VERDICT_FILE = "int8", "verdict.txt"


@dataclass(frozen=True)
class NetworkDescription:
    """What has to be known of a network to run it on texts.

    - `labels`: the names of its outputs, in their order
    - `problem_type`: transformers' name of the loss of a sequence classifier
    - `max_tokens`: how many tokens fit into a row, special ones included
    - `pad_id`: the id of a token that is none
    """

    labels: tuple[str, ...]
    problem_type: str | None
    max_tokens: int
    pad_id: int
    input_names: tuple[str, ...]

    @classmethod
    def of(cls, config: Any, tokenizer: Tokenizer) -> "NetworkDescription":
        """Describe a network by transformers' configuration of it."""
        return cls(
            tuple(str(config.id2label[index]) for index in range(len(config.id2label))),
            getattr(config, "problem_type", None),
            context_length(tokenizer, config),
            tokenizer.pad_id,
            tuple(tokenizer.input_names),
        )


def write_model_files(folder: Path, description: NetworkDescription, tokenizer: Tokenizer) -> None:
    """Write what belongs to a converted network into its folder."""
    tokenizer.pieces.save(str(folder / TOKENIZER_FILE))
    text = json.dumps(asdict(description), ensure_ascii=False, indent=1)
    (folder / DESCRIPTION_FILE).write_text(text, encoding="utf-8")


def read_model_files(folder: Path) -> tuple[NetworkDescription, Tokenizer]:
    """Read what `write_model_files` wrote."""
    from tokenizers import Tokenizer as Pieces

    found = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    lists = {name: tuple(found[name]) for name in ("labels", "input_names")}
    description = NetworkDescription(**{**found, **lists})
    pieces = Pieces.from_file(str(folder / TOKENIZER_FILE))
    tokenizer = Tokenizer(
        pieces, description.pad_id, description.input_names, description.max_tokens
    )
    return description, tokenizer


def is_converted(folder: Path) -> bool:
    """Return whether a folder is that of a converted model."""
    return (folder / DESCRIPTION_FILE).is_file() and (folder / OPENVINO_FILE).is_file()
