"""Names of people, organisations and places: listed ones and coined ones, in two disjoint splits."""

import random
from pathlib import Path
from typing import Literal
from zlib import crc32

Split = Literal["train", "held_out"]

NAMES = Path(__file__).with_name("names.txt")
COINED = 0.4  # share of names made of syllables, so that shape and context count, not the list
COINED_PLACE = 0.25

ONSETS = (
    "b br c ch d dr f fl g gr h j k kl kr l m n p pr qu r s sh sk sl st t th tr v w z "
    "Al An Ar El Em En Es Is Or Os Ul Ya Mar Bel Gal Hol Lun Ner Tor Val Win Har Mon"
).split()
MIDDLES = (
    "a e i o u ai ea ee ia ie oa oo ar er or an en in on al el il am em ind ast est ol ul"
).split()
CODAS = "b d g k l m n p r s t v z nd rt st ll ss ck lm rn x dr br gl nt".split()
ENDINGS: dict[str, tuple[str, ...]] = {
    "first": tuple("a o e i ia ina ah an en in on is us us el ette ik ine io y ya iel ías é".split()),
    "last": tuple(
        "son sen ssen er mann berg stein ez es ov ova ev ski ska wicz ini elli etti o a i ic ić ley ton"
        " man well ford field worth wood smith ard eau et oğlu ian dze enko uk ura moto da ya an ö".split()
    ),
    "city": tuple(
        "ton ville burg berg stadt ford ham wick bury pool port mouth grad gorod ice ów au dorf heim hausen"
        " hagen holm vik pur abad nagar polis a o e ana ia is mont court field haven chester ster".split()
    ),
    "country": tuple("ia land stan ania ea ador ria mark nesia eria uay ica".split()),
    "brand": tuple(
        "ix ora a o ly ify io ium ex on ent us is tech soft net ware gen med bio sys era ance yx ax".split()
    ),
}
COMPOUNDS = (
    "Data Cloud Pay Snap Bright Blue Green North Open Deep Net Soft Quick Smart Solar Hydro Med Bio"
    " Eco Link Forge Path Works Base Wave Box Point Grid Labs Hub Care Flow Mind Scale Shop Sense"
).split()
SUFFIXES = (
    "Inc. Inc Ltd Ltd. Limited LLC Corp. Corp Corporation GmbH AG SE plc PLC S.A. SpA NV B.V. AB ASA"
    " Co. Company Group Holdings Holding KG Oy Partners International Pty"
).split()
INDUSTRIES = (
    "Motors Airlines Airways Pharmaceuticals Pharma Systems Energy Bank Media Software Foods Records"
    " Technologies Industries Capital Ventures Logistics Insurance Studios Solutions Robotics Labs"
    " Steel Telecom Electronics Entertainment Securities Brewery Hotels Pictures Press Publishing"
    " Biotech Analytics Consulting Health Healthcare Chemicals Semiconductor Railways Games Museum"
).split()
FIELDS = (
    "Finance,Health,Education,Justice,Defence,Energy,Agriculture,Transport,Labour,the Interior,Science,"
    "Foreign Affairs,Culture,the Environment,Commerce,State"
).split(",")
CLUBS = "United City FC Rovers Wanderers Athletic Eagles Lions Tigers Bears Rangers Town Hawks".split()
PAPERS = "Times Herald Post Tribune Gazette News Observer Chronicle Daily Star Journal Courier".split()
BODIES = (
    "City Council,Police Department,Chamber of Commerce,Opera,Philharmonic,Stock Exchange,High School,"
    "Medical Center,General Hospital,Fire Department,Art Museum,Public Library,Zoo,Film Festival,"
    "Institute of Technology,State University,Business School,Symphony Orchestra,Airlines,Marathon"
).split(",")


