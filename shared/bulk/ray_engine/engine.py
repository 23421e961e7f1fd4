"""Predicts inputs on Ray Data: one reader divides them, actors predict parts into files."""

import pickle
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from shared.backend.extras import require
from shared.bulk.ray_engine.cluster import EXTRA, ActorPool
from shared.bulk.ray_engine.division import OTHER_TASKS, parts_left
from shared.bulk.ray_engine.part_predictor import (
    PartOutcome,
    PartPredictor,
    PartRequest,
    working_in,
)
from shared.bulk.ray_engine.run_folder import RunFolder
from shared.errors import PrelabelError
from shared.label_studio.task_sources import Source

# The one column of all tables: a pickled object. So each row of each stage is one part.
COLUMN = "part"
# Under which Ray labels each node with its id.
NODE_LABEL = "ray.io/node-id"
# Parts that an actor predicts at once, and those that wait for it.
CONCURRENT_PARTS, PARTS_IN_FLIGHT = 2, 4


@dataclass
class RayPrediction:
    """Predicts the parts that are left, and makes the output of them.

    Only the outcomes of parts pass through this process. `report` is called after each with the
    number of tasks of this run.
    """

    ray: Any
    sources: Sequence[Source]
    request: PartRequest
    pool: ActorPool
    folder: RunFolder
    report: Callable[[int], None] = lambda done: None
    left_out: Counter[str] = field(default_factory=Counter[str], init=False)
    """Counts what was left out of tasks because an import refuses it: see `import_filter`."""
    fraction: float | None = field(default=None, init=False)
    """The share of the inputs that has been predicted, as far as is known."""

    def run(self) -> None:
        """Predict what is left; PrelabelError with what ended the run."""
        done_before = self.folder.done
        count = 0
        with closing(self._outcomes()) as outcomes:
            for outcome in outcomes:
                if outcome.problem:
                    raise self._error(outcome)
                if outcome.is_end:
                    count = outcome.number
                    continue
                self._take(outcome)
                self.report(self.folder.done - done_before)
        self.folder.finish(count)

    def _take(self, outcome: PartOutcome) -> None:
        assert outcome.finished is not None
        self.fraction = max(self.fraction or 0.0, outcome.progress)
        self.left_out.update(outcome.left_out)
        self.folder.add(outcome.finished)

    def _error(self, outcome: PartOutcome) -> PrelabelError:
        if outcome.problem == OTHER_TASKS:
            return self.folder.changed_input(outcome.number)
        return PrelabelError(outcome.problem)

    def _outcomes(self) -> Generator[PartOutcome, None, None]:
        """Yield what becomes of the parts, in the order of their ends."""
        try:
            for row in self._create_dataset().iter_rows():
                yield pickle.loads(row[COLUMN])  # noqa: S301  # of our own actors
        except self.ray.exceptions.RayError as error:
            raise PrelabelError(f"Ray has ended the run: {_last_line(error)}") from error

    def _create_dataset(self) -> Any:
        """Return the dataset of outcomes: inputs → parts → outcomes, one in a row.

        The reader takes no core, so that it can run beside actors that take all, and it stays on
        the machine of this process. Whatever ends with a process or machine is done again.
        """
        data, here = self.ray.data, self.ray.get_runtime_context().get_node_id()
        _restrain_context(data.DataContext.get_current())
        task = (self.sources, self.folder.digests, self.request.working_folder)
        packed = self.ray.cloudpickle.dumps(task)  # sources may hold functions
        return (
            data.from_items([{COLUMN: packed}])
            .map_batches(
                read_parts,
                batch_size=1,
                batch_format="pyarrow",
                num_cpus=0,
                label_selector={NODE_LABEL: here},
            )
            .map_batches(
                TablePredictor,
                fn_constructor_args=(self.request,),
                batch_size=1,
                batch_format="pyarrow",
                compute=data.ActorPoolStrategy(
                    size=self.pool.actors,
                    max_tasks_in_flight_per_actor=PARTS_IN_FLIGHT,
                    max_concurrent_calls_per_actor=CONCURRENT_PARTS,
                    enable_true_multi_threading=True,
                ),
                num_cpus=self.pool.cores,
                num_gpus=self.pool.gpus,
            )
        )


class TablePredictor:
    """A `PartPredictor` between tables of one row."""

    def __init__(self, request: PartRequest) -> None:
        self._predictor = PartPredictor(request)

    def __call__(self, table: Any) -> Any:
        """Return the outcome of the part in the table."""
        return _pack(self._predictor(_unpack(table)))


def read_parts(table: Any) -> Iterator[Any]:
    """Yield the parts that are left of the inputs in the table."""
    sources, finished, working_folder = _unpack(table)
    with working_in(working_folder):
        yield from map(_pack, parts_left(sources, finished))


def _pack(value: Any) -> Any:
    pyarrow = require("pyarrow", EXTRA)
    return pyarrow.table({COLUMN: pyarrow.array([pickle.dumps(value)], pyarrow.large_binary())})


def _unpack(table: Any) -> Any:
    [packed] = table[COLUMN].to_pylist()
    return pickle.loads(packed)  # noqa: S301  # of our own processes


def _restrain_context(context: Any) -> None:
    """Make a block of each row, so that parts go to whichever actor is free; draw nothing."""
    context.target_max_block_size = 1
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def _last_line(error: Exception) -> str:
    """Return the last line of an error, in which Ray names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
