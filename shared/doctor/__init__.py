"""The way of a user's predictions, looked at link by link: `prelabel doctor`."""

from shared.doctor.check import Check
from shared.doctor.walk import walk
from shared.doctor.way import Way

__all__ = ["Check", "Way", "walk"]
