"""What the editor draws of a prediction: read from its page, as drawn.js finds it there."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.editor.browser import EditorBrowser

Point = Sequence[float]
TRACK = "videorectangleregion"
# Frames of a video on which its tracks are looked at; each takes a quarter of a second.
MAX_FRAMES = 16


@dataclass(frozen=True)
class DrawnRegion:
    """One region as the page draws it; what does not apply to its kind is None."""

    id: str
    kind: str
    """The editor's name of its kind, empty for an answer about the whole task."""
    labels: Sequence[Any] = ()
    """Those that the region's control tags have."""
    colour: str | None = None
    hidden: bool = False
    item: int | None = None
    """The image among several, from 0; only the first is drawn."""
    size: Sequence[int] | None = None
    """Width and height of the image that the browser shows, in pixels."""
    points: Sequence[Point] | None = None
    """Pixels of the image: corners, ends of an ellipse's axes, points, or a key point's centre."""
    runs: Sequence[int] | None = None
    """Of a mask the lengths of the runs of pixels that are not and are covered, row by row."""
    text: str | None = None
    """The characters under the highlight."""
    name: str = ""
    boxes: int = 0
    """How many boxes the page draws for the highlight: one a line."""
    span: Sequence[float] | None = None
    """On sound in seconds; on a series in its own time, and the time that a pixel is wide."""
    bars: Sequence[Sequence[float]] | None = None
    """Frames of a video, first and last, under the timeline's bars."""


@dataclass(frozen=True)
class Drawing:
    """All that is drawn of a prediction."""

    regions: Mapping[str, DrawnRegion]
    chosen: Mapping[str, Sequence[Any]]
    """The choices that are checked, by the name of their Choices."""
    given_back: Sequence[Mapping[str, Any]]
    """The results as the editor writes them."""
    video_size: Sequence[int] | None = None
    tracks: Mapping[str, Mapping[int, Sequence[Point] | None]] = field(default_factory=dict)
    """The corners of each track's box by frame, in pixels of the video."""
    ranked: Sequence[Sequence[Any]] = ()
    """Each bucket's name and the ids of the items that stand in it, from top to bottom."""


def read_drawing(
    browser: EditorBrowser, index: int, results: Sequence[Mapping[str, Any]]
) -> Drawing:
    """Show a prediction of the task that is open, and read what is drawn of it.

    `results` are those that were sent: their key frames, and frames between them, are looked at.
    """
    given_back = browser.select(index)
    regions = _read_regions(browser)
    answered = browser.ask("() => prelabelDrawn.answered()")
    chosen, ranked = answered["chosen"], answered["ranked"]
    frames = frames_to_look_at(results)
    if not frames or not any(region.kind == TRACK for region in regions.values()):
        return Drawing(regions, chosen, given_back, ranked=ranked)
    tracks = browser.ask("(frames) => prelabelDrawn.tracks(frames)", frames)
    places = {
        name: {int(frame): place for frame, place in by_frame.items()}
        for name, by_frame in tracks["places"].items()
    }
    return Drawing(regions, chosen, given_back, tracks["size"], places, ranked)


def _read_regions(browser: EditorBrowser) -> dict[str, DrawnRegion]:
    found = [DrawnRegion(**region) for region in browser.ask("() => prelabelDrawn.drawn()")]
    return {region.id: region for region in found}


def frames_to_look_at(results: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the key frames of the tracks and the frames in the middle between two, from 1."""
    found: set[int] = set()
    for result in results:
        sequence = result.get("value", {}).get("sequence") or []
        frames = sorted(int(keyframe["frame"]) for keyframe in sequence)
        found.update(frames)
        found.update((one + other) // 2 for one, other in itertools.pairwise(frames))
    ordered = sorted(found)
    step = -(-len(ordered) // MAX_FRAMES) or 1
    return sorted({*ordered[::step], *ordered[-1:]})
