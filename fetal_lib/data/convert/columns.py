"""Tell what the columns of a user's table mean, and their unit: from the header, or not at all."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fetal_lib.data.bad_files import plain_name
from fetal_lib.data.layouts.adult_scan import AGES
from fetal_lib.data.layouts.clinical_ultrasound import LIMITS
from fetal_lib.errors import UserError, did_you_mean
from fetal_lib.readers.delimited import TextTable, numbers

FACTORS = {
    "mm": {"mm": 1.0, "cm": 10.0, "µm": 0.001},
    "days": {"days": 1.0, "weeks": 7.0},
    "years": {"years": 1.0},
}
UNIT_WORDS = {
    "mm": ("mm", "millimeter", "millimetre", "millimeters", "millimetres"),
    "cm": ("cm", "centimeter", "centimetre", "centimeters", "centimetres"),
    "µm": ("μm", "um", "micron", "microns", "micrometer", "micrometre", "micrometers"),
    "days": ("days", "day"),
    "weeks": ("weeks", "week", "wks", "wk", "wochen", "ssw"),
    "years": ("years", "year", "yrs", "jahre"),
}
WORDS = {  # meaning: what a header says without its unit
    "image": "image, filename, file, scan, picture, name, bild, datei, dateiname",
    "mask": "mask, annotation, maske",
    "patient": "patient, patientid, patienten, subject, participant, examination, exam, study, "
    "case, fetus, mrn",
    "structure": "structure",
    "class": "class, label, diagnosis, anomaly, finding, diagnose",
    "sex": "sex, gender, geschlecht",
    "pixel_size_mm": "pixel, px, pixel size, px size, pixelsize, pixel spacing, spacing, "
    "per pixel, per px, px to rate, pixel to rate, px per, pixel per, pixels per, pixelgrösse",
    "hc_mm": "hc, head circumference, head circ, kopfumfang, ku",
    "ac_mm": "ac, abdominal circumference, abdomen circumference, bauchumfang, au",
    "bpd_mm": "bpd, biparietal diameter",
    "ofd_mm": "ofd, occipitofrontal diameter, frontooccipital diameter, fod",
    "fl_mm": "fl, femur, femur length, femurlänge",
    "ga_days": "ga, gestational age, gestation, gestationsalter",
    "age": "age, alter",
}
MEANINGS = {word: name for name, words in WORDS.items() for word in words.split(", ")}
NUMBERS = {**{name: (low, high) for name, (low, high, _) in LIMITS.items()}, "age": AGES[:2]}
SHORT = {name.rpartition("_")[0]: name for name in NUMBERS if "_" in name}
TAIL = {"id", "no", "nr", "number", "name", "path"}  # "patient id" is "patient"
INVERSE = re.compile(r"(px|pixels?)\s*(/|per|pro)\s*(mm|cm|µm|μm|um)\b", re.IGNORECASE)
WEEKS_DAYS = re.compile(r"(\d{1,2})\s*(?:\+|w)\s*([0-6])\s*d?", re.IGNORECASE)


class ConvertError(UserError, ValueError):
    """A folder or a table cannot be understood; the text holds every reason."""


@dataclass(frozen=True)
class Column:
    """One column of a user's table, and what it is taken as.

    Attributes
    ----------
    header : as it is written.
    meaning : a name of `WORDS`; empty where it is not carried over.
    unit : of a column of numbers, as the header or the user says.
    inverse : whether it counts pixels a unit, not units a pixel.
    examples : the first cells that are not empty.
    """

    header: str
    meaning: str = ""
    unit: str = ""
    inverse: bool = False
    examples: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The unit that its values are turned to; empty for text."""
        if self.meaning not in NUMBERS:
            return ""
        return {"ga_days": "days", "age": "years"}.get(self.meaning, "mm")

    def turned(self, value: float) -> float:
        """Return a value in the unit of the layouts."""
        factor = FACTORS[self.target][self.unit]
        if self.inverse:
            return factor / value if value else math.nan
        return value * factor


def read_header(header: str) -> Column:
    """Return what a header says, without any look at the cells.

    Examples
    --------
    >>> [read_header(text).meaning for text in ("pixel size (mm)", "mm/px", "Patient-ID", "note")]
    ['pixel_size_mm', 'pixel_size_mm', 'patient', '']
    >>> read_header("px_um").unit, read_header("HC [cm]").unit, read_header("HC").unit
    ('µm', 'cm', '')
    """
    words = re.findall(r"[^\W\d_]+", plain_name(header).casefold())
    unit, rest = "", []
    for word in words:
        named = unit_of(word)
        unit = unit or named
        rest += [] if named or word == "in" else [word]
    while len(rest) > 1 and rest[-1] in TAIL:
        rest.pop()
    meaning = MEANINGS.get(" ".join(rest), "")
    return Column(header, meaning, unit, bool(INVERSE.search(header.replace("_", " "))))


