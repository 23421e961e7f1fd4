"""Names of people, organisations and places, listed and coined, in two disjoint splits."""

import random
from typing import Literal
from zlib import crc32

from backends.ner.starter.lists import read_lists

Split = Literal["train", "held_out"]

COINED = 0.4  # share of names that no list has


def read_names() -> dict[tuple[str, str], list[str]]:
    """The lists of names.txt by (kind, split)."""
    names: dict[tuple[str, str], list[str]] = {}
    for key, listed in read_lists("names.txt").items():
        kind, split = key.split()
        names[kind, split] = listed
    return names


def split_of(word: str) -> Split:
    """Which split a coined word belongs to: every fifth one is held out."""
    return "held_out" if crc32(word.encode()) % 5 == 0 else "train"


class Names:
    """Draws names of one split."""

    def __init__(self, rng: random.Random, split: Split, coined: float = COINED) -> None:
        lists = read_names()
        self.parts = read_lists("parts.txt")
        self.rng = rng
        self.split = split
        self.coined = coined
        self.lists = {kind: names for (kind, part), names in lists.items() if part == split}
        self.listed = {name for names in lists.values() for name in names}

    def part(self, name: str) -> str:
        return self.rng.choice(self.parts[name])

    def coin(self, kind: str) -> str:
        """A word that no list has: spliced of two listed names, or made of syllables."""
        while True:
            pool = self.lists.get(kind, [])
            word = self.splice(pool) if pool and self.rng.random() < 0.5 else self.syllables(kind)
            known = word in self.listed or split_of(word) != self.split
            if not known and 3 < len(word) < 13:
                return word

    def splice(self, pool: list[str]) -> str:
        """The head of one name and the tail of another: Whit|aker, Schn|berg."""
        head, tail = self.rng.choice(pool), self.rng.choice(pool)
        if not (head + tail).isalpha():
            return ""
        cut = (len(head) + self.rng.randint(0, 1)) // 2
        return head[:cut] + tail[(len(tail) + self.rng.randint(0, 1)) // 2 :].lower()

    def syllables(self, kind: str) -> str:
        """A word with an ending usual for its kind: Tarwick, Lunora."""
        stem = self.part("onsets") + self.part("middles")
        if self.rng.random() < 0.4:
            stem += self.part("codas") + self.rng.choice(self.parts["middles"][:10])
        word = stem + self.part("codas") + self.part(f"endings of {kind}")
        return word[0].upper() + word[1:]

    def draw(self, kind: str) -> str:
        """A listed name, or a coined one."""
        if kind not in self.lists or self.rng.random() < self.coined:
            return self.coin(kind)
        return self.rng.choice(self.lists[kind])

    def first(self) -> str:
        return self.draw("first")

    def last(self) -> str:
        roll = self.rng.random()
        name = self.draw("last")
        if roll < 0.05:
            return f"{name}-{self.draw('last')}"
        if roll < 0.09:
            return f"{self.rng.choice(['van', 'von', 'de', 'di', 'van der', 'de la'])} {name}"
        return name

    def initial(self) -> str:
        return self.rng.choice("ABCDEFGHJKLMNPRSTVW") + "."

    def full(self) -> str:
        """A first and a last name, at times with initials or a second first name."""
        roll = self.rng.random()
        if roll < 0.06:
            return f"{self.first()} {self.initial()} {self.last()}"
        if roll < 0.10:
            return f"{self.initial()} {self.last()}"
        if roll < 0.12:
            return f"{self.initial()} {self.initial()} {self.last()}"
        if roll < 0.17:
            return f"{self.first()} {self.first()} {self.last()}"
        if roll < 0.19:
            return f"{self.first()}-{self.first()} {self.last()}"
        return f"{self.first()} {self.last()}"

    def brand(self) -> str:
        """A company's short name: listed, coined, or two words in one."""
        if self.rng.random() < 0.12:
            while True:
                word = "".join(self.rng.sample(self.parts["compounds"], 2))
                word = word if self.rng.random() < 0.7 else word.capitalize()
                if split_of(word) == self.split and word not in self.listed:
                    return word
        return self.draw("brand")

    def acronym(self) -> str:
        while True:
            letters = self.rng.choices("ABCDEFGHIKLMNOPRSTUVW", k=self.rng.choice([3, 3, 4, 4, 5]))
            word = "".join(letters)
            if split_of(word) == self.split and word not in self.listed:
                return word

    def organisation(self) -> str:
        """Any organisation, also one whose name does not tell that it is one."""
        roll = self.rng.random()
        if roll < 0.4:
            return self.brand()
        return self.body() if roll < 0.5 else self.firm()

    def body(self) -> str:
        """What mostly follows "the": World Bank, University of Leeds."""
        if self.rng.random() < 0.6:
            return self.rng.choice(self.lists["body"])
        return self.institution()

    def firm(self) -> str:
        """An organisation whose name tells that it is one."""
        roll = self.rng.random()
        if roll < 0.45:
            comma = "," if self.rng.random() < 0.06 else ""
            return f"{self.brand()}{comma} {self.part('suffixes')}"
        if roll < 0.6:
            return f"{self.brand()} {self.part('industries')}"
        return self.acronym() if roll < 0.72 else self.institution()

    def institution(self) -> str:
        """A name made of a person's or a place's name and a usual word: "Bank of Oslo"."""
        last, city = self.draw("last"), self.draw("city")
        field = self.part("fields")
        patterns = [
            f"{last} & {self.rng.choice(['Sons', 'Co.', 'Partners', 'Daughters', 'Company'])}",
            f"{last} and {self.rng.choice(['Sons', 'Partners', 'Company'])}",
            f"{last} & {self.draw('last')}",
            f"{last} Brothers",
            f"{last} {self.rng.choice(['Foundation', 'Institute', 'Group', 'College', 'Trust'])}",
            f"{last} {self.part('industries')}",
            f"Bank of {city}",
            f"University of {city}",
            f"University of {city}",
            f"{city} University",
            f"Technical University of {city}",
            f"{city} {self.part('bodies')}",
            f"{city} {self.part('clubs')}",
            f"{city} {self.part('papers')}",
            f"{self.rng.choice(['Ministry', 'Department'])} of {field}",
            f"{self.rng.choice(['National', 'Federal', 'Royal'])} {self.part('industries')}",
        ]
        return self.rng.choice(patterns)

    def city(self) -> str:
        roll = self.rng.random()
        name = self.draw("city")
        if roll < 0.07:
            lead = self.rng.choice(
                ["New", "San", "Santa", "Saint", "St.", "Port", "Fort", "Bad", "El"]
            )
            return f"{lead} {self.coin('city')}"
        if roll < 0.10:
            return (
                f"{name} {self.rng.choice(['Beach', 'City', 'Springs', 'Falls', 'Hills', 'Bay'])}"
            )
        return name

    def country(self) -> str:
        return self.draw("country")

    def place(self) -> str:
        roll = self.rng.random()
        if roll < 0.45:
            return self.city()
        if roll < 0.68:
            return self.country()
        if roll < 0.82:
            return self.rng.choice(self.lists["region"])
        return self.landmark()

    def landmark(self) -> str:
        """A river, lake, street, airport and the like, named after something."""
        name = self.coin("city") if self.rng.random() < 0.5 else self.draw("last")
        city = self.draw("city")
        patterns = [
            f"Lake {name}",
            f"Mount {name}",
            f"{name} River",
            f"River {name}",
            f"{name} Valley",
            f"{name} Mountains",
            f"{name} Island",
            self.street(),
            self.street(),
            f"{name} Square",
            f"{name} Park",
            f"{name} Bridge",
            f"Gulf of {name}",
            f"Port of {city}",
            f"{city} Airport",
            f"{city} Central Station",
            f"{name} County",
        ]
        return self.rng.choice(patterns)

    def street(self) -> str:
        kind = self.rng.choice(["Street", "Road", "Avenue", "Lane", "Drive", "St", "Boulevard"])
        return f"{self.draw('last')} {kind}"
