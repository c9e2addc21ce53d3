"""The written schema of results (docs/results.md): nodes, coordinates, variables and attributes of each verb."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from .._version import __version__

FORMAT = "thalweg-result-2"
# read as well; `load` brings them to FORMAT
OLDER = ("thalweg-result-1",)
# parts within parts of a problem, and lists within lists, that an attribute may hold
DEEPEST = 32


@dataclasses.dataclass(frozen=True)
class Entry:
    """An attribute, coordinate or variable: its name, of which kind it is (KINDS, TYPES), and what it says.

    One that is not `needed` may be missing; where it stands, it is of that kind. `dims` are those it ends with.
    """

    name: str
    kind: str
    words: str
    needed: bool = True
    dims: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Node:
    """One data set of a result. `filled`: it has at least one variable of numbers."""

    path: str
    words: str
    attributes: tuple[Entry, ...] = ()
    coordinates: tuple[Entry, ...] = ()
    variables: tuple[Entry, ...] = ()
    filled: bool = True


def _depth_within(value: Any, limit: int) -> bool:
    """Whether lists and dictionaries lie at most `limit` deep; without recursion, for it may be very deep."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def parsed(text: Any) -> Any:
    """What a JSON text says; ValueError where it is none, or nested more than DEEPEST deep."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("no JSON text") from None
    if not _depth_within(found, DEEPEST):
        raise ValueError("nested too deeply")
    return found


def _is_module(value: Any) -> bool:
    """{"class", "module", "fields"}, parts among the fields alike; more keys may stand beside these."""
    if not isinstance(value, dict) or not all(isinstance(value.get(k), str) for k in ("class", "module")):
        return False
    fields = value.get("fields")
    return isinstance(fields, dict) and all(_is_field(one) for one in fields.values())


def _is_field(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_field(one) for one in value)
    return not isinstance(value, dict) or "class" not in value or _is_module(value)


def _all(test: Callable[[Any], bool], least: int = 0) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) >= least and all(test(one) for one in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_point(value: Any) -> bool:
    """A swept value: a number, a part by its class, a name, or several that are tied."""
    return _is_number(value) or _is_text(value) or _is_module(value) or _all(_is_point, 1)(value)


def _is_grid(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_all(_is_point, 1)(v) for v in value.values())


def _is_axis(value: Any) -> bool:
    """Fields that are swept together, and a row of their values for each point."""
    if not isinstance(value, dict) or not _all(_is_text, 1)(value.get("fields")):
        return False
    width = len(value["fields"])
    return _all(lambda row: isinstance(row, list) and len(row) == width and all(map(_is_field, row)), 1)(
        value.get("rows")
    )


def _is_strains(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(v) or _is_text(v) for v in value.values())


# kinds of attributes: whether they are JSON, in words, and the test
KINDS: dict[str, tuple[bool, str, Callable[[Any], bool]]] = {
    "text": (False, "a text", _is_text),
    "number": (False, "a number", _is_number),
    "module": (True, 'JSON: {"class", "module", "fields"}', _is_module),
    "modules": (True, 'JSON: a list of {"class", "module", "fields"}', _all(_is_module, 1)),
    "texts": (True, "JSON: a list of texts", _all(_is_text)),
    "names": (True, "JSON: a list of at least one text", _all(_is_text, 1)),
    "seeds": (True, "JSON: a list of at least one whole number", _all(_is_count, 1)),
    "grid": (True, "JSON: a list of values for each name", _is_grid),
    "axes": (True, 'JSON: a list of {"fields", "rows"}', _all(_is_axis, 1)),
    "strains": (True, "JSON: a number, or inf as text, for each name", _is_strains),
}
# kinds of coordinates and variables: NumPy's kinds of numbers
TYPES = {"float": "f", "whole": "iu", "text": "OUS", "number": "fiub", "float or whole": "fiu"}

_HEAD = (
    Entry("format", "text", f"`{FORMAT}`"),
    Entry("verb", "text", "which verb made it"),
    Entry("thalweg", "text", "version of thalweg", False),
    Entry("jax", "text", "version of jax", False),
    Entry("precision", "text", "type of the numbers computed with", False),
)
_PROBLEM = (
    Entry("problem", "module", "class and fields of the problem"),
    Entry("remarks", "texts", "sentences that belong beside the result", False),
)
_GIVEN = (Entry("given", "texts", 'what the user gave: "data", "start"', False),)
_SEEDS = (Entry("seeds", "seeds", "the seeds that were trained"),)
_THEORY = (
    Entry("theory", "text", "class of the theory"),
    Entry("theory_json", "module", "class and fields of the theory"),
    Entry("strains", "strains", "how hard the problem presses on each assumption", False),
    Entry("source", "texts", "sources of the theory: a key of references.bib and a place", False),
)
_VERDICT = (
    Entry("verdict", "text", "the verdict in a word"),
    Entry("sentence", "text", "the verdict with both of its numbers"),
    Entry("agreement", "number", "worst gap, as a share of its scale"),
    Entry("sensitivity", "number", "worst allowance and error, as a share of its scale"),
)
_TIME = (
    Entry("time", "float or whole", "the rule's clock", True, ("time",)),
    Entry("flow_time", "float", "sum of learning rates; NaN where it has no meaning", False, ("time",)),
)
# points of a sweep over rules have a flow time each
_SWEPT_TIME = (_TIME[0], dataclasses.replace(_TIME[1], dims=None))
_SEED = (Entry("seed", "whole", "seed of each run", True, ("seed",)),)
_SEED_IF = (Entry("seed", "whole", "seed of each run, where the theory speaks of single runs", False, ("seed",)),)
_OUTCOME = (Entry("outcome", "text", "how each run ended, in a sentence", False, ("seed",)),)
_OPTIONAL_THEORY = tuple(dataclasses.replace(one, needed=False) for one in _THEORY)
_BUDGET = (
    *(Entry(n, "text", w, True, ("functional",)) for n, w in (
        ("variable", "the curve or event"), ("measure", "what is read from it"), ("claim", "how it is meant"),
    )),
    *(Entry(n, "float", w, True, ("functional",)) for n, w in (
        ("predicted", "by the theory"), ("measured", "in training"), ("gap", "their difference"),
        ("finite_size", "what the limit leaves out"), ("tolerance", "what the integrators leave open"),
        ("margin", "granted beforehand"), ("error", "what chance leaves open"), ("allowance", "sum of the three"),
        ("scale", "what percentages refer to"),
    )),
    *(Entry(n, "whole", w, True, ("functional",)) for n, w in (
        ("agrees", "1 where the gap lies within allowance and error"), ("resolved", "1 where seen as sharply as asked"),
    )),
)  # fmt: skip
_STUDY = (
    Entry("rule", "module", "class and fields of the rule"),
    Entry("title", "text", "a line about the network"),
    Entry("order", "text", "order of the minibatches"),
    *(Entry(n, "number", w) for n, w in (("cost", "gradients of a minibatch"), ("steps", "of a short run"),
                                         ("then", "steps of the second part"))),
)  # fmt: skip

SCHEMA: dict[str, tuple[Node, ...]] = {
    "predict": (Node("/", "what a theory says", _HEAD + _PROBLEM + _THEORY + _GIVEN, _TIME + _SEED_IF),),
    "train": (Node("/", "what was seen", _HEAD + _PROBLEM + _SEEDS + _GIVEN, _TIME + _SEED, _OUTCOME),),
    "compare": (
        Node("/", "the verdict of the first theory", (
            *_HEAD, *_PROBLEM,
            Entry("theories", "names", "the theories, by the names of their nodes"),
            Entry("theory_json", "modules", "class and fields of each theory"),
            *_VERDICT,
            Entry("resolution", "number", "what share of a scale the run was asked to see"),
            *_SEEDS,
        ), filled=False),
        Node("/training", "what was seen", _SEEDS, _TIME + _SEED, (dataclasses.replace(_OUTCOME[0], needed=True),)),
        Node("/theory", "what a theory says, with its own verdict", _THEORY + _VERDICT, _TIME + _SEED_IF),
        Node("/gap", "mean gap, error and allowance of the common curves, for the eyes", filled=False),
        Node("/budget", "the error budget, a line for each functional", (), (
            Entry("functional", "text", "name of the functional", True, ("functional",)),
        ), _BUDGET, filled=False),
        Node("/inputs", "what the user gave as arrays, and the problem's own (`problem.` before their paths)", (), (), (
            Entry("times", "float or whole", "the times looked at", True, ("times_axis0",)),
        )),
    ),
    "sweep": (
        Node("/", "the grid", (
            *_HEAD, *_PROBLEM, Entry("over", "grid", "the values of each swept name, which is a dim of the nodes"),
            Entry("grid", "axes", "fields and values of each dim, tied ones together, parts as modules", False),
            Entry("chosen", "text", "there where no theory was named and each point took its own", False),
        ), filled=False),
        Node("/theory", "what a theory says at every point", _OPTIONAL_THEORY, _SWEPT_TIME + _SEED_IF, (
            Entry("strain", "float", "strain of the worst assumption of each point", False),
        )),
        Node("/training", "what was seen at every point",
             (dataclasses.replace(_SEEDS[0], needed=False),), _SWEPT_TIME + _SEED_IF, _OUTCOME),
    ),
    "learning_rate_study": (
        Node("/", "losses and marks on one axis of learning rates", _HEAD + _STUDY, (
            Entry("rate", "float", "learning rates of the short runs", True, ("rate",)),
            Entry("step", "float or whole", "steps of a short run", True, ("step",)),
            Entry("sweep_rate", "float", "learning rates of the one run of growing rate", True, ("sweep",)),
            Entry("mark", "text", "names of the marks", True, ("mark",)),
        ), (
            Entry("loss", "float", "of the short runs", True, ("rate", "step")),
            Entry("final_loss", "float", "at their end", True, ("rate",)),
            Entry("regime", "text", "convergent, chaotic or divergent", True, ("rate",)),
            Entry("sweep_loss", "float", "of the run of growing rate", True, ("sweep",)),
            *(Entry(f"mark_{n}", "float", w, True, ("mark",)) for n, w in (
                ("rate", "the rate"), ("low", "smallest over batches"), ("high", "largest over batches"),
                ("cost", "gradients of a minibatch"))),
            Entry("mark_words", "text", "what the mark means", True, ("mark",)),
        )),
    ),
}  # fmt: skip
# verbs whose result is one data set, not a tree
ALONE = ("predict", "train", "learning_rate_study")


def stamp(**attrs: Any) -> dict[str, Any]:
    """Attributes that every result carries; anything but text and numbers is written as JSON."""
    import jax

    base = {"format": FORMAT, "thalweg": __version__, "jax": jax.__version__, "precision": "float64"}
    plain = {k: v if isinstance(v, str | int | float) else json.dumps(v) for k, v in attrs.items() if v is not None}
    return {**base, **plain}
