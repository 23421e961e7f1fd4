"""What could not be read or compared: counted by kind, with the tasks in which it occurred."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Tasks that a problem names at most.
MAX_NAMED_TASKS = 5
# Different problems that are kept; further ones are counted together.
MAX_PROBLEMS = 1000
OTHER_PROBLEMS = "there are further problems"


@dataclass
class Problem:
    """A problem, how often it occurred, and the first tasks in which it did."""

    message: str
    count: int = 0
    tasks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        more = f" and {self.count - len(self.tasks)} more" if self.count > len(self.tasks) else ""
        where = f" ({', '.join(self.tasks)}{more})" if self.tasks else ""
        return f"{self.message}{where}"


class ProblemLog:
    """Collects problems: equal messages become one, so that 100,000 tasks cost no memory."""

    def __init__(self) -> None:
        self._problems: dict[str, Problem] = {}

    def add(self, message: str, task: Any = None) -> None:
        """Count a problem; `task` names where it occurred, such as `task 12`."""
        if message not in self._problems and len(self._problems) >= MAX_PROBLEMS:
            message = OTHER_PROBLEMS
        problem = self._problems.setdefault(message, Problem(message))
        problem.count += 1
        if task is not None and len(problem.tasks) < MAX_NAMED_TASKS:
            name = str(task)
            if name not in problem.tasks:
                problem.tasks.append(name)

    def __iter__(self) -> Iterator[Problem]:
        """Yield the problems, in the order in which they first occurred."""
        yield from self._problems.values()

    def __len__(self) -> int:
        return len(self._problems)
