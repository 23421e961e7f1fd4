"""Small pipelines of spaCy, trained or written here, as folders that `nlp.to_disk` makes."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

NAMES = ("Ann Lee", "Bo Chan", "Carl", "Dora Kay", "Emil")
FIRMS = ("Northwind", "Acme Systems", "Globex", "Initech", "Umbra")
SENTENCES = (
    "{} works for {}.",
    "Yesterday {} called {} about it.",
    "The new head of sales, {}, left {} in May.",
    "Nobody at the office knew {} or {}.",
)


def sample(draw: random.Random) -> tuple[str, dict[str, list[tuple[int, int, str]]]]:
    """Return a sentence about a person and a firm, and where these are."""
    template, name, firm = draw.choice(SENTENCES), draw.choice(NAMES), draw.choice(FIRMS)
    text = template.format(name, firm)
    places = [(text.index(word), word, kind) for word, kind in ((name, "PERSON"), (firm, "ORG"))]
    spans = [(start, start + len(word), kind) for start, word, kind in places]
    return text, {"entities": spans, "spans": {"sc": spans}}  # type: ignore[dict-item]


def save_pipeline(kind: str, folder: Path) -> Path:
    """Save a pipeline of one of the kinds in `BUILDERS`."""
    import spacy

    random.seed(0)
    nlp = spacy.blank("en")
    BUILDERS[kind](nlp)
    nlp.to_disk(folder)
    return folder


def _add_trained(component: str, steps: int) -> Callable[[Any], None]:
    def add(nlp: Any) -> None:
        from spacy.training import Example
        from spacy.util import fix_random_seed

        fix_random_seed(0)
        nlp.add_pipe("sentencizer")
        nlp.add_pipe(component, config=SMALL.get(component, {}))
        draw = random.Random(0)
        examples = [
            Example.from_dict(nlp.make_doc(text), spans)
            for text, spans in (sample(draw) for _ in range(24))
        ]
        optimizer = nlp.initialize(lambda: examples)
        for _ in range(steps):
            nlp.update(examples, sgd=optimizer)

    return add


def _add_rules(nlp: Any) -> None:
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([
        {"label": "ORG", "pattern": "Northwind"},
        {"label": "E-MAIL", "pattern": [{"LIKE_EMAIL": True}]},
    ])  # fmt: skip


def _add_untrained(*components: str) -> Callable[[Any], None]:
    def add(nlp: Any) -> None:
        for component in components:
            pipe = nlp.add_pipe(component)
            if component != "entity_ruler":
                pipe.add_label("X")
        nlp.initialize()

    return add


SMALL: Mapping[str, Mapping[str, Any]] = {"spancat": {"threshold": 0.3}}
BUILDERS: Mapping[str, Callable[[Any], None]] = {
    "ner": _add_trained("ner", 20),
    "spancat": _add_trained("spancat", 15),
    "rules": _add_rules,
    "tagger": _add_untrained("tagger"),
    "tagger-ner": _add_untrained("tagger", "ner"),
    "tagger-rules": _add_untrained("tagger", "ner", "entity_ruler"),
}
