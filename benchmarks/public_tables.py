"""Public tables from packages, the fixed list on which advice about tables is judged: scikit-learn's and statsmodels'.

Preparation, the same for all: the columns as `thalweg.read_table` takes them (ids, dates, constants left out, text
one-hot, gaps filled), of long tables the first `MOST` rows. Half of the rows train, 200 at most; all others test.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas
import sklearn.datasets as sets

MOST = 3000


class PublicTable(NamedTuple):
    """Its name, a data frame, the column to be predicted, and columns that tell it directly."""

    name: str
    frame: pandas.DataFrame
    target: str
    drop: tuple[str, ...] = ()


def _sklearn(name: str) -> pandas.DataFrame:
    found = getattr(sets, f"load_{name}")(as_frame=True)
    return found.frame.assign(target=found.frame["target"]) if "target" in found.frame else found.frame


def _statsmodels(name: str) -> pandas.DataFrame:
    import importlib

    return importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data


def _named(frame: pandas.DataFrame, column: str) -> pandas.DataFrame:
    return frame.assign(**{column: frame[column].map(lambda v: f"class {v:g}")})


REGRESSIONS: tuple[tuple[str, Callable[[str], pandas.DataFrame], str, tuple[str, ...]], ...] = (
    ("diabetes", _sklearn, "target", ()),
    ("wine", _sklearn, "alcohol", ("target",)),
    ("iris", _sklearn, "petal width (cm)", ("target",)),
    ("breast_cancer", _sklearn, "mean smoothness", ("target",)),
    ("breast_cancer", _sklearn, "worst area", ("target",)),
    ("ccard", _statsmodels, "AVGEXP", ()),
    ("engel", _statsmodels, "foodexp", ()),
    ("fair", _statsmodels, "affairs", ()),
    ("grunfeld", _statsmodels, "invest", ()),
    ("heart", _statsmodels, "survival", ("censors",)),
    ("macrodata", _statsmodels, "realinv", ()),
    ("danish_data", _statsmodels, "lrm", ()),
    ("interest_inflation", _statsmodels, "R", ()),
    ("randhie", _statsmodels, "mdvis", ()),
    ("star98", _statsmodels, "NABOVE", ("NBELOW",)),
    ("statecrime", _statsmodels, "murder", ()),
    ("statecrime", _statsmodels, "violent", ()),
    ("strikes", _statsmodels, "duration", ()),
    ("cancer", _statsmodels, "cancer", ()),
    ("elnino", _statsmodels, "DEC", ()),
    ("scotland", _statsmodels, "YES", ()),
    ("anes96", _statsmodels, "PID", ("vote",)),
    ("modechoice", _statsmodels, "gc", ()),
)
CLASSES: tuple[tuple[str, Callable[[str], pandas.DataFrame], str, tuple[str, ...]], ...] = (
    ("wine", _sklearn, "target", ()),
    ("iris", _sklearn, "target", ()),
    ("breast_cancer", _sklearn, "target", ()),
    ("digits", _sklearn, "target", ()),
    ("anes96", _statsmodels, "vote", ()),
    ("modechoice", _statsmodels, "choice", ()),
    ("modechoice", _statsmodels, "mode", ("choice",)),
    ("heart", _statsmodels, "censors", ("survival",)),
)


def tables() -> Iterator[PublicTable]:
    """All of them; 35 tables, 23 of them regressions."""
    for name, read, target, drop in REGRESSIONS:
        yield PublicTable(f"{name}, {target}", read(name), target, drop)
    for name, read, target, drop in CLASSES:
        frame = read(name)
        yield PublicTable(f"{name}, {target} (classes)", _named(frame, target), target, drop)
    digits = _sklearn("digits")
    some = digits[digits["target"].isin((3, 8))]
    yield PublicTable("digits 3 or 8 (classes)", _named(some, "target"), "target")
    odd = digits.assign(target=digits["target"] % 2)
    yield PublicTable("digits odd or even (classes)", _named(odd, "target"), "target")
    fair = _statsmodels("fair").iloc[::2]
    yield PublicTable(
        "fair, any (classes)", _named(fair.assign(any=1.0 * (fair["affairs"] > 0)), "any"), "any", ("affairs",)
    )
    visits = _statsmodels("randhie")
    visits = visits.assign(any=1.0 * (visits["mdvis"] > 0))
    yield PublicTable("randhie, any (classes)", _named(visits, "any"), "any", ("mdvis",))


def prepared(table: PublicTable) -> tuple[np.ndarray, Any]:
    """Inputs (N, p) and targets (N,) or names of classes."""
    import thalweg as tw

    step = max(1, len(table.frame) // MOST)
    read = tw.read_table(table.frame.iloc[::step][:MOST], table.target, drop=table.drop)
    return read.inputs, read.targets
