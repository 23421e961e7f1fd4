"""Which versions of libraries a training has run with."""

import platform
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata

from shared import __version__


def loaded_libraries() -> dict[str, str]:
    """Return the version of every distribution that this process has imported something of."""
    found = {"python": platform.python_version(), "prelabel": __version__}
    loaded = {name.partition(".")[0] for name in sys.modules}
    names = {
        name
        for module, distributions in _distributions().items()
        if module in loaded
        for name in distributions
    }
    return found | {name: metadata.version(name) for name in sorted(names - {"prelabel"})}


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    """Return the distributions of each module. It takes a second: a process installs nothing."""
    return metadata.packages_distributions()
