"""Reads the variables of the official examples that are set, as variables of ours."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shared.label_studio.official_examples.variable import (
    NoMeaningError,
    OfficialVariable,
    Surroundings,
)
from shared.label_studio.official_examples.variables import VARIABLES, find_variables
from shared.settings import Settings

State = Literal["same", "alias", "read", "behind", "unused", "tools"]


@dataclass(frozen=True)
class Reading:
    """What becomes of an official variable that is set.

    `state`: it is one of ours ("same"), our setting reads that name, too ("alias"), it is read as
    `ours`, with `value` ("read"), another one comes before it ("behind"), it means nothing here
    ("unused"), or it is for libraries and containers ("tools"). `note` says more.
    """

    name: str
    state: State
    ours: str = ""
    value: str = ""
    note: str = ""


def describe_reading(one: Reading) -> str:
    """Return in a clause what becomes of a variable, with the value that ours gets."""
    what = {
        "same": "read under the same name",
        "alias": f"read as {one.ours}",
        "read": f"read as {one.ours}={one.value}",
        "behind": f"not read as {one.ours}",
        "unused": "no effect",
        "tools": "not for the server",
    }[one.state]
    return what + (f": {one.note}" if one.note else "")


def describe_readings(readings: Iterable[Reading]) -> Iterator[str]:
    """Yield a sentence for the variables of which the same is to be said, without their values."""
    groups: dict[tuple[State, str, str], list[str]] = {}
    for one in readings:
        groups.setdefault((one.state, one.ours, one.note), []).append(one.name)
    for (state, ours, note), names in groups.items():
        is_are, has_have = ("is", "has") if len(names) == 1 else ("are", "have")
        what = {
            "same": f"{is_are} read",
            "alias": f"{is_are} read as {ours}",
            "read": f"{is_are} read as {ours}",
            "behind": f"{is_are} not read as {ours}",
            "unused": f"{has_have} no effect",
            "tools": f"{is_are} not for the server",
        }[state]
        yield f"{', '.join(names)} {what}" + (f": {note}" if note else "")


def read_variables(
    environment: Mapping[str, str],
    examples: Iterable[str] = (),
    find_folder: Callable[[Path], Path] = Path,
) -> list[Reading]:
    """Return what becomes of each official variable that is set, in the order of the table.

    `examples` are those whose variables these may be; none stands for all. `find_folder` returns
    where MODEL_DIR is here.
    """
    default = str(Settings.model_fields["model_dir"].default)
    model_dir = find_folder(Path(environment.get("MODEL_DIR") or default))
    around = Surroundings(environment, model_dir)
    readings: list[Reading] = []
    for name in dict.fromkeys(one.name for one in VARIABLES if environment.get(one.name)):
        found = _read_name(name, around, examples, readings)
        readings += found
        if moved := adopted_variables(found).get("MODEL_DIR"):
            around = replace(around, model_dir=find_folder(Path(moved)))
    return readings


def adopted_variables(readings: Iterable[Reading]) -> dict[str, str]:
    """Return the variables of ours that official ones stand for, with their values."""
    return {one.ours: one.value for one in readings if one.state == "read"}


def _read_name(
    name: str, around: Surroundings, examples: Iterable[str], before: Iterable[Reading]
) -> list[Reading]:
    """Return what becomes of a variable: of several meanings those that count, if there are any."""
    taken = {one.ours: one.name for one in before if one.state == "read"}
    found = [_read_one(one, around, taken) for one in find_variables(name, examples)]
    return [one for one in found if one.state != "unused"] or list(dict.fromkeys(found))


def _read_one(
    variable: OfficialVariable, around: Surroundings, taken: Mapping[str, str]
) -> Reading:
    name, ours, note = variable.name, variable.ours, variable.note
    environment = around.environment
    if state := _state_without_value(variable):
        if other := taken.get(ours, ""):  # it is first, also where ours is set
            return Reading(name, "behind", ours, note=f"{other} comes before it")
        return Reading(name, state, ours, note=note)
    if variable.beside and not any(environment.get(other) for other in variable.beside):
        others = " or ".join(variable.beside)
        return Reading(name, "unused", note=f"it would be {ours} if {others} was set, too")
    first = ours if environment.get(ours) and not variable.is_first else ""
    if blocking := first or taken.get(ours, ""):
        return Reading(name, "behind", ours, note=f"{blocking} comes before it")
    try:
        return Reading(name, "read", ours, variable.translate(environment[name], around), note)
    except NoMeaningError as error:
        return Reading(name, "unused", note=str(error))


def _state_without_value(variable: OfficialVariable) -> State | None:
    """Return what becomes of a variable whose value does not matter."""
    if variable.of_tools:
        return "tools"
    if not variable.ours:
        return "unused"
    if variable.is_alias:
        return "alias"
    return "same" if variable.ours == variable.name else None
