"""What an actor does: it loads the models once, then predicts part after part into files."""

import logging
import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.backend.registry import find_backends
from shared.bulk.local_engine import EntryPrediction
from shared.bulk.ray_engine.division import Part
from shared.bulk.ray_engine.part_file import PartFile
from shared.bulk.ray_engine.run_folder import FinishedPart
from shared.errors import PrelabelError, SettingError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_sources import usable_entry
from shared.pipeline.command_plans import load_plans
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from shared.settings import Settings, adopt_variables, set_variables

# These modules log each failure, which is in the file of failures, too.
SILENCED_LOGGERS = ("shared.pipeline.failures", "shared.pipeline.planner")


@dataclass(frozen=True)
class PartRequest:
    """All that an actor needs to know: it is sent to each.

    `variables` are the settings of the process that asks. They hold tokens, so they travel in
    here, and not in Ray's `runtime_env`, which its dashboard shows.
    """

    label_config: str
    backends: tuple[str, ...]
    versions: tuple[str, ...]
    folder: Path
    working_folder: Path = field(default_factory=Path.cwd)
    variables: dict[str, str] = field(default_factory=dict, repr=False)
    min_score: float = 0.0
    replaces: bool = False


@dataclass(frozen=True)
class PartOutcome:
    """What became of a part: finished, or the problem that ends the run.

    `progress` and `is_end` are those of the part.
    """

    number: int
    progress: float = 1.0
    is_end: bool = False
    finished: FinishedPart | None = None
    problem: str = ""
    left_out: Counter[str] = field(default_factory=Counter[str])


class PartPredictor:
    """Predicts parts with models of its own. Several threads may call it at once.

    While one part is written, the tasks of the next are read and inferred already, and the models
    see the batches of both.
    """

    def __init__(self, request: PartRequest) -> None:
        """Nothing is raised: what is wrong comes with the first part, as a sentence."""
        self._request = request
        self._plans: Sequence[PredictionPlan] = ()
        self._problem = ""
        try:
            self._load()
        except PrelabelError as error:
            self._problem = str(error)
        except OSError as error:
            self._problem = f"{error.filename}: {error.strerror}"

    def __call__(self, part: Part) -> PartOutcome:
        """Predict a part into its files."""
        if part.is_end:
            return PartOutcome(part.number, part.progress, is_end=True)
        if part.problem or self._problem:
            return PartOutcome(part.number, problem=part.problem or self._problem)
        try:
            return self._predict(part)
        except PrelabelError as error:
            return PartOutcome(part.number, problem=str(error))
        except OSError as error:  # such as a full disk
            name = error.filename or self._request.folder
            problem = f"{name}: {error.strerror}; continue with --resume"
            return PartOutcome(part.number, problem=problem)

    def _load(self) -> None:
        request = self._request
        _enter_folder(request)
        adopt_variables(request.variables)
        for name in SILENCED_LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        config = LabelConfig.parse(request.label_config)
        self._plans = load_plans(runtime(), config, request.backends, request.min_score)
        versions = tuple(plan.version() for plan in self._plans)
        if versions != request.versions:
            raise SettingError(
                f"{_node_name()} has other models: its predictions would be of {_list(versions)},"
                f" those of the command are of {_list(request.versions)}"
            )

    def _predict(self, part: Part) -> PartOutcome:
        with PartFile(self._request.folder, part.number) as file:
            work = EntryPrediction(
                runtime().pipeline, self._plans, file, replaces=self._request.replaces
            )
            with closing(work.run(map(usable_entry, part.entries()))) as numbers:
                for _ in numbers:
                    pass
        finished = FinishedPart(part.number, file.done, file.size, part.digest)
        return PartOutcome(part.number, part.progress, False, finished, "", work.left_out)


def own_variables() -> dict[str, str]:
    """Return the settings of this process, of all backends, as variables."""
    classes = [backend.settings_class for backend in find_backends().values()]
    return set_variables([Settings, *classes])


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder inside the block, if this machine has it."""
    before = Path.cwd()
    if folder.is_dir():
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _enter_folder(request: PartRequest) -> None:
    """Make relative paths mean what they mean to who asks; SettingError if the output is not here.

    Inputs may be elsewhere: a working folder that is missing here is no error by itself.
    """
    if not request.folder.is_dir():
        raise SettingError(
            f"{request.folder} is not on {_node_name()}: the output has to be in a folder that all"
            " machines share"
        )
    if request.working_folder.is_dir():
        os.chdir(request.working_folder)


def _node_name() -> str:
    return f"the machine {platform.node()}"


def _list(versions: Sequence[str]) -> str:
    return ", ".join(versions)
