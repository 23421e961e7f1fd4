"""What the user has drawn, in interactive mode."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import TaskError
from shared.label_studio.label_config import LabelConfig, ObjectTag
from shared.results import ParsedRegion, parse_regions
from shared.results.parse import BROKEN, describe_broken


def read_drawn_regions(
    context: Mapping[str, Any], config: LabelConfig, target: ObjectTag
) -> Iterator[ParsedRegion]:
    """Yield the regions that the user has drawn on an object tag, the last one first.

    TaskError if the context cannot be read: it names what is wrong with it.
    """
    try:
        regions = parse_regions(context.get("result") or (), config)
    except BROKEN as error:
        raise TaskError(f"Invalid drawn region: {describe_broken(error)}") from None
    for region in reversed(regions):
        if next(iter(region.values)).to_name == target.name:
            yield region
