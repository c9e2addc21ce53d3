"""A user's own data: .npz, .csv, a pandas DataFrame, or a data set that comes with scikit-learn."""

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..words.phrases import unknown

if TYPE_CHECKING:
    import pandas

SKLEARN = "sklearn:"


class Table(NamedTuple):
    """Features (N, p) and target (N,) of a user's table: numbers, or text where the target names classes.

    `title` and `target` say where it comes from and what is to be predicted.
    """

    inputs: Any
    targets: Any
    title: str
    target: str


def read_arrays(source: str, names: list[str], target: str | None = None, named: bool = False) -> dict[str, Any]:
    """The arrays `names` from a source named in words; ValueError says what is wrong with it and what to do.

    A .npz file holds all of them by name; a table (.csv, scikit-learn) gives the features, then the target. Where
    `named`, the target of a .csv file may be text.
    """
    if not names:
        raise ValueError("--data is for problems that take arrays of the user; this one draws its own data.")
    if source.startswith(SKLEARN):
        return _pair(names, source, *_bunch(source))
    path = _file(source, (".npz", ".csv"), "a .npz file, a .csv file, or sklearn:NAME")
    if path.suffix.lower() == ".csv":
        return _pair(names, source, *_columns(_read_csv(path), source, target, named))
    if target is not None:
        raise ValueError(f"--target is for .csv files; {source} holds its labels under the key {names[-1]!r}.")
    return _read_npz(path, names)


def read_table(source: Any, target: Any = None) -> Table:
    """A table with a column to be predicted: a .csv file, `sklearn:NAME`, or a DataFrame; ValueError with the repair.

    A target column of text (or of a scikit-learn data set with named classes) comes back as an array of text. A
    scikit-learn data set brings its target; of the others `target` names a column.
    """
    target = None if target is None else str(target)
    if hasattr(source, "columns") and hasattr(source, "to_numpy"):
        return Table(*_columns(source, "DataFrame", target, True), "DataFrame", str(target))
    title = os.fspath(source)
    if title.startswith(SKLEARN):
        if target is not None:
            raise ValueError(f"{title} brings its own target, so target = {target!r} has no meaning; leave it out.")
        return Table(*_bunch(title, named=True), title, "target")
    path = _file(title, (".csv",), "a .csv file, sklearn:NAME, or a pandas DataFrame")
    return Table(*_columns(_read_csv(path), title, target, True), title, str(target))


def _file(source: str, endings: tuple[str, ...], known: str) -> Path:
    """The path, if it is a file with one of these endings."""
    path = Path(source)
    if path.is_dir():
        raise ValueError(f"{source} is a folder; give the path of one file in it, {known}.")
    if path.suffix.lower() not in endings:
        raise ValueError(f"{source}: give {known}.")
    if not path.is_file():
        raise ValueError(f"{source}: there is no such file; check the path.")
    return path


def numbered(targets: Any) -> tuple[Any, tuple[str, ...]]:
    """Targets as numbers, and the names of the classes 0, 1, ... in order; none where they are numbers already."""
    import numpy as np

    if targets.dtype.kind != "U":
        return targets, ()
    names, numbers = np.unique(targets, return_inverse=True)
    return numbers.astype(np.float64), tuple(names.tolist())


def mapping(names: tuple[str, ...]) -> str:
    """Which number stands for which name, as the problem takes them: -1 and +1, or one output a class."""
    marks = ("-1", "+1") if len(names) == 2 else tuple(f"output {i}" for i in range(len(names)))
    return ", ".join(f"{name} = {mark}" for name, mark in zip(names, marks, strict=True))


def _pair(names: list[str], source: str, *parts: Any) -> dict[str, Any]:
    if len(names) != len(parts):
        raise ValueError(f"{source}: a table gives features and target, but {', '.join(names)} are wanted; use .npz.")
    return dict(zip(names, parts, strict=True))


def _numbers(values: Any, what: str) -> Any:
    """A float array; ValueError where text or objects stand in it."""
    import numpy as np

    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} holds text, not numbers; code it as numbers first.") from None


def _read_npz(path: Path, names: list[str]) -> dict[str, Any]:
    import zipfile

    import numpy as np

    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: this is no readable .npz file; write it with numpy.savez.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            for name in names:
                if name not in stored.files:
                    raise ValueError(unknown("key", name, stored.files, f" in {path}").replace("unknown", "missing", 1))
            kept = {name: stored[name] for name in names}
    except (OSError, EOFError, zipfile.BadZipFile) as trouble:
        raise ValueError(f"{path}: this is no readable .npz file; write it with numpy.savez.") from trouble
    except ValueError as trouble:
        if "pickle" in str(trouble):
            raise ValueError(f"{path} holds objects, not numbers; save plain float arrays.") from None
        raise
    return {name: _numbers(values, f"{path}: {name}") for name, values in kept.items()}


