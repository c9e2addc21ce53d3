"""What each column of a user's table is: numbers, text with few values, a date, a number of the row, nothing at all."""

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .delimited_text import as_numbers, is_missing

if TYPE_CHECKING:
    import pandas

# text in which more than this share of the entries differ names the rows
MOSTLY_OWN = 0.5
FEW_VALUES = 20
NUMBERS, TEXT = "numbers", "text"
IDENTITY = re.compile(r"^(id|.*[_ .]id|.*Id|.*ID|index|rownames|row|row_?(names|number|id)|unnamed: ?\d+|)$")
# values that stand for "not measured" in many files
FILLS = (9.96921e36, 9.969209968386869e36, 1e20, 1e30, 1e35, -9999.0, -99999.0, -999.0, 9999.0, 99999.0, -1e20, -1e30)


class Column(NamedTuple):
    """A column as it is used: `kind` numbers or text, `values` floats with NaN or text with None; or why it is not.

    `remark`: what is odd about it, where anything is.
    """

    name: str
    kind: str
    values: Any
    why_not: str = ""
    remark: str = ""


def judged(title: str, name: str, column: "pandas.Series") -> Column:
    """One column of inputs; ValueError for text among numbers, and infinite entries."""
    import pandas

    kind = column.dtype
    if pandas.api.types.is_datetime64_any_dtype(kind) or pandas.api.types.is_timedelta64_dtype(kind):
        return Column(name, TEXT, None, "dates (name the column as order, or code it as numbers)")
    values, is_text = _values(title, name, column)
    if not is_text:
        return _numbers(title, name, values)
    told = values.dropna()
    if told.empty:
        return Column(name, TEXT, None, "all entries are missing")
    different = told.nunique()
    if different == 1 and len(told) == len(values):
        return Column(name, TEXT, None, f"the same entry in every row ({told.iloc[0]!r:.20})")
    if _are_dates(told):
        return Column(name, TEXT, None, "dates (name the column as order, or code it as numbers)")
    if different > max(FEW_VALUES, MOSTLY_OWN * len(told)):
        return Column(name, TEXT, None, f"text of its own in nearly every row ({different} different entries)")
    return Column(name, TEXT, values)


def _values(title: str, name: str, column: "pandas.Series") -> tuple["pandas.Series", bool]:
    """Entries as floats, or as text with None for what is missing; and whether they are text."""
    import pandas

    if isinstance(column.dtype, pandas.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype) if column.notna().all() else column.astype(object)
    if pandas.api.types.is_bool_dtype(column.dtype) or pandas.api.types.is_numeric_dtype(column.dtype):
        return column.astype(float) if column.dtype.kind in "biuf" else column.astype("Float64").astype(float), False
    raw = column.map(lambda one: "" if one is None or one is pandas.NA or one != one else str(one)).astype(object)
    text = pandas.Series(raw, index=column.index).astype(str)
    numbers = as_numbers(text)
    strays = numbers.isna() & ~is_missing(text)
    if not strays.any():
        return numbers, False
    share = float(numbers.notna().mean())
    if share > 0.5:
        row = int(strays.to_numpy().argmax())
        raise ValueError(
            f"{title}: column {name!r} holds text ({text.iloc[row]!r}) in row {row + 1} among numbers; correct it, or "
            f"leave the column out with drop=[{name!r}]."
        )
    return text.str.strip().where(text.str.strip() != "", None), True


def _numbers(title: str, name: str, values: "pandas.Series") -> Column:
    import numpy as np

    found = values.to_numpy(dtype=float)
    if np.isinf(found).any():
        row = int(np.isinf(found).argmax()) + 1
        raise ValueError(f"{title}: column {name!r} has an infinite entry in row {row}; correct or empty it.")
    known = found[~np.isnan(found)]
    if known.size == 0:
        return Column(name, NUMBERS, None, "all entries are missing")
    if np.ptp(known) == 0 and known.size == found.size:
        return Column(name, NUMBERS, None, f"the same number in every row ({known[0]:.6g})")
    if _counts_rows(known, found.size):
        return Column(name, NUMBERS, None, "a number of the row")
    if IDENTITY.match(name) and known.size == found.size and np.unique(known).size == known.size:
        return Column(name, NUMBERS, None, "a name of the row (another number in each)")
    return Column(name, NUMBERS, found, remark=_fill(known))


def _counts_rows(known: Any, rows: int) -> bool:
    """Whether the entries are consecutive whole numbers in the order of the rows."""
    import numpy as np

    return known.size == rows > 3 and bool(np.all(np.diff(known) == 1)) and known[0] in (0, 1)


def _fill(known: Any) -> str:
    """The remark about a value that stands for "not measured": a usual one, far beyond all others."""
    import numpy as np

    for value in np.unique(known[np.isin(known.astype(np.float32), np.asarray(FILLS, np.float32))]):
        others = known[known != value]
        if others.size and abs(value) > 10 * np.max(np.abs(others)):
            count = int(np.sum(known == value))
            return f"holds {value:.6g} in {count} rows, far beyond all else: a sign for missing? Empty such cells"
    if known.size > 1 and np.max(np.abs(known)) > 1e12 * max(np.median(np.abs(known)), 1e-300):
        return f"holds an entry of {known[np.argmax(np.abs(known))]:.6g}, 10^12 times the usual size; is it a number?"
    return ""


def _are_dates(told: "pandas.Series") -> bool:
    import pandas

    some = told.iloc[:: max(1, len(told) // 50)]
    if not some.str.match(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?\s*$").all():
        return False
    return bool(pandas.to_datetime(some, errors="coerce", format="mixed").notna().mean() > 0.9)


class Target(NamedTuple):
    """What is to be predicted, as floats or as text (dtype U), for the rows `kept`, and what is worth a word."""

    values: Any
    kept: Any
    remarks: tuple[str, ...]


# rows of a class below which nothing can be learned of it: of two classes, and of several
LEAST = {2: 4}
LEAST_OF_SEVERAL = 8


def target_of(title: str, name: str, column: "pandas.Series") -> Target:
    """The target; rows where it is missing, and classes of too few rows, are left out with a remark.

    ValueError for one value alone, text among numbers, infinite entries, as many classes as rows.
    """
    import numpy as np

    values, is_text = _values(title, name, column)
    kept = values.notna().to_numpy()
    remarks = [f"{int((~kept).sum())} rows without {name!r} are left out."] if not kept.all() else []
    found = values.to_numpy(dtype=str if is_text else float)
    if not is_text and np.isinf(found).any():
        row = int(np.isinf(found).argmax()) + 1
        raise ValueError(f"{title}: column {name!r} has an infinite entry in row {row}; correct or remove that row.")
    different, counts = np.unique(found[kept], return_counts=True)
    if different.size < 2:
        shown = repr(different[0].item()) if different.size else "nothing"
        raise ValueError(f"{title}: column {name!r} holds {shown} in every row; there is nothing to learn.")
    if is_text:
        least = LEAST.get(different.size, LEAST_OF_SEVERAL)
        rare = different[counts < least]
        if different.size - rare.size < 2:
            raise ValueError(
                f"{title}: column {name!r} names {different.size} classes in {int(kept.sum())} rows, of which "
                f"{different.size - rare.size} have {least} rows or more; give a target of two classes at least."
            )
        if rare.size:
            gone = np.isin(found, rare)
            kept = kept & ~gone
            listed = ", ".join(rare[:4]) + (f" and {rare.size - 4} more" if rare.size > 4 else "")
            remarks.append(f"Classes of fewer than {least} rows are left out, {int(gone.sum())} rows in all: {listed}.")
    return Target(found, kept, tuple(remarks))
