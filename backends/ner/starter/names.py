"""Names of people, organisations and places, listed or coined, in two disjoint splits."""

import random
from typing import Literal
from zlib import crc32

from backends.ner.starter.lists import read_lists

Split = Literal["train", "held_out"]

COINED = 0.4  # share of names that are in no list


def read_names() -> dict[tuple[str, str], list[str]]:
    """Return the lists of names.txt by (kind, split)."""
    names: dict[tuple[str, str], list[str]] = {}
    for key, listed in read_lists("names.txt").items():
        kind, split = key.split()
        names[kind, split] = listed
    return names


def split_of(word: str) -> Split:
    """Return the split of a coined word: by its checksum, every fifth one is held out."""
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
        """Coin a word that is in no list: spliced of two listed names, or made of syllables."""
        while True:
            pool = self.lists.get(kind, [])
            word = self.splice(pool) if pool and self.rng.random() < 0.5 else self.syllables(kind)
            known = word in self.listed or split_of(word) != self.split
            if not known and 3 < len(word) < 13:
                return word

    def splice(self, pool: list[str]) -> str:
        """Join the head of one name and the tail of another: Whit|aker, Schn|berg."""
        head, tail = self.rng.choice(pool), self.rng.choice(pool)
        if not (head + tail).isalpha():
            return ""
        cut = (len(head) + self.rng.randint(0, 1)) // 2
        return head[:cut] + tail[(len(tail) + self.rng.randint(0, 1)) // 2 :].lower()

    def syllables(self, kind: str) -> str:
        """Make a word with an ending that is usual for its kind: Tarwick, Lunora."""
        stem = self.part("onsets") + self.part("middles")
        if self.rng.random() < 0.4:
            stem += self.part("codas") + self.rng.choice(self.parts["middles"][:10])
        word = stem + self.part("codas") + self.part(f"endings of {kind}")
        return word[0].upper() + word[1:]

    def draw(self, kind: str) -> str:
        """Draw a listed name, or coin one."""
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
        if roll < 0.10:
            return f"{self.part('particles')} {name}"
        if roll < 0.115:
            return self.part("prefixes of last") + name
        return name

    def initial(self) -> str:
        return self.rng.choice("ABCDEFGHJKLMNPRSTVW") + "."

    def full(self) -> str:
        """Draw first and last name, sometimes with initials, further names or a suffix."""
        roll = self.rng.random()
        first, second, last = self.first(), self.first(), self.last()
        forms = {
            0.06: f"{first} {self.initial()} {last}",
            0.10: f"{self.initial()} {last}",
            0.12: f"{self.initial()} {self.initial()} {last}",
            0.17: f"{first} {second} {last}",
            0.19: f"{first}-{second} {last}",
            0.20: f"{self.initial()}{self.initial()} {last}",
            0.22: f"{first} {last} {self.rng.choice(['Jr.', 'Jr', 'Sr.', 'II', 'III'])}",
            0.24: f"{first} {self.draw('last')} {last}",
        }
        return next((form for limit, form in forms.items() if roll < limit), f"{first} {last}")

    def brand(self) -> str:
        """Draw a company's short name: listed, coined, of two words, or in a foreign form."""
        roll = self.rng.random()
        if roll < 0.05:
            return f"{self.part('leads of brands')} {self.draw('brand')}"
        if roll < 0.08:
            return f"{self.draw('last')}'s"
        if roll < 0.18:
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
        """Draw any organisation; its name need not tell that it is one."""
        roll = self.rng.random()
        if roll < 0.4:
            return self.brand()
        return self.body() if roll < 0.5 else self.firm()

    def body(self) -> str:
        """Draw an organisation that mostly follows "the": World Bank, University of Leeds."""
        if self.rng.random() < 0.6:
            return self.rng.choice(self.lists["body"])
        return self.institution()

    def firm(self) -> str:
        """Draw an organisation whose name tells that it is one."""
        roll = self.rng.random()
        if roll < 0.45:
            comma = "," if self.rng.random() < 0.06 else ""
            return f"{self.brand()}{comma} {self.part('suffixes')}"
        if roll < 0.6:
            return f"{self.brand()} {self.part('industries')}"
        return self.acronym() if roll < 0.72 else self.institution()

    def institution(self) -> str:
        """Draw a person's or a place's name with a usual word: "Bank of Oslo"."""
        last, city = self.draw("last"), self.draw("city")
        field = self.part("fields")
        region, country = self.rng.choice(self.lists["region"]), self.country()
        patterns = [
            f"Bank of {country}",
            f"{country} {self.part('bodies')}",
            f"{region} {self.part('authorities')}",
            f"{city} {self.part('authorities')}",
            f"{self.part('ranks')} {self.part('authorities')}",
            f"{self.part('ranks')} {self.part('learned bodies')} of {self.part('fields')}",
            f"{self.part('learned bodies')} of {self.part('fields')}",
            f"{self.part('learned bodies')} of {city}",
            f"{city} {self.part('learned bodies')} of {self.part('fields')}",
            f"{last} {self.part('learned bodies')}",
            f"{self.part('foreign bodies')} {city}",
            f"{self.part('foreign bodies')} {last}",
            f"{self.part('fields')} {self.part('authorities')}",
            f"{last}, {self.draw('last')} & {self.draw('last')}",
            f"{self.first()} {last} {self.rng.choice(['Foundation', 'Trust', 'Ltd', 'Institute'])}",
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
        """Draw a river, lake, street, airport or the like, named after something."""
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
            f"{name} Islands",
            f"Isle of {name}",
            f"Cape {name}",
            f"{name} Bay",
            f"{name} Falls",
            f"{name} Forest",
            f"{name} Peninsula",
            f"Strait of {name}",
            f"{self.part('compass points')} {self.rng.choice(self.lists['region'])}",
            f"{self.part('compass points')} {name}",
            f"Upper {name}",
            f"St. {self.first()}",
            f"{city}-{self.coin('city')}",
            f"Port {name}",
            f"{self.part('foreign stations')} {city}",
            f"{name} Stadium",
        ]
        return self.rng.choice(patterns)

    def street(self) -> str:
        """Draw a street, named after a person, a place or a thing; sometimes a foreign one."""
        roll = self.rng.random()
        name = self.draw("last") if roll < 0.5 else self.draw("city")
        if roll > 0.7:
            name = self.part("plain names")
        if roll > 0.88:
            return f"{self.part('foreign streets')} {self.draw('last')}"
        if roll > 0.82:
            return self.draw("last") + self.part("endings of street")
        return f"{name} {self.part('streets')}"
