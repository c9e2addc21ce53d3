"""The arrays of a problem from a source named in words, as the command line gives it."""

from pathlib import Path
from typing import Any

from ..words.phrases import unknown
from .own_table import read_table
from .table_files import file_of, numbered, open_npz, plain_numbers


def read_arrays(source: str, names: list[str], target: str | None = None, named: bool = False) -> dict[str, Any]:
    """The arrays `names` from a source named in words; ValueError says what is wrong with it and what to do.

    A .npz file that holds all of them by name gives them; any other table gives its inputs, as `read_table` reads them,
    then the target: text where it names classes (if `named`), else numbers.
    """
    if not names:
        raise ValueError("--data is for problems that take arrays of the user; this one draws its own data.")
    if str(source).lower().endswith(".npz"):
        if target is not None:
            raise ValueError(f"--target is for tables with a header; {source} holds its labels under {names[-1]!r}.")
        return _read_npz(file_of(str(source)), names)
    table = read_table(source, target)
    targets = table.targets if named else numbered(table.targets)[0]
    return _pair(names, str(source), table.inputs, targets)


def _pair(names: list[str], source: str, *parts: Any) -> dict[str, Any]:
    if len(names) != len(parts):
        raise ValueError(f"{source}: a table gives features and target, but {', '.join(names)} are wanted; use .npz.")
    return dict(zip(names, parts, strict=True))


def _read_npz(path: Path, names: list[str]) -> dict[str, Any]:
    stored = open_npz(path)
    for name in names:
        if name not in stored:
            raise ValueError(unknown("key", name, list(stored), f" in {path}").replace("unknown", "missing", 1))
    return {
        name: stored[name] if stored[name].dtype.kind == "U" else plain_numbers(stored[name], f"{path}: {name}")
        for name in names
    }
