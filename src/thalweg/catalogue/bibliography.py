"""Sources as BibTeX: every references.bib below the package, and those of other packages where they are named."""

import functools
import importlib.util
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

NAME = "references.bib"


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Key and text of each entry, in order; an entry ends where its braces close."""
    for begin in re.finditer(r"^@\w+\{([^,\s]+),", text, re.MULTILINE):
        depth, end = 1, begin.end()
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield begin[1], text[begin.start() : end]


def files(place: Traversable) -> Iterator[Traversable]:
    """A file itself; of a folder, every references.bib in it and below."""
    if place.is_file():
        yield place
    elif place.is_dir():
        for part in sorted(place.iterdir(), key=lambda part: part.name):
            if part.is_dir() or part.name == NAME:
                yield from files(part)


def places_of(module: str) -> list[Path]:
    """Where the sources of a module stand: its folder, if it is a package, else the references.bib beside its file.

    Empty for one that stands in no file, as in a notebook, or that cannot be found.
    """
    try:
        found = importlib.util.find_spec(module)
    except Exception:  # whatever the packages around it raise while they are imported
        return []
    if found is None or not found.origin:
        return []
    folder = Path(found.origin).parent
    # a module alone may lie among files that are none of its own
    return [folder if found.submodule_search_locations else folder / NAME]


@functools.cache
def _own() -> dict[str, str]:
    return _read([resources.files("thalweg")])


def _read(places: Iterable[Traversable]) -> dict[str, str]:
    found: dict[str, str] = {}
    for place in places:
        for file in files(place):
            for key, text in entries(file.read_text(encoding="utf-8")):
                found.setdefault(key, text)
    return found


def bibliography(more: Iterable[str | Path] = ()) -> dict[str, str]:
    """Every entry's text by its key: of the package, and of `more` files or folders (each references.bib below).

    Of two entries with one key the first counts, those of the package before others.
    """
    return _read(Path(place) for place in more) | _own()


def entry(source: str, more: Iterable[str | Path] = ()) -> str | None:
    """The BibTeX of a source such as `Key, section 2`; None where no references.bib has such a key."""
    return bibliography(more).get(source.partition(",")[0].strip())
