"""save and load: a result as one netCDF file, written aside and renamed, read only after it was looked through."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .attributes import packed, unpacked, unwritable
from .checks import check
from .inputs import renamed
from .kinds import kind_of
from .schema import FORMAT, OLDER

# after the end of the netCDF data, where no reader of netCDF looks
SEAL = b"thalweg sha256 "
BLOCK = 1 << 20


def writable(path: str | os.PathLike[str]) -> Path:
    """The path, once its folder is known to take files; ValueError otherwise."""
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise ValueError(f"{target} is a folder; give the name of a file.")
    if not folder.is_dir():
        raise ValueError(f"the folder {folder} does not exist; make it first or choose another.")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"the folder {folder} cannot be written to; choose another.")
    return target


def write_aside(path: str | os.PathLike[str], write: Callable[[str], Any]) -> Path:
    """`write(temporary path)`, then a rename: a reader never meets half a file, a full disk spoils none."""
    target = writable(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
    os.close(handle)
    try:
        write(name)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException as trouble:
        Path(name).unlink(missing_ok=True)
        if isinstance(trouble, OSError):
            raise ValueError(
                f"{target} could not be written ({trouble.strerror}); free space or choose another place."
            ) from trouble
        raise
    return target


def save(result: xr.Dataset | xr.DataTree, path: str | os.PathLike[str]) -> Path:
    """Write a result to one netCDF file, from which report, plot and rerun work alone.

    Attributes of your own (True, None, lists, dictionaries, dates) are kept; ValueError names a variable or attribute
    that no file keeps, and says what a result lacks.
    """
    check(result)
    if isinstance(result, xr.Dataset):
        found = {"/": result}
    else:
        found = {node.path: node.to_dataset(inherit=False) for node in result.subtree}
    parts = {path: _plain(part, path) for path, part in found.items()}
    parts["/"].attrs["format"] = FORMAT

    def write(name: str) -> None:
        xr.DataTree.from_dict(parts).to_netcdf(name, engine="h5netcdf")
        _seal(name)

    return write_aside(path, write)


def _plain(part: xr.Dataset, path: str) -> xr.Dataset:
    """One node as netCDF can hold it; ValueError names what it cannot."""
    own = "this result" if path == "/" else f"node {path}"
    for name in (*part.variables, *part.dims):
        if why := unwritable(name):
            raise ValueError(f"{name!r} of {own} cannot be saved; {why}.")
    for name, values in part.variables.items():
        if why := _unkept(part, name, values):
            raise ValueError(f"variable {name!r} of {own} cannot be saved: {why}.")
    found = part.drop_encoding().copy()
    found.attrs = packed(part.attrs, own)
    for name in found.variables:
        found[name].attrs = packed(part[name].attrs, f"variable {name!r} of {own}")
    return found


def _unkept(part: xr.Dataset, name: Any, values: xr.Variable) -> str:
    """Why netCDF does not hold these values; empty where it does."""
    import pandas as pd

    if isinstance(part.indexes.get(name), pd.MultiIndex):
        return "its index has several levels; reset_index first"
    if values.dtype.kind not in "fiubcOUMm":
        return f"type {values.dtype} is unknown to netCDF; turn it into numbers or texts"
    if values.dtype.kind in "OU":
        texts = np.asarray(values.values, dtype=object).ravel()
        if not all(isinstance(one, str) for one in texts):
            return "its entries are neither numbers nor texts throughout"
        if any("\0" in one or one != one.encode(errors="replace").decode() for one in texts):
            return "a text in it holds a zero byte or half a letter"
    return ""


def _digest(path: str | Path, length: int) -> bytes:
    """SHA-256 of the first `length` bytes."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while length > 0 and (block := file.read(min(BLOCK, length))):
            found.update(block)
            length -= len(block)
    return found.hexdigest().encode()


def _seal(path: str) -> None:
    """A checksum behind the netCDF data: a byte that changed is noticed before HDF5 reads it."""
    digest = _digest(path, os.stat(path).st_size)
    with open(path, "ab") as file:
        file.write(SEAL + digest)


def _check_seal(path: Path) -> None:
    """ValueError where the checksum does not fit; files without one (of the first format, or rewritten) pass."""
    size = os.stat(path).st_size - len(SEAL) - 64
    if size < 0:
        return
    with open(path, "rb") as file:
        file.seek(size)
        seal = file.read()
    if seal.startswith(SEAL) and seal[len(SEAL) :] != _digest(path, size):
        raise ValueError("its bytes are not those that save wrote; it was damaged, or changed by another program.")


def load(path: str | os.PathLike[str]) -> Any:
    """Read a result back: a Dataset where predict, train or learning_rate_study made it, else a DataTree.

    Nothing outside the file is read, and nothing is allocated that the file has no bytes for; a file of the first
    format is brought to the present one. ValueError, in one sentence, for a file that is damaged, points elsewhere,
    claims more than it holds, or does not follow the written schema (docs/results.md).
    """
    target = Path(path)
    if target.is_dir() and (held := sorted(target.glob("*.nc"))):
        raise ValueError(f"{target} is a folder; give the file: {held[-1]}.")
    if not target.is_file():
        raise ValueError(f"{target} does not exist or is no file; give the path of a result that save wrote.")
    with _told(target):
        _check_seal(target)
    tree = _read(target)
    with _told(target):
        for node in tree.subtree:
            _unpack(node, node.path)
        if tree.attrs.get("format") in OLDER:
            tree = _brought_on(tree)
        check(tree)
    return tree.to_dataset() if kind_of(tree).container is xr.Dataset else tree


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    """Sentences with the path before them."""
    try:
        yield
    except ValueError as trouble:
        raise ValueError(f"{target}: {trouble}") from None


def _read(target: Path) -> xr.DataTree:
    """The tree as it stands in the file, in memory."""
    from .intake import Refused, inspect

    try:
        inspect(target)
        with xr.open_datatree(target, engine="h5netcdf") as opened:
            # node by node into memory: a tree as a whole may stay tied to its file
            return xr.DataTree.from_dict({n.path: n.to_dataset(inherit=False).load() for n in opened.subtree})
    except Refused as trouble:
        raise ValueError(f"{target}: {trouble}") from None
    except MemoryError:
        raise ValueError(f"{target} holds more than fits into this machine's memory.") from None
    except Exception as trouble:  # whatever the readers of HDF5 and netCDF stumble over
        raise ValueError(f"{target} is corrupt or no netCDF file; run the command that made it again.") from trouble


def _unpack(node: xr.DataTree, path: str) -> None:
    own = "this result" if path == "/" else f"node {path}"
    node.attrs = unpacked(node.attrs, own)
    for name in map(str, node.to_dataset(inherit=False).variables):
        node[name].attrs = unpacked(node[name].attrs, f"variable {name!r} of {own}")


def _brought_on(tree: xr.DataTree) -> xr.DataTree:
    """A tree of the first format in the present one: arrays of the problem stand under names of their own."""
    parts = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    if "/inputs" in parts:
        parts["/inputs"] = renamed(parts["/inputs"])
    for part in parts.values():
        if part.attrs.get("format") in OLDER:
            part.attrs["format"] = FORMAT
    return xr.DataTree.from_dict(parts)