def _read_csv(path: Path) -> "pandas.DataFrame":
    import pandas

    try:
        return pandas.read_csv(path)
    except (ValueError, OSError) as trouble:
        first = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        raise ValueError(f"{path}: this is no readable table ({first}).") from trouble


def _columns(given: "pandas.DataFrame", title: str, target: str | None, named: bool) -> tuple[Any, Any]:
    """All other columns as numbers, and the target column, text where it names classes (if `named`)."""
    columns = [str(c) for c in given.columns]
    # objects and categories that are numbers, as numbers
    table = given.astype({c: given[c].cat.categories.dtype for c in given.select_dtypes("category")}).infer_objects()
    table.columns = columns
    if target is None:
        raise ValueError(
            f"{title}: say which column is to be learned, target='COLUMN' or --target COLUMN; there are "
            f"{_listed(columns)}."
        )
    if target not in columns:
        raise ValueError(unknown("column", target, columns, f" in {title}"))
    twice = next((c for c in columns if columns.count(c) > 1), None)
    if twice is not None:
        raise ValueError(f"{title}: two columns are called {twice!r}; give them different names.")
    if len(columns) < 2:
        raise ValueError(f"{title}: there is no column beside {target!r}; give at least one to predict it from.")
    if not len(table):
        raise ValueError(f"{title}: there are {len(columns)} columns, but no row; give one row a point.")
    others = [name for name in columns if name != target]
    if all(_is_text(table[name]) and not _as_numbers(table[name]).notna().any() for name in others):
        raise ValueError(
            f"{title}: no column beside {target!r} holds numbers ({_listed(others)}); code them as numbers first."
        )
    text = named and _is_text(table[target])
    for name in columns:
        _check_column(title, name, table[name], text and name == target)
    return table[others].to_numpy(dtype=float), table[target].to_numpy(dtype=str if text else float)


def _is_text(column: Any) -> bool:
    import pandas

    return not (pandas.api.types.is_numeric_dtype(column) or pandas.api.types.is_bool_dtype(column))


def _as_numbers(column: Any) -> Any:
    """Its entries as numbers, missing where they are none."""
    import pandas

    return pandas.Series(pandas.to_numeric(column, errors="coerce"))


def _check_column(title: str, name: str, column: Any, classes: bool) -> None:
    """No text, unless the column names classes; no missing entries; no text among numbers."""
    if _is_text(column):
        numbers = _as_numbers(column).notna()
        strays = [v for v, number in zip(column, numbers, strict=True) if isinstance(v, str) and not number]
        shown = strays[0] if strays else column.iloc[0] if len(column) else ""
        if not classes:
            raise ValueError(f"{title}: column {name!r} holds text ({shown!r}); code it as numbers or remove it.")
        if numbers.mean() > 0.5:
            raise ValueError(
                f"{title}: column {name!r} holds text ({shown!r}) among numbers; remove or correct such rows."
            )
        if column.nunique() == 1:
            raise ValueError(f"{title}: column {name!r} holds {shown!r} in every row; there is nothing to learn.")
    if column.isna().any():
        row = int(column.isna().to_numpy().argmax()) + 1
        raise ValueError(f"{title}: column {name!r} has a missing entry in row {row}; remove or fill such rows.")


def _listed(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _bunch(source: str, named: bool = False) -> tuple[Any, Any]:
    """Features and target of a data set that scikit-learn carries with it (nothing is downloaded).

    `named`: classes that have names in words come back by name.
    """
    import numpy as np
    import sklearn.datasets as sets

    loaders = {
        key.removeprefix("load_"): getattr(sets, key)
        for key in dir(sets)
        if key.startswith("load_") and "return_X_y" in inspect.signature(getattr(sets, key)).parameters
    }
    name = source.removeprefix(SKLEARN)
    if name not in loaders:
        raise ValueError(unknown("scikit-learn data set", name, sorted(loaders)))
    found = loaders[name]()
    inputs, targets = _numbers(found.data, source), _numbers(found.target, f"{source}, target")
    if not named:
        return inputs, targets
    if targets.ndim != 1:
        raise ValueError(f"{source} has {targets.shape[1]} targets; use tw.DatasetRegression with one of them.")
    names = np.asarray(getattr(found, "target_names", ()))
    return inputs, names[targets.astype(int)] if names.dtype.kind == "U" else targets
