"""Adds a copy in int8 to an exported model, where it gives the same."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backends._inference.checksums import write_checksums
from backends._inference.openvino import openvino_core
from backends._inference.parity import REJECTION_FILE
from backends._inference.quantization import (
    Agreement,
    Copy,
    Layers,
    Quantization,
    choose_copy,
    measure_gain,
    split_items,
)
from backends._transformers.converted_model import (
    DESCRIPTION_FILE,
    INT8_FOLDER,
    SEVERAL_CLASSES,
    TOKENIZER_FILE,
    VERDICT_FILE,
    read_model_files,
)
from backends._transformers.engine import TextModel, load_exported
from backends._transformers.model_source import ModelSource
from backends._transformers.network import Network
from backends._transformers.probability_comparison import ProbabilityComparison
from backends._transformers.runners import OPENVINO_FILE, Batch, Logits, OpenVinoRunner
from shared.errors import ModelError, RefusedPrecisionError

# Maximum difference of what a model says of a text: the chance of a class, or of an entity.
MAX_SCORE_DIFFERENCE = 0.02

# Runs a tokenizer and a network on items, as the backend does it.
Infer = Callable[[TextModel, list[Any]], Sequence[Any]]
# Returns the largest difference of scores of two outputs; infinite where the answers differ.
Compare = Callable[[Any, Any], float]


class RecordingRunner(OpenVinoRunner):
    """Keeps the batches that it runs: what a network is calibrated with."""

    def __init__(self, folder: Path, input_names: Sequence[str]) -> None:
        super().__init__(folder, input_names)
        self.batches: list[Batch] = []

    def run(self, batches: Iterable[Batch]) -> list[Logits]:
        """Return the logits of each batch."""
        kept = list(batches)
        self.batches += kept
        return super().run(kept)


def add_int8(source: ModelSource, items: Iterable[Any], infer: Infer, compare: Compare) -> str:
    """Write a copy in int8 into the folder of an exported model; return its engine.

    RefusedPrecisionError if none agrees with single precision on the items that are held out, or
    none is faster; the folder keeps the reason.
    """
    calibration, held_out = split_items(list(items))
    precise, serving = source.folder / "f32", load_exported(source)
    recorder = RecordingRunner(precise, read_model_files(precise)[0].input_names)
    model = _with_runner(precise, recorder)
    expected = infer(model, held_out)
    recorder.batches = []
    # one row a batch: numbers of padding are in no range
    infer((model[0], replace(model[1], batch_tokens=1)), calibration)
    inputs = ([batch[name] for name in model[1].input_names] for batch in recorder.batches)

    def judge(copy: Path) -> str:
        found = _with_runner(precise, OpenVinoRunner(copy.parent, model[1].input_names))
        gain = measure_gain(
            lambda item: infer(serving, [item]), lambda item: infer(found, [item]), held_out
        )
        differences = list(map(compare, expected, infer(found, held_out)))
        check_differences(differences)
        return (
            f"{len(differences)} held-out texts differ by at most {max(differences):.2g} of a"
            f" score, {gain:.2f} times as fast as {serving[1].runner.name}"
        )

    # Where it is killed, the next export deletes what it leaves there.
    with TemporaryDirectory(dir=source.folder) as name:
        quantization = Quantization(precise / OPENVINO_FILE, inputs, Path(name))
        choices = _choose_layers(precise / OPENVINO_FILE, model[1].problem_type == SEVERAL_CLASSES)
        copies = (_in_own_folder(quantization.make(layers)) for layers in choices)
        target = source.folder / INT8_FOLDER
        try:
            copy, verdict = choose_copy(copies, judge)
        except RefusedPrecisionError as error:
            target.mkdir()
            (target / REJECTION_FILE).write_text(str(error), encoding="utf-8")
            raise
        shutil.copytree(copy.parent, target)
    for file in (DESCRIPTION_FILE, TOKENIZER_FILE):
        shutil.copy(precise / file, target / file)
    (target / VERDICT_FILE).write_text(verdict, encoding="utf-8")
    write_checksums(target)
    return load_exported(source)[1].describe_engine()


def check_differences(differences: Sequence[float]) -> None:
    """Raise ModelError if answers differ, or scores by more than they may."""
    beyond = [one for one in differences if one > MAX_SCORE_DIFFERENCE]
    if not beyond:
        return
    others = sum(one == float("inf") for one in beyond)
    scores = [one for one in beyond if one != float("inf")]
    raise ModelError(
        f"of {len(differences)} held-out texts it answers {others} otherwise"
        + (
            f", and {len(scores)} with scores that differ by up to {max(scores):.2g}"
            if scores
            else ""
        )
        + f" ({MAX_SCORE_DIFFERENCE} is allowed)"
    )


def _with_runner(folder: Path, runner: OpenVinoRunner) -> TextModel:
    description, tokenizer = read_model_files(folder)
    return tokenizer, Network.of_runner(runner, description, "openvino")


def _in_own_folder(copy: Copy) -> Copy:
    """Move a copy into a folder of its own, under the name that runners read."""
    folder = copy.path.with_suffix("")
    folder.mkdir()
    for suffix in (".bin", ".xml"):
        copy.path.with_suffix(suffix).rename((folder / OPENVINO_FILE).with_suffix(suffix))
    return copy._replace(path=folder / OPENVINO_FILE)


def _choose_layers(path: Path, several: bool) -> list[Layers]:
    """Return which layers may be in int8: the linear ones; the last gives the scores."""
    network = openvino_core().read_model(path)
    linear = [
        node.get_friendly_name()
        for node in network.get_ordered_ops()
        if node.get_type_name() == "MatMul" and _is_constant(node.input_value(1).get_node())
    ]
    last = network.get_results()[0].input_value(0).get_node()
    while last.get_type_name() != "MatMul":
        last = last.input_value(0).get_node()
    linear.remove(last.get_friendly_name())
    whole = Layers("all linear layers but the last in int8", tuple(linear), transformer=True)
    agreement = Agreement(
        f"{ProbabilityComparison.__module__}:{ProbabilityComparison.__name__}",
        {"allowed": MAX_SCORE_DIFFERENCE, "several": several},
    )
    title = f"the {len(linear)} linear layers before the last in int8"
    return [whole, replace(whole, title=title, agreement=agreement)]


def _is_constant(node: Any) -> bool:
    """Return whether a number is a weight, whatever converts it."""
    while node.get_type_name() in {"Convert", "Transpose"}:
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")
