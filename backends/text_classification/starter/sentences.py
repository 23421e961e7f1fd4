"""Generated sentences about four topics."""

import random
from pathlib import Path
from typing import Literal, NamedTuple

Split = Literal["train", "held_out"]
Lists = dict[str, dict[str, list[str]]]

LEADS = ("", "", "", "Yesterday ", "As we heard, ", "It is said that ", "Once again ", "Later ")
# Share of sentences with a part from another topic, so that no single word decides.
MIXED = 0.15


class Example(NamedTuple):
    """A sentence and its topic."""

    text: str
    topic: str


def read_topics() -> Lists:
    """Return the lists of `topics.txt` by topic and part."""
    found: Lists = {}
    topic = ""
    for line in Path(__file__).with_name("topics.txt").read_text("utf-8").splitlines():
        part, colon, entries = line.partition(": ")
        if colon and not line.startswith("#"):
            found[topic][part] = entries.split(", ")
        elif line and not line.startswith("#"):
            topic = line
            found[topic] = {}
    return found


def generate(count: int, seed: int, split: Split = "train") -> list[Example]:
    """Generate sentences; held-out ones combine who, does and what as no training one does."""
    rng, lists = random.Random(seed), read_topics()
    found: list[Example] = []
    while len(found) < count:
        topic = rng.choice(sorted(lists))
        places = [rng.randrange(len(lists[topic][part])) for part in ("who", "does", "what")]
        if (sum(places) % 5 == 0) == (split == "held_out"):
            found.append(Example(_sentence(rng, lists, topic, places), topic))
    return found


def _sentence(rng: random.Random, lists: Lists, topic: str, places: list[int]) -> str:
    parts = [
        lists[topic][part][place]
        for part, place in zip(("who", "does", "what"), places, strict=True)
    ]
    mixed = rng.choice(sorted(lists)) if rng.random() < MIXED else topic
    text = rng.choice(LEADS) + " ".join([*parts, rng.choice(lists[mixed]["where"])])
    return text[0].upper() + text[1:] + rng.choice([".", ".", "!", ""])
