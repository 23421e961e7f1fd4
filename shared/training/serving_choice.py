"""Which versions of a project can serve: those that `serving.json` names, or those before them."""

from collections.abc import Mapping
from typing import NamedTuple

from shared.errors import SettingError
from shared.training.version_store import VERSION_FILE, WEIGHTS_FOLDER, TrainedVersion, VersionStore

# The name of the base model in `serving.json`: no trained version.
BASE = ""
# What reading a state raises that is damaged or cannot be reached.
STORE_ERRORS = (OSError, SettingError)


class VersionName(NamedTuple):
    """A version of one control tag of a project."""

    control: str
    version: str


class ServingChoice(NamedTuple):
    """The versions that can serve, and a sentence for each control tag that gets another one."""

    versions: tuple[TrainedVersion, ...]
    problems: tuple[str, ...]


def choose_versions(
    store: VersionStore, project: str, failures: Mapping[VersionName, str]
) -> ServingChoice:
    """Return the version that serves each control tag of a project, or else the one before it.

    `failures` are versions that cannot be loaded, with the reason. One whose weights are gone
    cannot serve either. If none is left, the base model serves. Raises one of STORE_ERRORS if
    `serving.json` cannot be read.
    """
    state = store.serving_state(project)
    versions: list[TrainedVersion] = []
    problems: list[str] = []
    for control, wanted in state.serving.items():
        faults: list[str] = []
        for name in _in_order(wanted, state.previous.get(control, ())):
            fault = failures.get(VersionName(control, name)) if name != BASE else None
            found = _find(store, project, control, name) if name != BASE and not fault else None
            if name == BASE or isinstance(found, TrainedVersion):
                break
            faults.append(f"{name}: {fault or found}")
        versions += [found] if isinstance(found, TrainedVersion) else []
        if faults:
            instead = name or "the base model"
            problems.append(f'"{control}" is served by {instead}, for {"; ".join(faults)}')
    return ServingChoice(tuple(versions), tuple(problems))


def _in_order(wanted: str, previous: tuple[str, ...]) -> list[str]:
    """Return what may serve, the first choice first: up to the base model, which always can."""
    names = list(dict.fromkeys((wanted, *previous, BASE)))
    return names[: names.index(BASE) + 1]


def _find(store: VersionStore, project: str, control: str, name: str) -> TrainedVersion | str:
    """Return a version that is whole, or what is wrong with it."""
    try:
        version = store.find(project, control, name)
    except SettingError:
        is_there = (store.control_folder(project, control) / name / VERSION_FILE).exists()
        return f"its {VERSION_FILE} cannot be read" if is_there else "its folder is gone"
    except OSError as error:
        return f"its folder cannot be read ({type(error).__name__})"
    weights = version.folder / WEIGHTS_FOLDER
    if not weights.is_dir() or not any(weights.iterdir()):
        return "its weights are gone"
    parent = store.control_folder(project, control).resolve()
    if not all(file.resolve().is_relative_to(parent) for file in (weights, *weights.rglob("*"))):
        return "its weights are links to elsewhere"
    return version
