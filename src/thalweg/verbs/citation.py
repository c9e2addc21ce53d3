"""cite: the sources of a result, a problem or a preset as BibTeX."""

import json
import os
from pathlib import Path
from typing import Any

import xarray as xr

from .._version import __version__
from ..catalogue import registry
from ..catalogue.bibliography import entry, places_of
from ..catalogue.index import index
from ..catalogue.outsiders import imported
from ..results.kinds import parts
from ..results.storage import load
from ..words.phrases import unknown
from ..words.problem import Problem

OWN = f"""@software{{thalweg,
  title = {{thalweg: predict how a network will train, train it for real, and compare the two}},
  author = {{{{The thalweg contributors}}}},
  version = {{{__version__}}},
}}"""


def cite(about: Any) -> str:
    """BibTeX of all sources that a result rests on, and of thalweg itself.

    `about`: a result of predict, compare, sweep or order_study, or the path of a saved one: the sources of its
    theories; a problem, or the name of one: those of every theory that speaks about it; the name of a preset: its own,
    and those of the theories with which it is compared (of all that speak, where it names none). Each stands once.
    Raises ValueError for anything else.
    """
    if isinstance(about, str) and about in index().subjects():
        named = _sources_of_name(about)
    elif isinstance(about, Problem):
        named = [str(source) for kind in registry.theories_of(about) for source in kind.source]
    else:
        named = _sources_of_result(about)
    more = [place for module in imported().values() for place in places_of(module.__name__)]
    texts = [entry(source, more) or f"% {source}: not in the package's references" for source in dict.fromkeys(named)]
    return "\n\n".join(dict.fromkeys([*texts, OWN]))


def _sources_of_name(name: str) -> list[str]:
    """Sources of a preset or problem, from the index alone."""
    found = index()
    preset = found.presets.get(name)
    theories = found.about(preset.returns if preset else name)
    if preset is not None and preset.theories:
        theories = [found.theories[one] for one in preset.theories]
    own = [preset.source] if preset is not None and preset.source else []
    return [*own, *(source for theory in theories for source in theory.source)]


def _sources_of_result(about: Any) -> list[str]:
    if isinstance(about, str) and not Path(about).exists() and not about.endswith(".nc"):
        raise ValueError(unknown("problem or preset", about, index().subjects()) + " A result is told by its path.")
    found = load(about) if isinstance(about, str | os.PathLike) else about
    if not isinstance(found, xr.Dataset | xr.DataTree):
        raise ValueError(
            f"cite() takes a result, its path, a problem, or the name of a problem or preset; it was given "
            f"{type(found).__name__}."
        )
    return [source for told in parts(found, "theory") for source in json.loads(told.attrs.get("source", "[]"))]
