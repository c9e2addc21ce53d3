"""A user's own data from files and from other libraries, as a data frame or as arrays."""

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..words.phrases import unknown
from .delimited_text import read_text

if TYPE_CHECKING:
    import pandas

SKLEARN = "sklearn:"
TEXTS = (".csv", ".tsv", ".txt", ".tab", ".dat")
# what reads a file, and the package that it needs
BINARY = {
    ".parquet": ("read_parquet", "pyarrow"),
    ".feather": ("read_feather", "pyarrow"),
    ".xlsx": ("read_excel", "openpyxl"),
}
KNOWN = "a .csv, .tsv, .parquet, .feather, .xlsx or .npz file, sklearn:NAME, or a DataFrame of pandas or polars"


class Frame(NamedTuple):
    """A data frame with the name of where it comes from, and its target's where it brings one."""

    frame: "pandas.DataFrame"
    title: str
    target: str | None = None


def is_table(word: str) -> bool:
    """Whether a word names a table: a file of a kind that is read, or one of scikit-learn's."""
    path = Path(word.removesuffix(".gz"))
    return word.startswith(SKLEARN) or path.suffix.lower() in (*TEXTS, *BINARY, ".npz")


def read_frame(source: Any, target: str | None = None) -> Frame:
    """A data frame from a file, scikit-learn, pandas, polars or pyarrow; ValueError with the repair."""
    import pandas

    if isinstance(source, pandas.DataFrame):
        return Frame(source.set_axis([str(c) for c in source.columns], axis=1), "DataFrame")
    if hasattr(source, "to_dict") and hasattr(source, "schema") and hasattr(source, "columns"):
        return Frame(pandas.DataFrame(source.to_dict(as_series=False)), "DataFrame")
    if hasattr(source, "to_pydict") and hasattr(source, "column_names"):
        return Frame(pandas.DataFrame(source.to_pydict()), "Table")
    if not isinstance(source, str | os.PathLike):
        raise ValueError(f"a table is {KNOWN}; it was given {type(source).__name__}.")
    title = os.fspath(source)
    if title.startswith(SKLEARN):
        return _sklearn_frame(title, target)
    path = file_of(title)
    kind = Path(title.removesuffix(".gz")).suffix.lower()
    if kind in TEXTS:
        return Frame(_text(path), title)
    return Frame(_npz_frame(path), title, "target") if kind == ".npz" else Frame(_binary(path, kind), title)


def _text(path: Path) -> "pandas.DataFrame":
    try:
        return read_text(path)
    except (OSError, EOFError) as trouble:
        raise ValueError(f"{path}: this is no readable table ({trouble}).") from trouble


def _binary(path: Path, kind: str) -> "pandas.DataFrame":
    import importlib.util

    import pandas

    reader, package = BINARY[kind]
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"{path}: {kind} files are read by {package}; pip install 'thalweg[tables]', or give a .csv.")
    try:
        found = getattr(pandas, reader)(path)
    except Exception as trouble:
        first = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        raise ValueError(f"{path}: this is no readable {kind} file ({first}).") from trouble
    return found.set_axis([str(c) for c in found.columns], axis=1)


def _npz_frame(path: Path) -> "pandas.DataFrame":
    """Of a .npz file the two-dimensional array as columns x0, x1, ... and the one-dimensional one as target."""
    import numpy as np
    import pandas

    stored = open_npz(path)
    tables = [v for v in stored.values() if v.ndim == 2]
    rows = [v for v in stored.values() if v.ndim == 1]
    if len(tables) != 1 or len(rows) != 1 or len(tables[0]) != len(rows[0]):
        raise ValueError(
            f"{path} holds {', '.join(f'{k} {v.shape}' for k, v in stored.items())}; one table (rows, columns) and one "
            "array of as many targets are wanted."
        )
    frame = pandas.DataFrame(np.asarray(tables[0]), columns=[f"x{i}" for i in range(tables[0].shape[1])])
    return frame.assign(target=rows[0])


def _sklearn_frame(title: str, target: str | None) -> Frame:
    import pandas

    if target is not None and target != "target":
        raise ValueError(f"{title} brings its own target, so target = {target!r} has no meaning; leave it out.")
    inputs, targets, names = _bunch(title, named=True)
    # a data set may call a column so itself
    called = [f"{n}_" if n == "target" else n for n in names]
    return Frame(pandas.DataFrame(inputs, columns=called).assign(target=targets), title, "target")


def file_of(source: str) -> Path:
    """The path, if it is a file of a kind that is read."""
    path = Path(source)
    if path.is_dir():
        raise ValueError(f"{source} is a folder; give the path of one file in it: {KNOWN}.")
    if not is_table(source):
        raise ValueError(f"{source}: give {KNOWN}.")
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


def plain_numbers(values: Any, what: str) -> Any:
    """A float array; ValueError where text or objects stand in it."""
    import numpy as np

    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} holds text, not numbers; code it as numbers first.") from None


def open_npz(path: Path) -> dict[str, Any]:
    import zipfile

    import numpy as np

    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: this is no readable .npz file; write it with numpy.savez.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, EOFError, zipfile.BadZipFile) as trouble:
        raise ValueError(f"{path}: this is no readable .npz file; write it with numpy.savez.") from trouble
    except ValueError as trouble:
        if "pickle" in str(trouble):
            raise ValueError(f"{path} holds objects, not numbers; save plain float arrays.") from None
        raise


def _bunch(source: str, named: bool = False) -> tuple[Any, Any, list[str]]:
    """Features, target and names of a data set that scikit-learn carries with it (nothing is downloaded).

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
    inputs, targets = plain_numbers(found.data, source), plain_numbers(found.target, f"{source}, target")
    if targets.ndim != 1:
        raise ValueError(f"{source} has {targets.shape[1]} targets; use tw.DatasetRegression with one of them.")
    columns = [str(n) for n in getattr(found, "feature_names", range(inputs.shape[1]))]
    names = np.asarray(getattr(found, "target_names", ()))
    return inputs, names[targets.astype(int)] if named and names.dtype.kind == "U" else targets, columns
