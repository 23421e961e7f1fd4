"""Sentences about medicines and doses, both of which no starter model knows."""

import random
from dataclasses import dataclass
from string import Formatter
from typing import Any

LABELS = ("Medicine", "Dose")
LABEL_CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Labels name="kind" toName="text">
    <Label value="Medicine" background="#1971c2"/>
    <Label value="Dose" background="#e8590c"/>
  </Labels>
</View>
"""

# Names are made of syllables, so that most of an unseen sentence were never seen in training.
STARTS = ("Lor", "Met", "Ami", "Zol", "Cef", "Par", "Vera", "Ome", "Dex", "Flu", "Nar", "Tri")
MIDDLES = ("a", "o", "ba", "ri", "xi", "pra", "lo", "ta", "ze", "mi", "co", "ve")
ENDS = ("zin", "pril", "mab", "statin", "cillin", "tol", "zole", "dine", "pam", "vir", "mide")
UNITS = ("mg", "ml", "mcg", "g", "drops", "tablets", "puffs", "units", "capsules")
PEOPLE = ("Mr Okafor", "Anna", "Dr Weber", "the patient", "Ms Rossi", "her father", "Tomasz")
PLACES = ("ward 4", "the clinic", "Room 12", "Lisbon", "the pharmacy", "St Mary's", "bed 7")
TIMES = ("twice a day", "every 8 hours", "at night", "for 7 days", "before meals", "until Friday")
PATTERNS = (
    "{Person} takes {dose} of {medicine} {time}.",
    "Please give {person} {medicine}, {dose}, {time}.",
    "{Medicine} was stopped in {place} after 3 days.",
    "We started {medicine} at {dose} and raised it to {dose} on 14 May.",
    "{Person} asked in {place} whether {medicine} can be taken with {other}.",
    "The dose of {dose} was too high for {person}, who weighs 61 kilos.",
    "{Person} came to {place} at 10 with a headache and left without a prescription.",
    "No change: {medicine} {dose} {time}, next visit in 6 weeks.",
    "After {dose} {person} felt better, so {medicine} goes on {time}.",
    "In {place} they had run out of {medicine}; {person} got {other} instead.",
    "{Medicine} ({dose}) {time}, and {other} only if {person} cannot sleep.",
    "Call {person} in {place} about the 2 letters from Monday.",
)


@dataclass(frozen=True)
class Sentence:
    """A text and its entities: first code point, last one (exclusive), label."""

    text: str
    spans: tuple[tuple[int, int, str], ...]

    def results(self) -> list[dict[str, Any]]:
        """Return the entities as an annotator's results for `LABEL_CONFIG`."""
        return [
            {
                "id": f"span{number}",
                "type": "labels",
                "from_name": "kind",
                "to_name": "text",
                "value": {
                    "start": start,
                    "end": end,
                    "text": self.text[start:end],
                    "labels": [label],
                },
            }
            for number, (start, end, label) in enumerate(self.spans)
        ]


def write_sentence(seed: int) -> Sentence:
    """Write a sentence with up to three entities."""
    rng = random.Random(seed)  # noqa: S311
    text, spans = "", []
    for before, field, _, _ in Formatter().parse(rng.choice(PATTERNS)):
        text += before
        if field:
            words, label = _fill(rng, field)
            if label:
                spans.append((len(text), len(text) + len(words), label))
            text += words
    return Sentence(text, tuple(spans))


def _fill(rng: random.Random, field: str) -> tuple[str, str]:
    """Return the words for a field, and their label, which is empty for no entity."""
    if field in {"medicine", "Medicine", "other"}:
        return rng.choice(STARTS) + rng.choice(MIDDLES) + rng.choice(ENDS), "Medicine"
    if field == "dose":
        number = rng.choice((rng.randint(1, 9), rng.randint(1, 20) * 25, rng.randint(0, 9) + 0.5))
        return f"{number} {rng.choice(UNITS)}", "Dose"
    words = rng.choice({"person": PEOPLE, "place": PLACES, "time": TIMES}[field.lower()])
    return (words[0].upper() + words[1:] if field.istitle() else words), ""
