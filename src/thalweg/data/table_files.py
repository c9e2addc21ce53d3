"""A user's own data from files: .npz, .csv, or a data set that comes with scikit-learn."""

import inspect
from pathlib import Path
from typing import Any

from ..words.phrases import unknown

SKLEARN = "sklearn:"


def read_arrays(source: str, names: list[str], target: str | None = None, named: bool = False) -> dict[str, Any]:
    """The arrays `names` from a source named in words; ValueError says what is wrong with it and what to do.

    A .npz file holds all of them by name; a table (.csv, scikit-learn) gives the features, then the target. Where
    `named`, the target of a .csv file may be text.
    """
    if not names:
        raise ValueError("--data is for problems that take arrays of the user; this one draws its own data.")
    if source.startswith(SKLEARN):
        return _pair(names, source, *_bunch(source[len(SKLEARN) :]))
    path = Path(source)
    if path.suffix.lower() not in (".npz", ".csv"):
        raise ValueError(f"--data {source}: give a .npz file, a .csv file, or sklearn:NAME.")
    if not path.is_file():
        raise ValueError(f"--data {source}: there is no such file; check the path.")
    if path.suffix.lower() == ".npz" and target is not None:
        raise ValueError(f"--target is for .csv files; {source} holds its labels under the key {names[-1]!r}.")
    if path.suffix.lower() == ".csv":
        return _read_csv(path, names, target, named)
    return _read_npz(path, names)


def read_table(source: str, target: str | None) -> tuple[Any, Any]:
    """Features and target of a table, .csv; ValueError says what is wrong with it and what to do.

    A target column of text comes back as an array of text: names of classes.
    """
    found = read_arrays(source, ["inputs", "targets"], target, named=True)
    return found["inputs"], found["targets"]


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
        raise ValueError(
            f"--data {source}: a table gives features and target, but {', '.join(names)} are wanted; use .npz."
        )
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
        raise ValueError(f"--data {path}: this is no readable .npz file; write it with numpy.savez.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            for name in names:
                if name not in stored.files:
                    raise ValueError(unknown("key", name, stored.files, f" in {path}").replace("unknown", "missing", 1))
            kept = {name: stored[name] for name in names}
    except (OSError, EOFError, zipfile.BadZipFile) as trouble:
        raise ValueError(f"--data {path}: this is no readable .npz file; write it with numpy.savez.") from trouble
    except ValueError as trouble:
        if "pickle" in str(trouble):
            raise ValueError(f"--data {path} holds objects, not numbers; save plain float arrays.") from None
        raise
    return {name: _numbers(values, f"{path}: {name}") for name, values in kept.items()}


def _read_csv(path: Path, names: list[str], target: str | None, named: bool) -> dict[str, Any]:
    import pandas

    try:
        table = pandas.read_csv(path)
    except (ValueError, OSError) as trouble:
        first = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        raise ValueError(f"--data {path}: this is no readable table ({first}).") from trouble
    columns = [str(c) for c in table.columns]
    table.columns = columns
    if target is None:
        raise ValueError(
            f"--data {path}: say which column is to be learned, --target COLUMN; there are {_listed(columns)}."
        )
    if target not in columns:
        raise ValueError(unknown("column", target, columns, f" in {path}"))
    if len(columns) < 2:
        raise ValueError(f"--data {path}: there is no column beside {target!r}; give at least one to predict it from.")
    text = named and _is_text(table[target])
    for name in columns:
        _check_column(path, name, table[name], text and name == target)
    inputs = table.drop(columns=[target]).to_numpy(dtype=float)
    return _pair(names, str(path), inputs, table[target].to_numpy(dtype=str if text else float))


def _is_text(column: Any) -> bool:
    import pandas

    return not (pandas.api.types.is_numeric_dtype(column) or pandas.api.types.is_bool_dtype(column))


def _check_column(path: Path, name: str, column: Any, classes: bool) -> None:
    """No text, unless the column names classes; no missing entries; no text among numbers."""
    import pandas

    if _is_text(column):
        numbers = pandas.Series(pandas.to_numeric(column, errors="coerce")).notna()
        strays = [v for v, number in zip(column, numbers, strict=True) if isinstance(v, str) and not number]
        shown = strays[0] if strays else column.iloc[0] if len(column) else ""
        if not classes:
            raise ValueError(f"{path}: column {name!r} holds text ({shown!r}); code it as numbers or remove it.")
        if numbers.mean() > 0.5:
            raise ValueError(
                f"{path}: column {name!r} holds text ({shown!r}) among numbers; remove or correct such rows."
            )
        if column.nunique() == 1:
            raise ValueError(f"{path}: column {name!r} holds {shown!r} in every row; there is nothing to learn.")
    if column.isna().any():
        row = int(column.isna().to_numpy().argmax()) + 1
        raise ValueError(f"{path}: column {name!r} has a missing entry in row {row}; remove or fill such rows.")


def _listed(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _bunch(name: str) -> tuple[Any, Any]:
    """Features and target of a data set that scikit-learn carries with it (nothing is downloaded)."""
    import sklearn.datasets as sets

    loaders = {
        key.removeprefix("load_"): getattr(sets, key)
        for key in dir(sets)
        if key.startswith("load_") and "return_X_y" in inspect.signature(getattr(sets, key)).parameters
    }
    if name not in loaders:
        raise ValueError(unknown("scikit-learn data set", name, sorted(loaders)))
    found = loaders[name]()
    return _numbers(found.data, f"sklearn:{name}"), _numbers(found.target, f"sklearn:{name}, target")
