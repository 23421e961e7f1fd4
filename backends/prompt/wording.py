"""How control tags are put into words for a model."""

from collections.abc import Callable, Iterator, Mapping

from backends.prompt.answer_schema.boxes import draws_boxes
from backends.prompt.answer_schema.dates import DateKind, date_kind
from backends.prompt.answer_schema.fields import max_rating, takes_several, takes_several_texts
from backends.prompt.answer_schema.names import choice_paths
from backends.prompt.answer_schema.spans import draws_spans, label_names
from shared.backend import Control, LabelConfig
from shared.label_studio.attributes import Attributes
from shared.label_studio.control_tag import Condition

DATE_FORMS: Mapping[DateKind, str] = {
    "date": "a date as YYYY-MM-DD",
    "time": "a time of day as HH:MM",
    "year": "a year as YYYY",
    "date-time": "a date and time as YYYY-MM-DDTHH:MM",
}
# Attributes that say what a label means.
HINTS = ("model_prompt", "hint", "description")


def describe_value(control: Control, config: LabelConfig) -> str:
    """Return what the value of a control tag is, in words."""
    describe = _VALUES.get(control.tag)
    if describe is not None:
        return describe(control, config)
    which = "the task's labels" if control.labels_from_task else "these labels"
    if draws_boxes(control, config) and not draws_spans(control, config):
        return f"Everything in {control.to_name} that one of {which} fits, with its box"
    return f"Every passage of {control.to_name} that one of {which} fits"


def describes_pictures(control: Control, config: LabelConfig) -> bool:
    """Return whether a control tag describes the pictures of a list one by one (`perItem`)."""
    target = config.objects.get(control.to_name)
    listed = target is not None and target.tag == "Image" and target.is_list
    return listed and control.get_flag("perItem")


def describe_labels(control: Control) -> Iterator[str]:
    """Yield a line for each label or choice of the label config; none for those of a task."""
    if control.labels_from_task or control.dynamic:
        return
    names: Mapping[str, Mapping[str, str]]
    if control.tag in {"Choices", "Taxonomy"}:
        names = {name: control.paths[path] for name, path in choice_paths(control).items()}
    else:
        names = {name: control.labels[label] for name, label in label_names(control).items()}
    for name, attrs in names.items():
        hint = " ".join(_hints(Attributes.from_mapping(attrs)))
        yield f"- {name}: {hint}" if hint else f"- {name}"


def describe_condition(condition: Condition) -> str:
    """Return when a control tag is to be answered, in words; nothing if that says itself."""
    if condition.when == "region-selected":
        kinds = " or ".join(condition.labels or condition.roles)
        return f"Only for {kinds}" if kinds else ""
    if not condition.when.startswith("choice-"):
        return ""
    where = f' in "{condition.tag_name}"' if condition.tag_name else ""
    what = " or ".join(f'"{choice}"' for choice in condition.choices) or "anything"
    if condition.when == "choice-unselected":
        return f"Only if not {what} is chosen{where}; otherwise null"
    return f"Only if {what} is chosen{where}; otherwise null"


def _hints(attrs: Mapping[str, str]) -> Iterator[str]:
    for key in HINTS:
        if text := attrs.get(key, "").strip():
            yield " ".join(text.split())


def _describe_choices(control: Control, config: LabelConfig) -> str:
    which = "these" if not (control.labels_from_task or control.dynamic) else "the task's choices"
    if takes_several(control):
        most = control.attrs.get("maxUsages", "").strip()
        limit = f", {most} at most" if most else ""
        return f"All of {which} that apply{limit}"
    return f"One of {which}"


def _describe_rating(control: Control, config: LabelConfig) -> str:
    return f"A rating: a whole number from 1 to {max_rating(control)}"


def _describe_number(control: Control, config: LabelConfig) -> str:
    low, high = control.attrs.get("min"), control.attrs.get("max")
    bounds = f" from {low}" * bool(low) + f" up to {high}" * bool(high)
    return f"A number{bounds}"


def _describe_date(control: Control, config: LabelConfig) -> str:
    form = DATE_FORMS[date_kind(control)]
    return form[0].upper() + form[1:]


def _describe_text(control: Control, config: LabelConfig) -> str:
    if takes_several_texts(control):
        return f"Texts, {control.attrs['maxSubmissions'].strip()} at most"
    return "A text"


def _describe_pairwise(control: Control, config: LabelConfig) -> str:
    left, right = (*control.to_names, "", "")[:2]
    return f'Which of the two is preferred: "left" is {left}, "right" is {right}'


def _describe_ranker(control: Control, config: LabelConfig) -> str:
    if not control.buckets:
        return f"The ids of all items of {control.to_name}, the best one first"
    titles = {
        tag.attrs.get("name", ""): tag.attrs.get("title", "")
        for tag in config.written_tags()
        if tag.name == "Bucket"
    }
    buckets = (f'"{name}" ({title})' if (title := titles.get(name)) else f'"{name}"'
               for name in control.buckets)  # fmt: skip
    return (
        f"The ids of the items of {control.to_name} that belong into each of"
        f" {', '.join(buckets)}, the best one first; each item once"
    )


def _describe_messages(control: Control, config: LabelConfig) -> str:
    return f"What follows in {control.to_name}, as its roles write it"


_VALUES: Mapping[str, Callable[[Control, LabelConfig], str]] = {
    "Choices": _describe_choices,
    "Taxonomy": _describe_choices,
    "Rating": _describe_rating,
    "Number": _describe_number,
    "DateTime": _describe_date,
    "TextArea": _describe_text,
    "Pairwise": _describe_pairwise,
    "Ranker": _describe_ranker,
    "Chat": _describe_messages,
}
