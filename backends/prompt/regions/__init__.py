"""What a model answered becomes regions: by control tag."""

from backends.prompt.regions.build import build_regions
from backends.prompt.regions.control_answer import ControlAnswer

__all__ = ["ControlAnswer", "build_regions"]
