"""Object tags: what a label config shows of a task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shared.label_studio.attributes import Attributes


@dataclass(frozen=True, eq=False)
class ObjectTag:
    """An object tag, which shows what is annotated: `<Image name="image" value="$photo"/>`.

    `key` is the key of the task's data (`photo`), `None` when the tag's value is not one variable
    alone: a fixed text, or several of them joined (`$first: $second`).
    """

    tag: str
    name: str
    key: str | None
    attrs: Mapping[str, str] = field(default_factory=Attributes)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", Attributes.from_mapping(self.attrs))

    def __str__(self) -> str:
        return f'{self.tag} "{self.name}"'

    @cached_property
    def is_list(self) -> bool:
        """Whether the value is a list of media (`valueList`)."""
        return "valueList" in self.attrs

    @cached_property
    def value_is_url(self) -> bool:
        """Whether the task holds an address instead of the text itself (`valueType="url"`)."""
        return self.attrs.get("valueType") == "url"

    @cached_property
    def encoding(self) -> str:
        """How the task encodes a text (`base64`, `base64unicode`); empty if it does not."""
        return self.attrs.get("encoding", "")

    @property
    def is_inline(self) -> bool:
        """Whether a HyperText is shown in the editor's own page, not in a frame."""
        return self.attrs.get("inline") == "true"

    @property
    def value(self) -> str:
        """The value as it is written: `$photo`. For images, `valueList` comes before `value`."""
        names = ("valueList", "value") if self.tag == "Image" else ("value", "valueList")
        written = next((self.attrs[name] for name in names if self.attrs.get(name)), None)
        return written if written is not None else f"${self.key}" if self.key is not None else ""

    @property
    def shown_value(self) -> str:
        """What the tag shows, for messages: the key, or the value if that is more than a key."""
        return f'"{self.key}"' if self.key is not None else f'value="{self.value}"'
