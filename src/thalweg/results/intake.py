"""What a result file may hold: its own plain data and nothing that points elsewhere, no more than it has room for.

HDF5, of which netCDF files are made, can keep a data set in some other file, link to other files, compute with
programs from the reader's disk, and claim sizes that no byte stands for. The file is walked here before anything of it
is read.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5r, h5s, h5t, h5z  # pyright: ignore[reportAttributeAccessIssue]

__all__ = ["DEFLATE", "Refused", "inspect"]

# a byte of deflate stands for 1032 at most (two bits for a repeat of 258), and its stream has a few bytes more
DEFLATE, SLACK = 1032, 1024
DEPTH, GROUPS, OBJECTS, ATTRIBUTES, TEXTS, BLOCK = 8, 500, 20_000, 1000, 256, 64
FILTERS = {h5z.FILTER_DEFLATE: "deflate", h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_FLETCHER32: "fletcher32"}
# how netCDF ties a variable to its dims; the one place where objects of the file refer to each other
TIES = (b"DIMENSION_LIST", b"REFERENCE_LIST")
DIM_ALONE = b"This is a netCDF dimension but not a netCDF variable."
POINTER = 16  # bytes of a text of free length in a data set: its length and where it stands


def inspect(path: Path) -> None:
    """ValueError, in one sentence, unless the file is one closed box of data of an honest size.

    Refused: data sets kept in other files (external storage), virtual data sets, links other than hard ones, a second
    name for one object, references, filters other than deflate, shuffle and checksum, types other than numbers and
    text, sizes that the stored bytes cannot fill (a chunk that was never written, more than 1032 bytes for one of
    deflate), more than this machine's memory, groups more than DEPTH deep, more than GROUPS groups or OBJECTS objects.
    """
    with h5py.File(path, "r") as file:
        walk = _Walk(path, file)
        walk.everything()
        walk.close()


class Refused(ValueError):
    """Why a file is not read."""


def _refuse(words: str) -> NoReturn:
    raise Refused(f"{words}; save writes no such file, and it is not read.")


def _number(kind: Any) -> bool:
    """Whole or real numbers, booleans (an enumeration of them), complex numbers (two real ones)."""
    if isinstance(kind, h5t.TypeIntegerID | h5t.TypeFloatID | h5t.TypeEnumID):
        return True
    if isinstance(kind, h5t.TypeCompoundID) and kind.get_nmembers() == 2:
        return all(isinstance(kind.get_member_type(i), h5t.TypeFloatID) for i in range(2))
    return False


def _free_text(kind: Any) -> bool:
    return isinstance(kind, h5t.TypeStringID) and kind.is_variable_str()


def _memory() -> float:
    """Bytes of this machine's memory; without bound where the system does not tell."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else math.inf


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _blocks(found: h5py.Dataset) -> Iterator[np.ndarray]:
    """All values, about BLOCK at a time."""
    shape, axis, inner = found.shape, len(found.shape), 1
    while axis and inner * shape[axis - 1] <= BLOCK:
        axis -= 1
        inner *= shape[axis]
    if axis == 0:
        yield np.asarray(found[()], dtype=object)
        return
    rows = max(1, BLOCK // max(inner, 1))
    for lead in np.ndindex(shape[: axis - 1]):
        for first in range(0, shape[axis - 1], rows):
            yield np.asarray(found[(*lead, slice(first, first + rows))], dtype=object)


class _Walk:
    """One pass over all objects; counts what they claim."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.file, self.size = file, os.stat(path).st_size
        self.seen: set[int] = set()
        self.data: set[int] = set()
        self.ties: list[tuple[str, Any]] = []
        self.stored = self.claimed = self.texts = self.groups = 0

    def everything(self) -> None:
        """Every group, data set and attribute."""
        open_groups = [("", self.file["/"].id)]
        self._once("/", self.file.id)
        while open_groups:
            here, group = open_groups.pop()
            self._attributes(here or "/", group)
            if here.count("/") > DEPTH:
                _refuse(f"{here} lies more than {DEPTH} groups deep")
            self.groups += 1
            if self.groups > GROUPS or len(self.seen) + group.get_num_objs() > OBJECTS:
                _refuse(f"more than {GROUPS} groups or {OBJECTS} objects were met at {here or '/'}")
            for name in group:
                inner = f"{here}/{name.decode(errors='replace')}"
                if group.links.get_info(name).type != h5l.TYPE_HARD:
                    _refuse(f"{inner} is a link to another place or file")
                found = h5o.open(group, name)
                self._once(inner, found)
                if isinstance(found, h5g.GroupID):
                    open_groups.append((inner, found))
                elif isinstance(found, h5d.DatasetID):
                    self._data_set(inner, found)
                elif not _number(found):
                    _refuse(f"{inner} is a type other than numbers and text")

    def close(self) -> None:
        """What can be said once all is seen: dims are data sets of this file, and the sum of all sizes."""
        for here, reference in self.ties:
            target = h5r.dereference(reference, self.file.id) if reference else None
            if not isinstance(target, h5d.DatasetID) or h5o.get_info(target).addr not in self.data:
                _refuse(f"the dims of {here} lie outside what can be seen of this file")
        if self.stored > self.size:
            _refuse(f"its data sets claim {self.stored} stored bytes in a file of {self.size}")
        if self.claimed > _memory():
            raise Refused(f"its data take {self.claimed / 2**30:.1f} GiB, more than this machine's memory.")

    def _once(self, here: str, found: Any) -> None:
        address = h5o.get_info(found).addr
        if address in self.seen:
            _refuse(f"{here} is a second name for another part of the file")
        self.seen.add(address)

    def _attributes(self, here: str, owner: Any) -> None:
        count = h5a.get_num_attrs(owner)
        if count > ATTRIBUTES:
            _refuse(f"{here} has {count} attributes, {ATTRIBUTES} are allowed")
        for i in range(count):
            found = h5a.open(owner, index=i)
            where = f"attribute {found.name.decode(errors='replace')!r} of {here}"
            kind, space = found.get_type(), found.get_space()
            points = 0 if space.get_simple_extent_type() == h5s.NULL else space.get_simple_extent_npoints()
            if points * kind.get_size() > self.size:
                _refuse(f"{where} claims more bytes than the file has")
            if found.name in TIES:
                if found.name == TIES[0] and isinstance(owner, h5d.DatasetID):
                    self._tied(here, owner)
            elif _free_text(kind):
                if points > TEXTS:
                    _refuse(f"{where} holds {points} texts, {TEXTS} are allowed")
                self._read_text(where, h5py.AttributeManager(SimpleNamespace(id=owner)).get(found.name), points)
            elif not (_number(kind) or isinstance(kind, h5t.TypeStringID)):
                _refuse(f"{where} is a reference, or of a type other than numbers and text")

    def _tied(self, here: str, owner: h5d.DatasetID) -> None:
        rows: Any = h5py.Dataset(owner).attrs["DIMENSION_LIST"]
        for row in rows:
            if any(not isinstance(one, h5r.Reference) for one in row):
                _refuse(f"the dims of {here} are no references")
            self.ties += [(here, one) for one in row]

    def _read_text(self, where: str, found: Any, points: int) -> None:
        """Texts of free length stand in a common store, where many may claim the same bytes."""
        parts = [found] if isinstance(found, str | bytes) or not points else list(getattr(found, "flat", ()))
        raw = [one.encode(errors="surrogateescape") if isinstance(one, str) else bytes(one) for one in parts]
        if not all(_is_utf8(one) for one in raw):
            _refuse(f"{where} holds bytes that are no text")
        self.texts += sum(map(len, raw))
        if self.texts > self.size:
            _refuse(f"{where} claims more text than the file has bytes")

    def _data_set(self, here: str, found: h5d.DatasetID) -> None:
        self._attributes(here, found)
        plan, kind, space = found.get_create_plist(), found.get_type(), found.get_space()
        if plan.get_external_count():
            _refuse(f"{here} is kept in another file (external storage)")
        if plan.get_layout() == h5d.VIRTUAL:
            _refuse(f"{here} is made of other data sets (virtual)")
        unknown = [str(f) for i in range(plan.get_nfilters()) if (f := plan.get_filter(i)[0]) not in FILTERS]
        if unknown:
            _refuse(f"{here} is packed by filter {unknown[0]}; {', '.join(FILTERS.values())} are known")
        if not (_number(kind) or isinstance(kind, h5t.TypeStringID)) or space.get_simple_extent_type() == h5s.NULL:
            _refuse(f"{here} holds references, or something other than numbers and text")
        self.data.add(h5o.get_info(found).addr)
        self._sizes(here, found, plan, POINTER if _free_text(kind) else kind.get_size())
        if _free_text(kind):
            self._text_data(here, h5py.Dataset(found))

    def _sizes(self, here: str, found: h5d.DatasetID, plan: Any, each: int) -> None:
        shape, stored = found.shape, found.get_storage_size()
        claimed = math.prod(shape) * each
        if claimed and not stored and DIM_ALONE in bytes(h5py.Dataset(found).attrs.get("NAME", b"")):
            return  # a dim without a coordinate: a length, no values
        ratio = 1
        if plan.get_layout() == h5d.CHUNKED:
            chunk = plan.get_chunk()
            chunks = math.prod(-(-n // c) for n, c in zip(shape, chunk, strict=True))
            written = found.get_num_chunks() if chunks else 0
            if written < chunks:
                _refuse(f"{here} claims {claimed} bytes, but only {written} of its {chunks} chunks were ever written")
            claimed = max(claimed, chunks * math.prod(chunk) * each)
            deflated = any(plan.get_filter(i)[0] == h5z.FILTER_DEFLATE for i in range(plan.get_nfilters()))
            ratio = DEFLATE if deflated else 1
        if claimed > ratio * stored + (SLACK if ratio > 1 else 0):
            _refuse(f"{here} claims {claimed} bytes, for which {stored} are stored")
        self.stored += stored
        self.claimed += claimed

    def _text_data(self, here: str, found: h5py.Dataset) -> None:
        """Read in blocks, so that not even a lie about shared texts is read whole."""
        count, longest = math.prod(found.shape), 0
        if count * POINTER > self.size:
            _refuse(f"{here} claims {count} texts in a file of {self.size} bytes")
        for block in _blocks(found):
            self._read_text(here, block, block.size)
            longest = max([longest, *(len(one) for one in block.flat)])
        # as an array every text takes the room of the longest
        self.claimed += 4 * longest * count
        if 4 * longest * count > DEFLATE * self.size:
            _refuse(f"{here} claims {count} texts of up to {longest} letters in a file of {self.size} bytes")
