"""The model card of a trained version: `README.md`, as Hugging Face shows it.

It says what was learned, how good it is and where it may fail; and nothing of the tasks, of who
annotated them, or of where they are kept.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from shared.errors import escape_control
from shared.evaluation.dataset.manifest import Manifest
from shared.evaluation.dataset.options import SPLIT_NAMES
from shared.evaluation.figures import (
    NO_CASES,
    Figure,
    FigureRow,
    column_keys,
    control_rows,
    figure_name,
    label_rows,
)
from shared.label_studio.label_config import Control, ObjectTag
from shared.training.front_matter import build_model_index, find_pipeline_tag, render_front_matter
from shared.training.version_store import VersionStore

CARD_FILE = "README.md"
TEMPLATE = "README.md.j2"
# A label with fewer examples in the training, or fewer cases in the held-out tasks, is named under
# "Limits". From as many cases on the gate asks whether a label's recall has collapsed.
FEW_CASES = 20
# Settings that the card lists; settings.json has all.
MAX_SETTINGS = 40
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~])")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
# Tags that stand inside the tag of a control with labels.
_LABEL_TAGS = {"Choices": "Choice", "Taxonomy": "Choice"}


@dataclass(frozen=True)
class CardFacts:
    """What a model card tells: see `Leavings`; `pictures` are the names of the files drawn."""

    control: Control
    target: ObjectTag
    backend: str
    labels: Sequence[str]
    snapshot: str
    manifest: Manifest
    gate: Mapping[str, Any]
    settings: Mapping[str, Any]
    created: str
    pictures: Sequence[str] = ()
    epochs: int = 0

    @property
    def title(self) -> str:
        """The name of the model."""
        return f"{self.control.name}: {self.control.tag} on {self.target.tag}, by {self.backend}"


@dataclass(frozen=True)
class LabelExamples:
    """How often a label was given in each part of the dataset."""

    name: str
    counts: Mapping[str, int]

    def count(self, part: str) -> int:
        """Return how often it was given in a part."""
        return self.counts.get(part, 0)


def render_card(facts: CardFacts) -> str:
    """Return the text of the card, with its front matter."""
    candidate = _read_rows(facts.control, facts.gate.get("candidate"))
    examples = count_examples(facts)
    body: str = (
        _create_environment()
        .get_template(TEMPLATE)
        .render(
            facts=facts,
            manifest=facts.manifest,
            parts=[part for part in SPLIT_NAMES if part in facts.manifest.counts],
            examples=examples,
            limits=find_limits(examples, facts),
            rows=_compare_rows(candidate, _read_rows(facts.control, facts.gate.get("serving"))),
            keys=column_keys(candidate[1:]),
            label_rows=candidate[1:],
            tasks=candidate[0].tasks if candidate else None,
            folder=VersionStore(Path()).control_folder("", facts.control.name).name,
            label_config=sample_config(facts.control, facts.target, facts.labels),
            settings=_plain_settings(facts.settings),
            libraries=facts.settings.get("libraries", {}),
        )
    )
    return _front_matter(facts, candidate) + "\n" + body


def count_examples(facts: CardFacts) -> list[LabelExamples]:
    """Return how often each label that was learned stands in each part of the dataset."""
    counted = facts.manifest.labels.get(facts.control.name, {})
    return [LabelExamples(label, counted.get(label, {})) for label in facts.labels]


def find_limits(examples: Sequence[LabelExamples], facts: CardFacts) -> list[str]:
    """Return what the model has seen too little of, one sentence of Markdown each."""
    few = [one for one in examples if one.count("train") < FEW_CASES]
    unproven = [one for one in examples if one.count("test") < FEW_CASES]
    unknown = [label for label in facts.control.labels if label not in facts.labels]
    limits = []
    if few:
        named = ", ".join(f"{escape_markdown(one.name)} ({one.count('train')})" for one in few)
        limits.append(f"Fewer than {FEW_CASES} examples were learned of: {named}.")
    if unproven:
        named = ", ".join(f"{escape_markdown(one.name)} ({one.count('test')})" for one in unproven)
        limits.append(
            f"The figures stand on fewer than {FEW_CASES} held-out cases of: {named}. Where that"
            " is none, nothing is known of how good the model is."
        )
    if unknown:
        named = ", ".join(map(escape_markdown, unknown))
        limits.append(f"Labels of the label config that were not learned: {named}.")
    return limits


def sample_config(control: Control, target: ObjectTag, labels: Sequence[str]) -> str:
    """Return a label config that the model fills: its control tag and labels, and nothing else."""
    inner = _LABEL_TAGS.get(control.tag, "Label")
    lines = [f"    <{inner} value={quoteattr(label)}/>" for label in labels]
    key = quoteattr(f"${target.key or target.name}")
    names = f"name={quoteattr(control.name)} toName={quoteattr(target.name)}"
    shown = f"  <{target.tag} name={quoteattr(target.name)} value={key}/>"
    opened = f"  <{control.tag} {names}>"
    return "\n".join(["<View>", shown, opened, *lines, f"  </{control.tag}>", "</View>"])


def escape_markdown(text: str) -> str:
    """Return a user's text so that Markdown and HTML show it as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", escape_control(text)).replace("&", "&amp;")


def _plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a table shows, those of the trainer last."""
    given = {**settings, **settings.get("trainer", {})}
    plain = (pair for pair in given.items() if isinstance(pair[1], str | int | float))
    return dict(islice(plain, MAX_SETTINGS))


def _front_matter(facts: CardFacts, candidate: Sequence[FigureRow]) -> str:
    task = find_pipeline_tag(facts.control, facts.target)
    index = None
    if candidate and candidate[0].figures:
        index = build_model_index(facts.title, task or facts.control.tag, candidate[0])
    return render_front_matter(
        {
            "library_name": facts.settings.get("library"),
            "pipeline_tag": task,
            "base_model": _hub_name(facts.settings.get("base_model")),
            "tags": ["prelabel", "label-studio", facts.backend, facts.control.tag],
            "model-index": index,
        }
    )


def _hub_name(base: Any) -> str | None:
    """Return the name of a model on Hugging Face; None for a file, which has no page there."""
    return base if isinstance(base, str) and _HUB_NAME.fullmatch(base) else None


def _read_rows(control: Control, part: Mapping[str, Any] | None) -> list[FigureRow]:
    """Return the row of a control tag and those of its labels; none without figures."""
    if not part:
        return []
    version = {"controls": {control.name: part}}
    return [*control_rows(version), *label_rows(version, control.name)]


def _compare_rows(
    candidate: Sequence[FigureRow], serving: Sequence[FigureRow]
) -> list[tuple[str, str, str]]:
    """Return each figure of the control tag: its name, this model's, and that of the one before."""
    own = candidate[0].figures if candidate else {}
    before = serving[0].figures if serving else {}
    keys = column_keys([*candidate[:1], *serving[:1]])
    return [(figure_name(key), _cell(own.get(key)), _cell(before.get(key))) for key in keys]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return NO_CASES
    interval = figure.format_interval()
    return figure.format_value() + (f" ({interval})" if interval else "")


@cache
def _create_environment() -> Any:
    import jinja2

    environment: Any = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=False,  # noqa: S701  # Markdown: users' texts go through escape_markdown
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = lambda value: escape_markdown(str(value))
    environment.filters["shell"] = lambda name: shlex.quote(escape_control(name))
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["figure"] = _cell
    environment.filters["figure_name"] = figure_name
    return environment
