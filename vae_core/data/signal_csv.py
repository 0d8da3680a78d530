"""Signals from a text file: one signal a line, all of one length, read strictly. What cannot be used is named by its
line and column, as an editor or a spreadsheet counts them: from 1."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from vae_core.data.signals import LARGEST, LENGTHS, ROWS, Signals
from vae_core.errors import InvalidInput

LabelColumn = Literal["recognise", "first", "last", "none"]
LABEL_COLUMNS: tuple[LabelColumn, ...] = ("recognise", "first", "last", "none")
MOST_BYTES = 64 * 2**20
MOST_NUMBERS = 8_000_000
MOST_CLASSES = 20
SEPARATORS = {"\t": "tab", ";": "semicolon", ",": "comma", " ": "space"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
PLAIN = re.compile(r"[\d.eE+-]+", re.ASCII)
NEEDED = "Needed is a text file with one signal a line, its numbers separated by commas, semicolons, tabs or spaces"
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?"}
INFINITE = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
SHOWN = 30  # letters of a cell in a sentence


class Table(NamedTuple):
    """The cells of a file, without its empty lines."""

    cells: list[list[str]]
    lines: list[int]  # where each row stands in the file, from 1
    separator: str


def read_signals(content: bytes, name: str = "your file", labels: LabelColumn = "recognise") -> Signals:
    """Signals [N, L] and, where there is a column of them, their labels.

    A first line that holds names, a first column that counts the lines, and decimal commas between semicolons or tabs
    are recognised; each is told in a note. Raises InvalidInput, one or two sentences, for everything else.
    """
    table = _cells(_text(content))
    notes: list[str] = []
    if table.separator in "\t;" and _has_decimal_commas(table.cells):
        table = table._replace(cells=[[cell.replace(",", ".") for cell in row] for row in table.cells])
        notes.append("Commas within numbers are taken for decimal points.")
    table, header = _without_header(table)
    if header:
        notes.append(f"Line {header} holds names, not numbers: it is left out.")
    _require_rows(len(table.cells))
    _require_one_length(table)
    first = 0
    if _counts_lines(table.cells):
        first = 1
        notes.append("Column 1 counts the lines: it is left out.")
    _require_length(min(len(table.cells[0]) - first, LENGTHS[1]))  # with a label it may be one more
    column = _label_column(table.cells, first, labels)
    if column is not None:
        how = "holds labels, as asked" if labels != "recognise" else "is taken for labels"
        notes.append(f"Column {column + 1} {how}.")
    elif labels == "recognise":
        notes.append("No column of labels was recognised.")
    places = [place for place in range(first, len(table.cells[0])) if place != column]
    _require_length(len(places))
    values = _numbers(table, places)
    _require_variety(values, table.lines)
    flat = np.flatnonzero(values.max(axis=1) == values.min(axis=1))
    if len(flat):
        notes.append(
            f"Flat signals: {len(flat)}, the first in line {table.lines[flat[0]]}; they are kept, for a flat line may "
            "be the strange one."
        )
    codes, names = _labels(table, column)
    return Signals(name, values, codes, names, "value, as in the file", np.array(table.lines), tuple(notes))


def _text(content: bytes) -> str:
    """The text of a file: UTF-8, or what begins with the mark of UTF-16."""
    if len(content) > MOST_BYTES:
        raise InvalidInput(
            f"The file has {len(content) / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} MB are read. "
            "Leave out signals, or digits that do not count."
        )
    if content[:4] == b"PK\x03\x04" or content[:4] == b"\xd0\xcf\x11\xe0":
        raise InvalidInput("This is a workbook or an archive, not a text file; save the table as CSV (UTF-8) first.")
    utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInput(
            f"Line {line} holds a character that is not in UTF-8 (byte {content[error.start]:#04x}); save the file as "
            "CSV in UTF-8, or write plain letters."
        ) from error
    if "\0" in text:
        raise InvalidInput(f"Line {text.count(chr(10), 0, text.index(chr(0))) + 1} holds a byte 0: no text. {NEEDED}.")
    if not text.strip():
        raise InvalidInput(f"The file is empty. {NEEDED}.")
    return text


def _separator(text: str) -> str:
    """The separator of the first line that holds more than a single cell."""
    lines = [line for line in text[:100_000].splitlines() if line.strip()][:5]
    for mark in ("\t", ";", ",", " "):
        if all(mark in line.strip(" ") for line in lines[1:] or lines):
            return mark
    raise InvalidInput(f"Line 1, {_shown(lines[0])}, holds a single number or word. {NEEDED}.")


def _cells(text: str) -> Table:
    separator = _separator(text)
    cells, lines = [], []
    count = 0
    try:
        if separator == " ":
            rows = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
        else:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
            rows = ((reader.line_num, [cell.strip() for cell in row]) for row in reader)
        for number, row in rows:
            if not any(row):
                continue
            cells.append(row)
            lines.append(number)
            count += len(row)
            if count > MOST_NUMBERS or len(cells) > ROWS[1] + 1:
                raise InvalidInput(
                    f"The file holds more than {ROWS[1]:,} signals or {MOST_NUMBERS:,} numbers; line {number} is one "
                    "too many. Leave out signals, or take every second sample."
                )
    except csv.Error as error:
        raise InvalidInput(f"Line {reader.line_num} cannot be taken apart ({error}). {NEEDED}.") from error
    if all(len(row) > 1 and not row[-1] for row in cells):  # every line ends with a separator
        cells = [row[:-1] for row in cells]
    return Table(cells, lines, separator)


def _has_decimal_commas(rows: Sequence[Sequence[str]]) -> bool:
    """Whether numbers are written as 0,5 and none as 0.5."""
    some = [cell for row in rows[1:20] for cell in row]
    return any(NUMBER.fullmatch(cell.replace(",", ".")) and "," in cell for cell in some) and not any(
        "." in cell for cell in some if NUMBER.fullmatch(cell)
    )


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _without_header(table: Table) -> tuple[Table, int]:
    """The table without a first line of names, and which line that was; 0 where there is none.

    Names are words, or numbers that simply count the columns from 0 or 1, as some programs write them.
    """
    first, others = table.cells[0], table.cells[1:]
    if not others:
        return table, 0
    words = [cell for cell in first if cell and not _is_number(cell) and cell.lower() not in MISSING | INFINITE]
    below = [cell for cell in others[0] if not _is_number(cell)]
    counted = [cell for cell in first if cell.isdecimal()]
    counts = len(counted) >= max(LENGTHS[0], len(first) - 2) and any(
        list(map(int, counted)) == list(range(start, start + len(counted))) for start in (0, 1)
    )
    if (len(words) > len(first) / 2 and len(below) < len(others[0]) / 2) or counts:
        return Table(others, table.lines[1:], table.separator), table.lines[0]
    return table, 0


def _require_rows(count: int) -> None:
    if count < ROWS[0]:
        raise InvalidInput(
            f"The file holds {count} signal{'s' if count != 1 else ''}; at least {ROWS[0]} are needed to learn what is "
            "usual. Is each signal a line? Swap lines and columns if each is a column."
        )


def _require_one_length(table: Table) -> None:
    lengths = [len(row) for row in table.cells]
    usual = max(set(lengths), key=lengths.count)
    for length, line in zip(lengths, table.lines, strict=True):
        if length != usual:
            raise InvalidInput(
                f"Line {line} has {length} columns, but most lines have {usual}; all signals must have one length. "
                "Cut them, or fill them up, to the same number of samples."
            )


def _require_length(length: int) -> None:
    if not LENGTHS[0] <= length <= LENGTHS[1]:
        advice = "take every second sample, or a part" if length > LENGTHS[1] else "each line must be a whole signal"
        raise InvalidInput(
            f"Each signal has {length} sample{'s' if length != 1 else ''}; allowed are {LENGTHS[0]} to "
            f"{LENGTHS[1]}: {advice}."
        )


def _require_variety(values: np.ndarray, lines: Sequence[int]) -> None:
    if values.max() == values.min():
        raise InvalidInput(f"All samples, from line {lines[0]} on, are {values[0, 0]:g}; there is nothing to learn.")
    if (values == values[0]).all():
        raise InvalidInput(
            f"All signals are the same as that in line {lines[0]}; none can be stranger than the others."
        )


def _counts_lines(cells: Sequence[Sequence[str]]) -> bool:
    """Whether the first column just counts 0, 1, 2 or 1, 2, 3, as tables are often saved."""
    column = [row[0] for row in cells]
    if not all(cell.isdecimal() and len(cell) < 10 for cell in column):
        return False
    numbers = list(map(int, column))
    return any(numbers == list(range(start, start + len(numbers))) for start in (0, 1))


def _label_column(cells: Sequence[Sequence[str]], first: int, wanted: LabelColumn) -> int | None:
    """The place of the labels: as asked for; else the first or last column if it holds words, or a few whole numbers
    beside signals that hold fractions."""
    ends = {"first": first, "last": len(cells[0]) - 1}
    if wanted != "recognise":
        return ends.get(wanted)
    for place in ends.values():
        column = [row[place] for row in cells]
        words = sum(not _is_number(cell) and cell.lower() not in MISSING | INFINITE for cell in column)
        if words > len(column) / 2:
            return place
    inner = [cell for row in cells[:200] for cell in row[first + 1 : -1]]
    fractions = sum(_is_number(cell) and not float(cell).is_integer() for cell in inner)
    for place in ends.values() if fractions > len(inner) / 2 else ():
        column = [row[place] for row in cells]
        whole = all(_is_number(cell) and float(cell).is_integer() for cell in column)
        if whole and 2 <= len(set(column)) <= min(MOST_CLASSES, len(column) // 2):
            return place
    return None


def _labels(table: Table, column: int | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels [N] as places among their names, the most frequent name first."""
    if column is None:
        return None, ()
    cells = [row[column] for row in table.cells]
    for cell, line in zip(cells, table.lines, strict=True):
        if cell.lower() in MISSING:
            raise InvalidInput(
                f"Line {line}, column {column + 1}: the label is missing; write one, or leave the line out."
            )
    names = [_plain_number(cell) for cell in cells]
    if len(set(names)) > MOST_CLASSES:
        raise InvalidInput(
            f"Column {column + 1} holds {len(set(names))} different labels, at most {MOST_CLASSES} are allowed; is it "
            "a column of samples? Then choose another column of labels, or none."
        )
    order = sorted(set(names), key=lambda name: (-names.count(name), name))
    short = [name[:SHOWN] for name in order]
    for name in short:
        if short.count(name) > 1:
            raise InvalidInput(
                f"Column {column + 1} holds different labels that all begin with {name!r}; labels are told apart by "
                f"their first {SHOWN} letters: shorten them."
            )
    place = {name: index for index, name in enumerate(order)}
    return np.array([place[name] for name in names]), tuple(short)


