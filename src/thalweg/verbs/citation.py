"""cite: the sources of a result as BibTeX."""

import json
import os
from typing import Any

from .._version import __version__
from ..catalogue.bibliography import entry, places_of
from ..catalogue.outsiders import imported
from ..results.kinds import parts
from ..results.storage import load

OWN = f"""@software{{thalweg,
  title = {{thalweg: predict how a network will train, train it for real, and compare the two}},
  author = {{{{The thalweg contributors}}}},
  version = {{{__version__}}},
}}"""


def cite(result: Any) -> str:
    """BibTeX of all sources that a result rests on (or a saved one, by its path), and of thalweg itself.

    Sources are those of its theories; each stands once, in the order of the result. Raises ValueError for what is no
    result of predict, compare, sweep or order_study.
    """
    found = load(result) if isinstance(result, str | os.PathLike) else result
    more = [place for module in imported().values() for place in places_of(module.__name__)]
    named = [source for told in parts(found, "theory") for source in json.loads(told.attrs.get("source", "[]"))]
    texts = [entry(source, more) or f"% {source}: not in the package's references" for source in dict.fromkeys(named)]
    return "\n\n".join(dict.fromkeys([*texts, OWN]))
