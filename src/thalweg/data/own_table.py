"""A user's table as it comes: what is used of it, what is made of text and missing entries, and what is left out."""

import dataclasses
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..words.phrases import counted, unknown
from .table_columns import NUMBERS, Column, judged, target_of
from .table_files import Frame, read_frame

if TYPE_CHECKING:
    import pandas


# names that a sentence lists
NAMED = 12


@dataclasses.dataclass(frozen=True)
class Account:
    """What was made of a table, by name: printed as lines.

    used: columns taken as numbers; made: columns of text, one 0/1 column a level; filled: columns with missing entries,
    and how many; dropped: name and why; remarks: one sentence each.
    """

    title: str
    rows: int
    target: str
    used: tuple[str, ...]
    made: tuple[str, ...]
    filled: tuple[tuple[str, int], ...]
    dropped: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]

    def __iter__(self) -> Any:
        return iter(self.lines())

    def lines(self) -> list[str]:
        """The account line by line."""
        told = [f"{self.title}: {self.rows} rows, {self.target!r} to be predicted"]
        told += [f"  used as numbers: {listed(self.used)}"] if self.used else []
        told += [f"  text, one 0/1 column a level: {listed(self.made)}"] if self.made else []
        gaps = [f"{name} ({count})" for name, count in self.filled]
        told += [f"  missing, set to the median, with a column that says where: {listed(gaps)}"] if gaps else []
        told += [f"  left out: {name}: {why}" for name, why in self.dropped]
        return [*told, *(f"  note: {one}" for one in self.remarks)]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    @property
    def is_worth_a_word(self) -> bool:
        """Whether anything but numbers as they are was found."""
        return bool(self.made or self.filled or self.dropped or self.remarks)


@dataclasses.dataclass(frozen=True, eq=False)
class OwnTable:
    """A table read by `read_table`: `frame` of the columns that are used, `targets` (floats, or text for classes).

    groups, order, weights: the columns of these roles (N,), or None. `account` says what was made of what.
    """

    title: str
    target: str
    frame: "pandas.DataFrame"
    targets: Any
    account: Account
    groups: Any = None
    order: Any = None
    weights: Any = None

    @property
    def numeric(self) -> list[str]:
        """Names of the columns that are numbers."""
        return [str(c) for c in self.frame.columns if self.frame[c].dtype.kind == "f"]

    @property
    def text(self) -> list[str]:
        """Names of the columns that are text."""
        return [str(c) for c in self.frame.columns if self.frame[c].dtype.kind != "f"]

    @property
    def has_to_be_made(self) -> bool:
        """Whether its columns are not all there is: some are left out, text, or have gaps."""
        return bool(self.account.made or self.account.filled or self.account.dropped)

    def transformer(self) -> Any:
        """scikit-learn's transformer, not fitted yet: medians and indicators for gaps, 0/1 columns for levels."""
        from .table_transformer import transformer

        return transformer(self.numeric, self.text, len(self.frame))

    def encoded(self, rows: Any = None) -> tuple[Any, list[str]]:
        """All inputs as numbers (N, p), and their names; medians and levels are those of `rows` (all unless given)."""
        import numpy as np

        if not self.text and not self.frame.isna().to_numpy().any():
            return self.frame.to_numpy(dtype=float), self.numeric
        made = self.transformer().fit(self.frame if rows is None else self.frame.iloc[np.asarray(rows)])
        return np.asarray(made.transform(self.frame), dtype=float), [str(n) for n in made.get_feature_names_out()]

    @cached_property
    def inputs(self) -> Any:
        """All inputs as numbers (N, p), by all rows."""
        return self.encoded()[0]


