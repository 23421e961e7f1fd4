"""The network that a training begins with, with a head for the labels to learn."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from backends._transformers.hub import TrainingBase
from backends._transformers.tokenizer import Tokenizer
from shared.backend import Control, LabelMap
from shared.backend.label_map import NO_ALIASES, Aliases
from shared.backend.training import TrainingError

# A key of ours in config.json: by which base a trained model was begun, see `identify_base`.
BASE_KEY = "prelabel_base"


class HeadPlan(NamedTuple):
    """A new head: the names of its outputs, which of the base's outputs each goes on from.

    `problem_type` is transformers' name of the loss of a sequence classifier.
    """

    names: Sequence[str]
    known: Mapping[str, str]
    problem_type: str | None = None


def read_class_names(folder: Path) -> list[str]:
    """Return the names of the outputs of a model in a folder, in their order."""
    found = json.loads((folder / "config.json").read_text("utf-8")).get("id2label", {})
    return [str(found[number]) for number in sorted(found, key=int)]


def classes_by_label(
    control: Control, classes: Sequence[str], aliases: Aliases = NO_ALIASES
) -> dict[str, str]:
    """Return the class of each label that a model knows; of several the first."""
    found = LabelMap.build(control, classes, aliases).to_label
    return {label: name for name, label in reversed(list(found.items()))}


def identify_base(base: TrainingBase) -> str:
    """Return what a trained model keeps of its base: a hash of the name, which may be a path."""
    return hashlib.sha256(base.name.encode()).hexdigest()[:16]


def choose_base(
    configured: TrainingBase, serving: Path | None, config_file: str = "config.json"
) -> TrainingBase:
    """Return the version that serves if it was begun with the configured base, else that base."""
    if serving is None or not (serving / config_file).is_file():
        return configured
    begun = json.loads((serving / config_file).read_text("utf-8")).get(BASE_KEY)
    return (
        TrainingBase(serving, configured.name) if begun == identify_base(configured) else configured
    )


def load_tokenizer(base: TrainingBase) -> Tokenizer:
    """Load the tokenizer of a base; TrainingError if it has none that can be used."""
    try:
        return Tokenizer.load(base.folder, base.name)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{base.name} has no tokenizer that can be read: {error}") from None


def load_with_head(base: TrainingBase, auto_class: str, head: HeadPlan) -> Any:
    """Load a network in f32 with a new head; the rest is the base's, whatever it was made for.

    Outputs that the base knows begin with its weights. TrainingError if there is no such network.
    """
    import transformers

    reader = getattr(transformers, auto_class)
    options: dict[str, Any] = {
        "dtype": torch.float32,
        "trust_remote_code": False,
        "use_safetensors": True,
    }
    names = dict(enumerate(head.names))
    try:
        with _quiet():
            network = reader.from_pretrained(
                base.folder,
                id2label=names,
                label2id={name: number for number, name in names.items()},
                ignore_mismatched_sizes=True,
                **options,
            )
            if head.known:
                _copy_outputs(reader.from_pretrained(base.folder, **options), network, head)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{base.name} cannot be trained: {error}") from None
    network.config.problem_type = head.problem_type
    setattr(network.config, BASE_KEY, identify_base(base))
    return network


def last_linear(network: Any) -> Any:
    """Return the layer that gives the logits."""
    return [one for one in network.modules() if isinstance(one, torch.nn.Linear)][-1]


def save_network(network: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a network and its tokenizer as transformers does, the weights as safetensors."""
    with _quiet():
        network.save_pretrained(folder)
        tokenizer.inner.save_pretrained(folder)


def _copy_outputs(source: Any, network: Any, head: HeadPlan) -> None:
    """Copy the weights of outputs that the source knows."""
    before, after = last_linear(source), last_linear(network)
    places = {name: int(number) for number, name in source.config.id2label.items()}
    with torch.no_grad():
        for place, name in enumerate(head.names):
            number = places.get(head.known.get(name, ""))
            if number is not None:
                after.weight[place] = before.weight[number]
                if after.bias is not None and before.bias is not None:
                    after.bias[place] = before.bias[number]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from telling that the head is new."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
