"""Tables as text: which separator, which decimal sign, and whether the lines are what the header says."""

import csv
import gzip
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

SEPARATORS = ",;\t|"
# entries that stand for nothing in a column of numbers; in text only the empty entry does
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-", ".", "<na>", "nil"))
COMMA = re.compile(r"^[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+([eE][+-]?\d+)?$")
GROUPED = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")
# lines that are looked at to find the separator
LOOK = 200


def read_text(path: Path) -> "pandas.DataFrame":
    """All entries as they stand, as text; ValueError for what is no table with a header."""
    import pandas

    text = _decoded(path)
    if not text.strip():
        raise ValueError(f"{path}: this is no readable table (the file is empty).")
    separator = _separator(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        # lines with nothing in them are no rows
        lines = [row for row in rows if any(one.strip() for one in row)]
    except csv.Error as trouble:
        raise ValueError(f"{path}: this is no readable table (line {rows.line_num}: {trouble}).") from None
    header = [name.strip() for name in lines[0]]
    _check_header(path, header)
    for number, row in enumerate(lines[1:], 1):
        if len(row) != len(header):
            raise ValueError(
                f"{path}: row {number} has {len(row)} entries, but the header names {len(header)} columns; correct the "
                "row, or name its columns."
            )
    table = pandas.DataFrame(lines[1:], columns=range(len(header)), dtype=object)
    return table.set_axis(header, axis=1)


def _decoded(path: Path) -> str:
    raw = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _separator(text: str) -> str:
    """The separator that cuts the header into most parts, and the next lines into as many."""
    head = "\n".join(text.splitlines()[:LOOK])
    best, most = ",", 0.0
    for one in SEPARATORS:
        rows = [row for row in csv.reader(io.StringIO(head), delimiter=one, skipinitialspace=True) if row]
        alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        score = (len(rows[0]) - 1) * alike**2
        if score > most:
            best, most = one, score
    return best


def _check_header(path: Path, header: list[str]) -> None:
    if all(_is_number(name) for name in header):
        shown = ", ".join(header[:4]) + (", ..." if len(header) > 4 else "")
        raise ValueError(
            f"{path}: the first line holds numbers alone ({shown}), so there is no header; write a line with the names "
            "of the columns before it."
        )
    blank = next((i for i, name in enumerate(header) if not name), None)
    if blank is not None and blank > 0:
        raise ValueError(f"{path}: column {blank + 1} of the header has no name; name it.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_numbers(column: "pandas.Series") -> "pandas.Series":
    """Entries of text as numbers, NaN where they are none; decimal commas where every broken number has one."""
    import pandas

    plain = column.str.strip()
    found = pandas.Series(pandas.to_numeric(plain, errors="coerce"), index=column.index)
    odd = plain[found.isna() & ~is_missing(plain)]
    if odd.empty:
        return found
    if odd.map(lambda one: bool(GROUPED.match(one))).all() and not _is_short_decimal(odd, plain):
        cleaned = plain.str.replace(",", "", regex=False)
    elif odd.map(lambda one: bool(COMMA.match(one))).all():
        cleaned = plain.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    else:
        return found
    return pandas.Series(pandas.to_numeric(cleaned, errors="coerce"), index=column.index)


def _is_short_decimal(odd: "pandas.Series", plain: "pandas.Series") -> bool:
    """Whether 1,234 is rather a decimal comma: other entries of the column have one that cuts no thousands."""
    return bool(plain.map(lambda one: bool(COMMA.match(one)) and not GROUPED.match(one)).any())


def is_missing(column: "pandas.Series") -> "pandas.Series":
    """Entries of text that stand for nothing in a column of numbers."""
    return column.str.strip().str.lower().isin(MISSING)
