"""Sources as BibTeX, from references.bib."""

import functools
import re
from importlib import resources


@functools.cache
def bibliography() -> dict[str, str]:
    """Every entry's text by its key; an entry ends where its braces close."""
    text = resources.files("thalweg").joinpath("references.bib").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for begin in re.finditer(r"^@\w+\{([^,\s]+),", text, re.MULTILINE):
        depth, end = 1, begin.end()
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found[begin[1]] = text[begin.start() : end]
    return found


def entry(source: str) -> str | None:
    """The BibTeX of a source such as `Key, section 2`; None where references.bib has no such key."""
    return bibliography().get(source.partition(",")[0].strip())
