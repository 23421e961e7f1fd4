"""The attributes of a tag, in any spelling."""

from collections.abc import Iterable, Iterator, Mapping


class Attributes(Mapping[str, str]):
    """The attributes of one tag, found by their names in any case.

    Label Studio's editor lowers every attribute name before it reads a tag, so `framerate`,
    `frameRate` and `FrameRate` are one attribute; of two spellings in one tag the last counts.
    Iteration yields names in lower case.
    """

    __slots__ = ("_values",)

    def __init__(self, attrs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        """Copy attributes that are written in any case."""
        pairs = attrs.items() if isinstance(attrs, Mapping) else attrs
        self._values = {name.lower(): value for name, value in pairs}

    @classmethod
    def from_mapping(cls, attrs: Mapping[str, str]) -> "Attributes":
        """Return the mapping itself if it is of this class already, else a copy."""
        return attrs if isinstance(attrs, cls) else cls(attrs)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._values == {str(name).lower(): value for name, value in other.items()}

    __hash__ = None  # type: ignore[assignment]  # equal to mappings that have no hash either

    def __repr__(self) -> str:
        return f"Attributes({self._values!r})"