def listed(names: Iterable[str], most: int = NAMED) -> str:
    """Names with commas, the first few."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def read_table(
    source: Any,
    target: Any = None,
    *,
    drop: Any = (),
    groups: Any = None,
    order: Any = None,
    weights: Any = None,
) -> OwnTable:
    """A table with a column to be predicted, as it comes, and an account of what was made of it.

    `source`: the path of a .csv, .tsv, .txt (comma, semicolon, tab; decimal commas; also .gz), .parquet, .feather,
    .xlsx or .npz file; `sklearn:NAME`; a DataFrame of pandas or polars; a table of pyarrow. `target` names the column
    to be learned (scikit-learn's tables bring theirs); `drop` columns to leave out; `groups`, `order`, `weights`
    columns that say which rows belong together, in which order they came, and how much each counts.
    Of the other columns numbers are used as they are, text becomes a 0/1 column a level (rare levels pooled), missing
    numbers become the median beside a column that says where; constant columns, dates, numbers and names of the row,
    and copies of the target are left out. Nothing is filled or counted before training rows are known:
    `table.transformer()` is to be fitted on them. Raises ValueError, one sentence, with column and row.
    """
    drop = [drop] if isinstance(drop, str) else [str(one) for one in drop]
    given = read_frame(source, None if target is None else str(target))
    names = [str(c) for c in given.frame.columns]
    roles = {"groups": groups, "order": order, "weights": weights}
    chosen = {role: str(name) for role, name in roles.items() if name is not None}
    wanted = _target_name(given, names, target)
    for name in (wanted, *drop, *chosen.values()):
        if name not in names:
            raise ValueError(unknown("column", name, names, f" in {given.title}"))
    twice = next((c for c in names if names.count(c) > 1), None)
    if twice is not None:
        raise ValueError(f"{given.title}: two columns are called {twice!r}; give them different names.")
    spoken = [*chosen.items(), ("target", wanted)]
    for role, name in spoken:
        others = [r for r, n in spoken if n == name and r != role]
        if others or (name in drop):
            raise ValueError(f"{given.title}: column {name!r} is {role} and {(*others, 'drop')[0]}; it can be but one.")
    return _made(given, wanted, [n for n in names if n not in (wanted, *drop, *chosen.values())], drop, chosen)


def _target_name(given: Frame, names: list[str], target: Any) -> str:
    wanted = given.target if target is None else str(target)
    if wanted is None:
        raise ValueError(
            f"{given.title}: say which column is to be learned, target='COLUMN' or --target COLUMN; there are "
            f"{listed(names)}."
        )
    return wanted


def _made(given: Frame, target: str, others: list[str], drop: list[str], chosen: dict[str, str]) -> OwnTable:
    import pandas

    title = given.title
    frame: Any = given.frame
    if not others:
        raise ValueError(f"{title}: there is no column beside {target!r}; give at least one to predict it from.")
    if not len(frame):
        raise ValueError(
            f"{title}: there are {counted(len(frame.columns), 'column')}, but no row; give one row a point."
        )
    answer = target_of(title, target, frame[target])  # pyright: ignore[reportArgumentType]
    rows = frame[answer.kept].reset_index(drop=True)
    columns = [_without_copies(judged(title, name, rows[name]), answer.values[answer.kept]) for name in others]
    used = [c for c in columns if not c.why_not]
    dropped = [(c.name, c.why_not) for c in columns if c.why_not]
    if not used:
        raise ValueError(
            f"{title}: no column beside {target!r} can be used ({listed(f'{n}: {why}' for n, why in dropped)})."
        )
    made: Any = pandas.DataFrame({c.name: c.values if c.kind == NUMBERS else c.values.to_numpy(object) for c in used})
    missing = [(c.name, int(made[c.name].isna().sum())) for c in used if c.kind == NUMBERS]
    account = Account(
        title,
        len(rows),
        target,
        tuple(c.name for c in used if c.kind == NUMBERS),
        tuple(f"{c.name} ({c.values.nunique()})" for c in used if c.kind != NUMBERS),
        tuple((name, count) for name, count in missing if count),
        (*((name, "as asked") for name in drop), *dropped),
        (*answer.remarks, *_remarks(made, rows, columns, chosen)),
    )
    parts = {role: _role(title, role, name, rows[name]) for role, name in chosen.items()}
    return OwnTable(title, target, made, answer.values[answer.kept], account, **parts)


def _without_copies(column: Column, targets: Any) -> Column:
    """A column that is the target once more is no input."""
    import numpy as np

    if column.why_not:
        return column
    if column.kind == NUMBERS and targets.dtype.kind == "f":
        same = np.array_equal(column.values, targets)
    else:
        values = np.asarray(column.values).astype(str)
        pairs = len(set(zip(values.tolist(), targets.astype(str).tolist(), strict=True)))
        same = pairs == np.unique(values).size == np.unique(targets).size
    return column._replace(why_not="the target once more") if same else column


def _remarks(made: Any, rows: Any, columns: list[Column], chosen: dict[str, str]) -> list[str]:
    told = [f"Column {c.name!r} {c.remark}." for c in columns if c.remark]
    again = int(made.duplicated().sum())
    if again:
        told.append(
            f"{counted(again, 'row')} of inputs {'is' if again == 1 else 'are'} a repetition of an earlier one: held "
            "out alone they are half known; name what they share as groups."
        )
    if "groups" not in chosen:
        told += [_like_groups(c) for c in columns if c.kind != NUMBERS and not c.why_not and _like_groups(c)]
    if "order" not in chosen:
        told += [
            f"Column {c.name!r} looks like a time: if later rows are to be predicted from earlier ones, name it "
            "as order."
            for c in columns
            if _like_time(c, rows)
        ]
    return told


def _like_groups(column: Column) -> str:
    """The remark about text with many levels of several rows each."""
    levels, count = column.values.nunique(), len(column.values)
    if not 10 <= levels <= count / 3:
        return ""
    return (
        f"Column {column.name!r} has {levels} levels of {count / levels:.0f} rows: if new rows come from other ones, "
        "name it as groups, else the loss told is too low."
    )


def _like_time(column: Column, rows: Any) -> bool:
    import numpy as np

    name = column.name.lower()
    named = any(word in name for word in ("date", "time", "year", "month", "timestamp"))
    if column.why_not.startswith("dates"):
        return True
    if column.kind != NUMBERS or column.why_not or not named:
        return False
    values = column.values[~np.isnan(column.values)]
    return values.size > 8 and bool(np.all(np.diff(values) >= 0))


def _role(title: str, role: str, name: str, column: Any) -> Any:
    """The column of a role, checked: groups at least two, and as text; order and weights numbers, none missing."""
    import numpy as np
    import pandas

    if column.isna().any():
        row = int(column.isna().to_numpy().argmax()) + 1
        raise ValueError(f"{title}: column {name!r}, {role}, has a missing entry in row {row}; fill or remove it.")
    if role == "groups":
        groups = column.astype(str).to_numpy(dtype=str)
        kinds = np.unique(groups).size
        if kinds < 3 or kinds == len(groups):
            raise ValueError(
                f"{title}: column {name!r} makes {counted(kinds, 'group')} of {len(groups)} rows; groups are 3 or "
                "more, some of several rows."
            )
        return groups
    numbers = pandas.Series(pandas.to_numeric(column, errors="coerce"))
    if role == "order" and numbers.isna().any():
        dates = pandas.Series(pandas.to_datetime(column, errors="coerce", format="mixed"))
        numbers = dates.astype("int64").astype(float).where(dates.notna())
    if numbers.isna().any():
        row = int(numbers.isna().to_numpy().argmax())
        raise ValueError(
            f"{title}: column {name!r}, {role}, holds {column.iloc[row]!r} in row {row + 1}; give numbers."
        )
    found = numbers.to_numpy(dtype=float)
    if role == "weights" and (np.any(found < 0) or not np.any(found > 0)):
        row = int(np.argmax(found < 0)) + 1
        raise ValueError(
            f"{title}: column {name!r}, weights, holds {found[row - 1]:.6g} in row {row}; give numbers >= 0."
        )
    return found
