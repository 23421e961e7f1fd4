"""Says what comes nearest to control tags that nobody fills: a backend, or another control tag."""

from collections.abc import Callable, Iterable, Sequence

from shared.backend.base import Backend
from shared.label_studio.control_tag import WHOLE_TASK_TAGS
from shared.label_studio.label_config import Control, LabelConfig

# Control tags that say the same sort of thing, without their "Labels".
FAMILIES = (
    frozenset({"Choices", "Taxonomy"}),
    frozenset({"Rating", "Number", "DateTime", "TextArea"}),
    frozenset({"Pairwise", "Ranker"}),
    frozenset({"", "HyperText", "Paragraph", "TimeSeries", "Timeline"}),  # spans: "" is Labels
    frozenset(
        {"Rectangle", "Polygon", "Ellipse", "Brush", "Bitmask", "KeyPoint", "Vector"}
        | {"VideoRectangle"}
    ),
)
# Names that are listed of a backend; docs/tags.md has all of them.
MOST_NAMES = 4

Pair = tuple[str, str]
BackendLike = Backend | type[Backend]


def describe_nearest(
    config: LabelConfig,
    backends: Sequence[Backend],
    is_offered: Callable[[Control, Backend], bool],
    find_all: Callable[[], Iterable[type[Backend]]],
) -> str:
    """Return, for each pair of tags that nobody fills, what would; a clause for each.

    `is_offered` says whether a backend may claim a control tag, `find_all` returns the classes of
    all backends, those that do not serve included. Where a backend left a control tag that it
    could fill, it says elsewhere why.
    """
    if not backends:
        return "no backend is running"
    if not config.controls:
        return ""
    served = {backend.name for backend in backends}
    clauses: list[str] = []
    for control, target in config.tag_pairs():
        pair = (control.tag, target.tag)
        able = [backend for backend in backends if pair in backend.fills]
        if leaving := [backend.name for backend in able if is_offered(control, backend)]:
            clauses.append(f"{' and '.join(leaving)} {_fill(leaving)} {_write(pair)}, not this one")
        elif able:
            name = able[0].name
            clauses.append(f'{name} fills {_write(pair)} where model_backend="{name}" asks for it')
        else:
            others = [cls for cls in find_all() if cls.name not in served]
            clauses += _describe_pair(pair, backends, others)
    return "; ".join(dict.fromkeys(clauses)) or "none of them is on an object tag"


def _describe_pair(
    pair: Pair, backends: Sequence[Backend], others: Sequence[type[Backend]]
) -> Iterable[str]:
    """Yield which backend that does not serve would fill a pair, or else the nearest pairs."""
    able = [cls for cls in others if pair in cls.fills]
    if able:
        yield f"{able[0].name} fills {_write(pair)}: {_how_to_serve(able[0])}"
        return
    if near := _nearest(pair, backends):
        yield f"nearest to {_write(pair)} {_are(near)} {_write_groups(near)}"
    elif near := _nearest(pair, others):
        rest = "which does not serve here" if len(near) == 1 else "which do not serve here"
        yield f"nearest to {_write(pair)} {_are(near)} {_write_groups(near)}, {rest}"
    else:
        served = sorted({target for backend in backends for _, target in backend.fills})
        yield f"what serves here fills control tags on {', '.join(served)}"
    for cls in others:
        if cls.fills_rest:
            yield f"{cls.name} fills what others leave: {_how_to_serve(cls)}"


def _nearest(pair: Pair, backends: Iterable[BackendLike]) -> dict[str, list[str]]:
    """Return the control tags on the same object tag that are nearest, by backend."""
    control, target = pair
    ranked = [
        (_distance(control, other), backend.name, other)
        for backend in backends
        for other, shown in sorted(backend.fills)
        if shown == target
    ]
    least = min((distance for distance, _, _ in ranked), default=(0, False))
    found: dict[str, list[str]] = {}
    for distance, name, other in ranked:
        if distance == least:
            found.setdefault(name, []).append(other)
    return found


def _distance(one: str, other: str) -> tuple[int, bool]:
    """Return how far two control tags are apart, and whether only one of them has labels.

    0 for RectangleLabels and Rectangle, 1 in one family, 2 for both about regions or both about the
    whole task, else 3.
    """
    base, other_base = one.removesuffix("Labels"), other.removesuffix("Labels")
    differs = one.endswith("Labels") != other.endswith("Labels")
    if base == other_base:
        return 0, differs
    if any(base in family and other_base in family for family in FAMILIES):
        return 1, differs
    return 2 if (one in WHOLE_TASK_TAGS) == (other in WHOLE_TASK_TAGS) else 3, differs


def _how_to_serve(cls: type[Backend]) -> str:
    return (
        cls.unavailable_reason()
        or f"add {cls.name} to the names after `prelabel serve` or `--backend`"
    )


def _write(pair: Pair) -> str:
    return f"{pair[0]} on {pair[1]}"


def _write_groups(groups: dict[str, list[str]]) -> str:
    """Return tags with the backends that fill them; backends that fill the same ones together."""
    together: dict[tuple[str, ...], list[str]] = {}
    for backend, names in groups.items():
        together.setdefault(tuple(names), []).append(backend)
    return "; ".join(f"{_shorten(names)} ({', '.join(by)})" for names, by in together.items())


def _shorten(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _fill(names: Sequence[str]) -> str:
    return "fills" if len(names) == 1 else "fill"


def _are(groups: dict[str, list[str]]) -> str:
    return "is" if len({name for names in groups.values() for name in names}) == 1 else "are"
