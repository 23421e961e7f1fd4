"""One environment variable of the official examples, and what it means here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Surroundings:
    """What the meaning of a variable may depend on: the others that are set, and MODEL_DIR."""

    environment: Mapping[str, str]
    model_dir: Path

    def find_file(self, name: str) -> Path | None:
        """Return a file below MODEL_DIR, by its name or by the path that an example has for it."""
        for path in (self.model_dir / name, self.model_dir / Path(name).name):
            if path.is_file():
                return path
        return None


class NoMeaningError(Exception):
    """A value means nothing here; the message says why, and what helps."""


# Returns the value of our variable for that of an official one. Raises NoMeaningError.
Translate = Callable[[str, Surroundings], str]


def keep(value: str, around: Surroundings) -> str:
    """Return the value as it is."""
    return value


@dataclass(frozen=True)
class OfficialVariable:
    """A variable as some of the official examples mean it.

    - `examples`: those that read it so; empty: all of them
    - `ours`: the variable that it stands for; its own name if that is one of ours; empty: none
    - `note`: what is to be said of it, such as why it has no meaning here
    - `translate`: how its value becomes that of ours
    - `beside`: it counts only where one of these is set, too, since the name alone says too little
    - `is_first`: it comes before `ours`, where both are set
    - `is_alias`: the setting of ours reads this name by itself, too
    - `of_tools`: libraries or containers read it, and not the server: nothing is said of it
    """

    name: str
    examples: tuple[str, ...] = ()
    ours: str = ""
    note: str = ""
    translate: Translate = keep
    beside: tuple[str, ...] = ()
    is_first: bool = False
    is_alias: bool = False
    of_tools: bool = False


def same(names: str, examples: tuple[str, ...] = (), note: str = "") -> list[OfficialVariable]:
    """Return variables that are read here under the same name."""
    return [OfficialVariable(name, examples, name, note) for name in names.split()]


def aliases(names: str, examples: tuple[str, ...] = ()) -> list[OfficialVariable]:
    """Return variables that our settings read by themselves, written NAME=OURS."""
    pairs = (pair.partition("=") for pair in names.split())
    return [OfficialVariable(name, examples, ours, is_alias=True) for name, _, ours in pairs]


def unused(names: str, examples: tuple[str, ...], note: str) -> list[OfficialVariable]:
    """Return variables without a meaning here."""
    return [OfficialVariable(name, examples, note=note) for name in names.split()]


def of_tools(names: str, examples: tuple[str, ...], note: str) -> list[OfficialVariable]:
    """Return variables that libraries or containers read."""
    return [OfficialVariable(name, examples, note=note, of_tools=True) for name in names.split()]
