"""How a model names labels, choices and paths: by what annotators read, each name once."""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import lru_cache

from shared.backend import Control
from shared.label_studio.label_config import ChoicePath

PATH_SEPARATOR = " > "


@lru_cache(maxsize=128)
def choice_paths(control: Control) -> Mapping[str, ChoicePath]:
    """Return the choices of a Choices or Taxonomy tag by the names that a model is given.

    A nested one is named by its path, "Animal > Dog". A name that two would have is made of the
    aliases, which stand in results. Choices around others are left out where the editor takes only
    those inside: in nested Choices, and with `leafsOnly`.
    """
    around = {path[:-1] for path in control.paths}
    paths = [path for path in control.paths if _is_offered(control, path, around)]
    shown = {path: PATH_SEPARATOR.join(_shown_names(control, path)) for path in paths}
    alike = Counter(shown.values())
    return {
        name if alike[name] == 1 else PATH_SEPARATOR.join(path): path
        for path, name in shown.items()
    }


def _shown_names(control: Control, path: ChoicePath) -> list[str]:
    steps = (path[:size] for size in range(1, len(path) + 1))
    return [control.paths[step].get("value") or step[-1] for step in steps]


def _is_offered(control: Control, path: ChoicePath, around: Collection[ChoicePath]) -> bool:
    """Return whether a choice can be chosen; `around` are those that have others inside."""
    if not control.has_nested_choices:
        return len(path) == 1
    if control.tag == "Taxonomy" and not control.get_flag("leafsOnly"):
        return True
    return path not in around
