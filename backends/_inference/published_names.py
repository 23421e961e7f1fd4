"""The weights that Ultralytics publishes, by name: what a label config may name unasked.

From the list of its release assets in ultralytics 8.4.190 (`ultralytics.utils.downloads`), which
`tests/backends/inference/test_published_names.py` compares with the installed one. It is kept here
so that reading a label config imports nothing.
"""

from collections.abc import Iterable

from shared.results.validation.finding import closest_name

# Names of families are alike: of a name of one's own none is meant.
MEANT_LIKENESS = 0.83
# Each family's sizes, and what stands after them. The empty ending is the plain detector.
_DETECTORS = (
    ("yolov3{}u", ("", "-spp", "-tiny"), ("",)),
    ("yolov5{}", "nsmlx", ("u", "6u")),
    ("yolov8{}", "nsmlx", ("", "-cls", "-seg", "-pose", "-obb", "-oiv7")),
    ("yolov8{}", "smlx", ("-world", "-worldv2")),
    ("yolov8{}", "x", ("-pose-p6",)),
    ("yolov9{}", "tsmce", ("",)),
    ("yolov9{}", "ce", ("-seg",)),
    ("yolov10{}", "nsmblx", ("",)),
    ("yolo11{}", "nsmlx", ("", "-cls", "-seg", "-pose", "-obb")),
    ("yolo11{}", "n", ("-grayscale",)),
    ("yolo12{}", "nsmlx", ("",)),
    ("yolo26{}", "nsmlx", ("", "-cls", "-seg", "-pose", "-obb", "-distill")),
    ("yolo26{}-objv1", "nsmlx", ("-150", "-seg")),
    ("yoloe-v8{}", "sml", ("-seg", "-seg-pf")),
    ("yoloe-11{}", "sml", ("-seg", "-seg-pf")),
    ("yoloe-26{}", "nsmlx", ("-seg", "-seg-pf")),
    ("rtdetr-{}", "lx", ("",)),
)
_SEGMENTERS = (
    ("sam_{}", "bl", ("",)),
    ("sam2_{}", "tsbl", ("",)),
    ("sam2.1_{}", "tsbl", ("",)),
    ("FastSAM-{}", "sx", ("",)),
)


def _names(families: tuple[tuple[str, str | tuple[str, ...], tuple[str, ...]], ...]) -> set[str]:
    return {
        f"{family.format(size)}{ending}.pt"
        for family, sizes, endings in families
        for size in sizes
        for ending in endings
    }


PUBLISHED_DETECTORS = frozenset(_names(_DETECTORS))
"""Networks that find, classify or outline objects."""
PUBLISHED_SEGMENTERS = frozenset(_names(_SEGMENTERS) | {"mobile_sam.pt"})
"""Networks that turn clicks and boxes into masks."""


def suggest_published(model: str, names: Iterable[str]) -> str:
    """Return a question after the name that was probably meant; "" where none is like it."""
    by_lower_case = {name.lower(): name for name in names}
    close = closest_name(model.lower(), by_lower_case, MEANT_LIKENESS)
    return f". Did you mean {by_lower_case[close]}?" if close else ""