def _plain_number(cell: str) -> str:
    """1, 1.0 and 1e0 are one label. A number beyond what a float holds to the last digit stays as it is written."""
    number = float(cell) if _is_number(cell) else math.inf
    if abs(number) >= 2**53:
        return cell
    return str(int(number)) if number.is_integer() else repr(number)


def _numbers(table: Table, places: Sequence[int]) -> np.ndarray:
    """The samples [N, L]. A cell that is no number is named."""
    lo, hi = places[0], places[-1] + 1  # labels stand at an end, so the samples are neighbours
    values = np.empty((len(table.cells), len(places)), np.float64)
    for row, (cells, line) in enumerate(zip(table.cells, table.lines, strict=True)):
        try:
            if PLAIN.fullmatch("".join(cells[lo:hi])) is None:  # Python takes 1_000 and nan for numbers, too
                raise ValueError
            values[row] = list(map(float, cells[lo:hi]))
        except ValueError as error:
            place = next(place for place in range(lo, hi) if not _is_number(cells[place]))
            raise _no_number(cells[place], line, place + 1) from error
        if not (np.abs(values[row]) <= LARGEST).all():
            place = int(np.flatnonzero(~(np.abs(values[row]) <= LARGEST))[0])
            raise InvalidInput(
                f"Line {line}, column {lo + place + 1} holds {_shown(cells[lo + place])}, which is too large; allowed "
                f"are numbers up to {LARGEST:g}."
            )
    return values.astype(np.float32)


def _no_number(cell: str, line: int, column: int) -> InvalidInput:
    where = f"Line {line}, column {column}"
    if cell.lower() in MISSING:
        told = "is empty" if not cell else f"holds {_shown(cell)}, which stands for a missing value"
        return InvalidInput(f"{where} {told}; every sample is needed: fill the gap, or leave the line out.")
    if cell.lower() in INFINITE:
        return InvalidInput(f"{where} holds {_shown(cell)}; an infinite sample cannot be learned: leave the line out.")
    return InvalidInput(
        f"{where} holds {_shown(cell)}, which is no number; leave the line out, or write the number with a point and "
        "without spaces or units."
    )


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= SHOWN else cell[: SHOWN - 1] + "…")
