"""Dates, times of day, amounts of money and percentages, as people write them."""

import random

from backends.ner.starter.lists import read_lists


class Figures:
    """Draws entities that are made of numbers and fixed words."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.parts = read_lists("parts.txt")

    def part(self, name: str) -> str:
        return self.rng.choice(self.parts[name])

    def number(self) -> str:
        """Draw a number in digits: 7, 120, 4,500 or 3.5."""
        rng = self.rng
        kinds = [
            str(rng.randint(1, 99)),
            str(rng.randint(1, 20)),
            str(rng.randint(100, 999)),
            f"{rng.randint(1, 999)},{rng.randint(0, 999):03d}",
            str(rng.randint(1000, 99999)),
            f"{rng.randint(0, 99)}.{rng.randint(1, 99)}",
        ]
        return rng.choice(kinds)

    def spelled(self) -> str:
        return self.part("numbers")

    def year(self) -> str:
        return str(
            self.rng.randint(1800, 2040)
            if self.rng.random() < 0.3
            else self.rng.randint(1980, 2030)
        )

    def day(self) -> str:
        """Draw a date that follows "on"."""
        rng = self.rng
        month = self.part("months") if rng.random() < 0.75 else self.short_month()
        day, year = rng.randint(1, 31), self.year()
        ordinal = f"{day}{self.ordinal_ending(day)}"
        numeric = f"{rng.randint(1, 12):02d}"
        mark = rng.choice("/./-")
        kinds = [
            *[f"{day} {month} {year}"] * 3,
            *[f"{month} {day}, {year}"] * 3,
            *[f"{self.part('weekdays')}"] * 4,
            f"{month} {day}",
            f"{day} {month}",
            f"{day}. {month} {year}",
            f"{ordinal} {month} {year}",
            f"{ordinal} of {month}",
            f"{month} {ordinal}",
            f"{month} {ordinal}, {year}",
            f"{self.part('weekdays')}, {month} {day}",
            f"{self.part('weekdays')}, {day} {month} {year}",
            f"{self.part('short weekdays')}, {day} {month}",
            f"{year}-{numeric}-{day:02d}",
            f"{year}-{numeric}-{day:02d}",
            f"{self.part('short weekdays')} {ordinal}",
            f"{self.part('weekdays')} {ordinal} {month}",
            f"{self.part('weekdays')} {day} {month}",
            f"{self.part('weekdays')}s",
            f"{self.part('holidays')}",
            f"{self.part('holidays')}",
            f"{self.part('short weekdays')}",
            f"{day:02d}{mark}{numeric}{mark}{year}",
            f"{day}{mark}{rng.randint(1, 12)}{mark}{year[2:]}",
        ]
        return rng.choice(kinds)

    def short_month(self) -> str:
        return self.part("short months") + self.rng.choice(["", "."])

    @staticmethod
    def ordinal_ending(day: int) -> str:
        if day in (11, 12, 13):
            return "th"
        return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")

    def month(self) -> str:
        """Draw a month, year or quarter, which follows "in"."""
        rng = self.rng
        month, year = self.part("months"), self.year()
        kinds = [
            *[year] * 4,
            *[f"{month} {year}"] * 3,
            *[month] * 3,
            f"{rng.choice(['early', 'late', 'mid'])} {year}",
            f"{rng.choice(['spring', 'summer', 'autumn', 'winter', 'fall'])} {year}",
            f"Q{rng.randint(1, 4)} {year}",
            f"{self.short_month()} {year}",
            f"{rng.choice(['early', 'late', 'mid'])} {month}",
            f"mid-{month}",
            f"{year}/{rng.randint(10, 99)}",
        ]
        return rng.choice(kinds)

    def era(self) -> str:
        """Draw a date that follows "the": 1990s, third quarter of 2023."""
        rng = self.rng
        end = self.month() if rng.random() < 0.3 else self.year()
        order = rng.choice(["first", "second", "third", "fourth", "last"])
        part = rng.choice(["quarter", "half", "week", "month"])
        kinds = [
            f"{self.year()[:3]}0s",
            f"{order} {part} of {end}",
            f"{order} quarter",
            f"{rng.choice(['end', 'beginning', 'middle'])} of {end}",
            f"{rng.choice(['spring', 'summer', 'autumn', 'winter', 'fall'])} of {self.year()}",
        ]
        return rng.choice(kinds)

    def when(self) -> str:
        """Draw a date that needs no preposition: yesterday, last Tuesday, two weeks ago."""
        rng = self.rng
        unit = rng.choice(
            ["week", "month", "year", "quarter", "summer", "spring", "winter", "weekend"]
        )
        count = (
            rng.choice(self.parts["numbers"][1:12])
            if rng.random() < 0.6
            else str(rng.randint(2, 30))
        )
        span = rng.choice(["days", "weeks", "months", "years"])
        kinds = [
            *["yesterday", "today", "tomorrow"] * 2,
            *[f"{rng.choice(['last', 'next', 'this'])} {self.part('weekdays')}"] * 3,
            *[f"{rng.choice(['last', 'next', 'this'])} {unit}"] * 3,
            f"{count} {span} ago",
            f"{count} {span} ago",
            f"{rng.choice(['last', 'next'])} {self.part('months')}",
            "the day before yesterday",
        ]
        return rng.choice(kinds)

    def clock(self) -> str:
        """Draw a time of day that follows "at"."""
        rng = self.rng
        hour, half = rng.randint(0, 23), rng.randint(1, 12)
        minute = f"{rng.randint(0, 59) if rng.random() < 0.5 else rng.choice([0, 15, 30, 45]):02d}"
        half_day = rng.choice(["am", "pm", "am", "pm", "a.m.", "p.m.", "AM", "PM"])
        gap = rng.choice(["", " ", " "])
        quarter = rng.choice(["half past", "quarter past", "quarter to", "ten past", "five to"])
        kinds = [
            *[f"{hour}:{minute}"] * 3,
            *[f"{half}{gap}{half_day}"] * 3,
            *[f"{half}:{minute}{gap}{half_day}"] * 2,
            f"{hour:02d}:{minute}",
            f"{hour}:{minute} {rng.choice(['GMT', 'CET', 'UTC', 'EST'])}",
            f"{half}.{minute}{gap}{half_day}",
            f"{half}.{minute} {half_day}",
            f"{hour}.{minute}",
            f"{hour:02d}h{minute}",
            f"{hour:02d}:{minute}:{rng.randint(0, 59):02d}",
            "noon",
            "midnight",
            f"half {rng.choice(self.parts['numbers'][:12])}",
            f"{rng.choice(self.parts['numbers'][:12])} o'clock",
            f"{half} o'clock",
            f"{quarter} {rng.choice(self.parts['numbers'][:12])}",
        ]
        return rng.choice(kinds)

    def part_of_day(self) -> str:
        """Draw a time of day that needs no preposition: tonight, Friday evening."""
        part = self.rng.choice(["morning", "afternoon", "evening"])
        lead = self.rng.choice(["this", "this", "yesterday", "tomorrow", self.part("weekdays")])
        return self.rng.choice(["tonight", "last night", f"{lead} {part}", f"{lead} {part}"])

    def money(self) -> str:
        rng = self.rng
        symbol, number = self.part("symbols").replace("_", " "), self.number()
        scale, currency = rng.choice(self.parts["scales"][:5]), self.part("currencies")
        small = (
            str(rng.randint(1, 900))
            if rng.random() < 0.5
            else f"{rng.randint(1, 99)}.{rng.randint(1, 9)}"
        )
        kinds = [
            *[f"{symbol}{number}"] * 3,
            *[f"{symbol}{small} {scale}"] * 4,
            f"{symbol}{small}{rng.choice(['m', 'bn', 'k', 'M', 'B'])}",
            f"{small} {scale} {currency}",
            f"{small} {scale} {currency}",
            f"{number} {currency}",
            f"{number} {currency}",
            f"{self.part('codes')} {number}",
            f"{number} {self.part('codes')}",
            f"{rng.randint(1, 900)} {rng.choice('€$£')}",
            f"{self.spelled()} {self.part('scales')} {currency}",
            f"{self.spelled()} {currency}",
            f"{rng.choice('$€£')}{rng.randint(1, 90)}",
            f"{rng.choice('$€£')}{number}.{rng.randint(0, 99):02d}",
            f"{rng.randint(1, 99)}{rng.choice(['p', 'c', '¢'])}",
            f"{rng.randint(1, 900)} {self.part('slang money')}",
            f"{self.spelled()} {self.part('slang money')}",
            f"{self.spelled()} {rng.choice(['thousand', 'million'])} {currency}",
            f"{rng.choice(['a', 'half a', 'two hundred'])} {self.part('scales')} {currency}",
            f"{self.part('codes')} {number}.{rng.randint(0, 99):02d}",
            f"{rng.randint(1, 999)},{rng.randint(0, 99):02d} {rng.choice(['€', 'zł', 'kr'])}",
            f"{symbol}{small}{rng.choice(['m', 'bn', 'k', 'mn', 'tn'])}",
        ]
        return rng.choice(kinds)

    def percent(self) -> str:
        rng = self.rng
        value = (
            str(rng.randint(1, 150))
            if rng.random() < 0.6
            else f"{rng.randint(0, 60)}.{rng.randint(0, 99)}"
        )
        word = rng.choice(["percent", "per cent"])
        kinds = [
            *[f"{value}%"] * 5,
            *[f"{value} {word}"] * 3,
            *[f"{value} %"] * 2,
            f"{rng.randint(1, 40)}-{rng.randint(41, 99)}%",
            f"{rng.choice(['a', 'half a'])} {word}",
            f"{self.spelled()} {word}",
        ]
        return rng.choice(kinds)
