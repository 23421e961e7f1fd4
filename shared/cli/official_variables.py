"""What the environment of an official example of Label Studio becomes for a command."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.label_studio.official_examples.reading import Reading

# States of which the log of a server says nothing: such variables need no other name.
QUIET_STATES = frozenset({"same", "tools"})


def adopt_official_variables() -> "list[Reading]":
    """Set the variables of ours that official ones stand for; return what became of each."""
    from shared.label_studio.official_examples.reading import adopted_variables, read_variables
    from shared.settings import adopt_variables, read_environment

    readings = read_variables(read_environment())
    if adopted := adopted_variables(readings):
        adopt_variables(adopted)
    return readings


def log_official_variables(readings: "Iterable[Reading]") -> None:
    """Log what official variables are read as, and which have no effect."""
    import logging

    from shared.label_studio.official_examples.reading import describe_readings

    told = [one for one in readings if one.state not in QUIET_STATES]
    for sentence in describe_readings(told):
        logging.getLogger(__name__).info("%s", sentence)