def read_names(path: Path = NAMES) -> dict[tuple[str, str], list[str]]:
    """The lists of names.txt by (kind, split)."""
    lists: dict[tuple[str, str], list[str]] = {}
    names: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind, split = line.strip("[] ").split()
            names = lists.setdefault((kind, split), [])
        elif line and not line.startswith("#"):
            names += [name.strip() for name in line.split(",") if name.strip()]
    return lists


def split_of(word: str) -> Split:
    """Which split a coined word belongs to: every fifth one is held out."""
    return "held_out" if crc32(word.encode()) % 5 == 0 else "train"


class Names:
    """Draws names of one split."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        lists = read_names()
        self.rng = rng
        self.split = split
        self.lists = {kind: names for (kind, part), names in lists.items() if part == split}
        self.listed = {name for names in lists.values() for name in names}

    def coin(self, kind: str) -> str:
        """A word that no list has, made of syllables, with an ending usual for its kind."""
        rng = self.rng
        while True:
            stem = rng.choice(ONSETS) + rng.choice(MIDDLES)
            if rng.random() < 0.4:
                stem += rng.choice(CODAS) + rng.choice(MIDDLES[:10])
            word = stem + rng.choice(CODAS) + rng.choice(ENDINGS[kind])
            word = word[0].upper() + word[1:]
            if split_of(word) == self.split and word not in self.listed and len(word) < 13:
                return word

    def draw(self, kind: str, coined: float = COINED) -> str:
        """A listed name, or a coined one with the probability `coined`."""
        if self.rng.random() < coined:
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
                word = "".join(self.rng.sample(COMPOUNDS, 2))
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
        roll = self.rng.random()
        if roll < 0.34:
            return self.brand()
        if roll < 0.52:
            comma = "," if self.rng.random() < 0.06 else ""
            return f"{self.brand()}{comma} {self.rng.choice(SUFFIXES)}"
        if roll < 0.60:
            return f"{self.brand()} {self.rng.choice(INDUSTRIES)}"
        if roll < 0.74:
            return self.rng.choice(self.lists["body"])
        if roll < 0.79:
            return self.acronym()
        return self.institution()

    def institution(self) -> str:
        """A name made of a person's or a place's name and a usual word: "Bank of Oslo"."""
        last, city = self.draw("last"), self.draw("city", COINED_PLACE)
        field = self.rng.choice(FIELDS)
        patterns = [
            f"{last} & {self.rng.choice(['Sons', 'Co.', 'Partners', 'Daughters', 'Company'])}",
            f"{last} and {self.rng.choice(['Sons', 'Partners', 'Company'])}",
            f"{last} & {self.draw('last')}",
            f"{last} Brothers",
            f"{last} {self.rng.choice(['Foundation', 'Institute', 'Group', 'College', 'Trust'])}",
            f"{last} {self.rng.choice(INDUSTRIES)}",
            f"Bank of {city}",
            f"University of {city}",
            f"University of {city}",
            f"{city} University",
            f"Technical University of {city}",
            f"{city} {self.rng.choice(BODIES)}",
            f"{city} {self.rng.choice(CLUBS)}",
            f"{city} {self.rng.choice(PAPERS)}",
            f"{self.rng.choice(['Ministry', 'Department'])} of {field}",
            f"{self.rng.choice(['National', 'Federal', 'Royal'])} {self.rng.choice(INDUSTRIES)}",
        ]
        return self.rng.choice(patterns)

    def city(self) -> str:
        roll = self.rng.random()
        name = self.draw("city", COINED_PLACE)
        if roll < 0.07:
            lead = self.rng.choice(["New", "San", "Santa", "Saint", "St.", "Port", "Fort", "Bad", "El"])
            return f"{lead} {self.coin('city')}"
        if roll < 0.10:
            return f"{name} {self.rng.choice(['Beach', 'City', 'Springs', 'Falls', 'Hills', 'Bay'])}"
        return name

    def country(self) -> str:
        return self.draw("country", 0.15)

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
        city = self.draw("city", COINED_PLACE)
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
