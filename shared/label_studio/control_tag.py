"""Control tags: what annotators fill in, with its labels and choices."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from shared.errors import ConfigError
from shared.label_studio.attributes import Attributes

# Control tags that describe the whole task, unless they are `perRegion`.
WHOLE_TASK_TAGS = frozenset(
    ("Choices", "Taxonomy", "TextArea", "Rating", "Number", "DateTime", "Pairwise", "Ranker")
)

# The type of a control tag's results, where it is not the tag's name.
RESULT_TYPES = {"Chat": "chatmessage"}
# The key of a control tag's own value in a result's `value`, where it is not the result's type.
VALUE_KEYS = {"textarea": "text", "pairwise": "selected", "videorectangle": "labels"}

# The names on the way to a nested choice, from the outermost to its own.
ChoicePath = tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """When the editor shows a tag: its `visibleWhen`, or that of a tag around it.

    - `when`: "choice-selected", "choice-unselected", "region-selected" or "no-region-selected"
    - `tag_name`: the control tag whose choice or region is meant (`whenTagName`); empty: any
    - `choices`, `labels`, `roles`: one of them must be chosen, or be the region's; empty: any
    """

    when: str
    tag_name: str = ""
    choices: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Control:
    """A control tag, which annotates an object tag: `<RectangleLabels name="a" toName="image">`.

    - `labels`: the attributes of each label's tag, by the name that stands in results (its alias,
      or else its value)
    - `dynamic`: whether a task brings further labels; `labels_from_task`: whether they have been
      added (`with_task_labels`), and `label_faults`: those that the editor cannot show
    - `paths`: the attributes of each nested choice, by the names on the way to it
    - `buckets`: the names of a Ranker's buckets; `default_bucket`: that of items nobody ranked
    - `repeated`: whether it stands in a Repeater, of which the editor shows one for each list item
    - `header`: the text of the Header before it, if no other named tag stands between
    - `conditions`: all of them hold where the editor shows it
    """

    tag: str
    name: str
    to_name: str
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    attrs: Mapping[str, str] = field(default_factory=Attributes)
    dynamic: bool = False
    paths: Mapping[ChoicePath, Mapping[str, str]] = field(default_factory=dict)
    buckets: tuple[str, ...] = ()
    repeated: bool = False
    labels_from_task: bool = False
    label_faults: tuple[str, ...] = ()
    to_names: tuple[str, ...] = ()
    """The names of all object tags that it is on (`toName="a,b"`); `to_name` is the one meant."""
    header: str = ""
    conditions: tuple[Condition, ...] = ()
    default_bucket: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "to_names", self.to_names or (self.to_name,))
        if (
            not self.labels_from_task
        ):  # those of a task are shared by all control tags that list them
            labels = {label: Attributes.from_mapping(attrs) for label, attrs in self.labels.items()}
            object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "attrs", Attributes.from_mapping(self.attrs))

    @cached_property
    def type(self) -> str:
        """The `type` of its results: `rectanglelabels`."""
        return RESULT_TYPES.get(self.tag, self.tag.lower())

    @cached_property
    def value_key(self) -> str:
        """The key in a result's `value` that holds the control tag's own value."""
        return VALUE_KEYS.get(self.type, self.type)

    @cached_property
    def names_labels(self) -> bool:
        """Whether its value is a list of names: of labels or of choices."""
        return self.type.endswith("labels") or self.type in {"choices", "videorectangle"}

    @cached_property
    def choice_paths(self) -> Mapping[str, ChoicePath]:
        """The path to each nested choice, by its name, or by "A/B" where names are ambiguous."""
        alike = Counter(path[-1] for path in self.paths)
        return {path[-1] if alike[path[-1]] == 1 else "/".join(path): path for path in self.paths}

    def on_object(self, to_name: str) -> "Control":
        """Return the same control tag as it is on another of its object tags."""
        if to_name == self.to_name or to_name not in self.to_names:
            return self
        known = self._on_other_objects.get(to_name)
        return known or self._on_other_objects.setdefault(to_name, replace(self, to_name=to_name))

    @cached_property
    def _on_other_objects(self) -> "dict[str, Control]":
        return {}

    @property
    def answers_once(self) -> bool:
        """Whether the editor takes a single value of it, however many object tags it is on."""
        return self.tag in WHOLE_TASK_TAGS and not self.per_region

    @property
    def has_labels(self) -> bool:
        """Whether it has labels, including those that a task will bring."""
        return bool(self.labels) or self.dynamic or self.labels_from_task

    @property
    def per_region(self) -> bool:
        """Whether it describes single regions rather than the whole task."""
        return self.get_flag("perRegion")

    @cached_property
    def has_nested_choices(self) -> bool:
        """Whether its choices are nested, so that each value is a path."""
        return self.tag == "Taxonomy" or (self.tag == "Choices" and self.get_flag("allowNested"))

    @property
    def is_remote(self) -> bool:
        """Whether the editor fetches its choices from an address (`apiUrl`)."""
        return bool(self.attrs.get("apiUrl"))

    def get_flag(self, key: str, default: bool = False) -> bool:
        """Return an attribute as a boolean."""
        text = self.attrs.get(key)
        return default if text is None else text.strip().lower() in {"true", "1", "yes"}

    def get_number(self, key: str, default: float, low: float, high: float) -> float:
        """Return an attribute as a number; ConfigError if it is not one from `low` to `high`."""
        text = self.attrs.get(key)
        if text is None or not text.strip():
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ConfigError(
                f'{self.tag} "{self.name}": {key}="{text}" should be a number'
                f" from {low:g} to {high:g}",
                self.name,
            )
        return value

    def __str__(self) -> str:
        return f'{self.tag} "{self.name}"'


def takes_labels(tag: str) -> bool:
    """Return whether a control tag of this name has labels or choices."""
    return tag.endswith("Labels") or tag in {"Choices", "Taxonomy"}