def unit_of(word: str) -> str:
    """Return the unit that a word names; nothing where it names none.

    >>> unit_of("um"), unit_of("Weeks"), unit_of("HC")
    ('µm', 'weeks', '')
    """
    folded = word.casefold()
    return next((unit for unit, words in UNIT_WORDS.items() if folded in words), "")


def understand(
    table: TextTable, columns: Mapping[str, str], units: Mapping[str, str]
) -> list[Column]:
    """Return what each column of a table means.

    Parameters
    ----------
    table : as it was read.
    columns : header of a meaning, `hc` or `hc_mm`, where the user names it.
    units : unit of a header, where the user names it.

    Raises
    ------
    ConvertError
        If a meaning or column that the user names is unknown.
    """
    columns = {SHORT.get(name, name): header for name, header in columns.items()}
    wrong = _unknown(columns, WORDS, "--column") + _unknown(units, table.columns, "--unit")
    wrong += _unknown(columns.values(), table.columns, "--column")
    named = {header: meaning for meaning, header in columns.items()}
    units = {header: unit_of(unit) or unit for header, unit in units.items()}
    if wrong:
        raise ConvertError(f"{table.path.name}: " + "\n  ".join(wrong))
    return [_understood(table, header, named, units) for header in table.columns]


def check_columns(table: str, known: Sequence[Column]) -> None:
    """Refuse columns of which two mean the same, or that lack a unit.

    Raises
    ------
    ConvertError
    """
    wrong = []
    for meaning in WORDS:
        same = [column.header for column in known if column.meaning == meaning]
        if len(same) > 1:
            fix = f"say which: --column '{meaning}={same[0]}'"
            wrong.append(f"columns {', '.join(map(repr, same))} both mean {meaning}; {fix}")
    for column in known:
        allowed = FACTORS.get(column.target, {})
        if allowed and column.unit not in allowed:
            said = f"says {column.unit!r}" if column.unit else "does not say its unit"
            fix = " or ".join(f"--unit '{column.header}={unit}'" for unit in allowed)
            wrong.append(f"column {column.header!r} ({column.meaning}) {said}; give {fix}")
    if wrong:
        raise ConvertError(f"{table}: " + "\n  ".join(wrong))


def _understood(
    table: TextTable, header: str, named: Mapping[str, str], units: Mapping[str, str]
) -> Column:
    column = read_header(header)
    if header in named:
        column = replace(column, meaning=named[header])
    elif column.meaning in named.values():
        column = replace(column, meaning="")
    cells = tuple(dict.fromkeys(row[header] for row in table.rows if row[header]))
    column = replace(column, examples=cells[:3], unit=units.get(header, column.unit))
    if column.meaning == "ga_days" and any(map(WEEKS_DAYS.fullmatch, cells)):
        return replace(column, unit="days")
    if column.meaning == "age" and not column.unit:
        return replace(column, unit="years")  # as in BIDS
    return column if column.target else replace(column, unit="", inverse=False)


def _unknown(names: Sequence[str], known: Sequence[str], option: str) -> list[str]:
    return [
        f"{option}: {name!r} is none of them{did_you_mean(name, known)} known: {', '.join(known)}"
        for name in names
        if name not in known
    ]


def values_of(table: TextTable, known: Sequence[Column]) -> tuple[list[dict[str, float]], list]:
    """Return the numbers of each row by their meaning, in the layouts' units, and the faults."""
    limits, rows = {}, [dict(row) for row in table.rows]
    for column in (one for one in known if one.target):
        ends = sorted(_back(column, end) for end in NUMBERS[column.meaning])
        limits[column.header] = (*ends, _unit_shown(column))
        if column.meaning == "ga_days":
            for row in rows:
                row[column.header] = _in_days(row[column.header])
    values, faults = numbers(replace(table, rows=tuple(rows)), limits)
    by_meaning = [one for one in known if one.target]
    turned = [
        {one.meaning: one.turned(values[one.header][k]) for one in by_meaning}
        for k in range(len(rows))
    ]
    return turned, faults


def _back(column: Column, value: float) -> float:
    """Return a value of the layouts in the column's own unit."""
    factor = FACTORS[column.target][column.unit]
    return factor / value if column.inverse else value / factor


def _unit_shown(column: Column) -> str:
    return f"pixels a {column.unit}" if column.inverse else column.unit


def _in_days(cell: str) -> str:
    """Return weeks and days, ``21+3`` or ``21w3d``, as days; other text as it is."""
    found = WEEKS_DAYS.fullmatch(cell)
    return cell if found is None else str(7 * int(found[1]) + int(found[2]))
