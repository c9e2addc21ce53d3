"""The legend of a comparison: theories with their bands, dots, events, and what the panel of the gap shows."""

from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..words.phrases import counted
from .panels import CLAIMS, is_log
from .reading import Comparison
from .style import DOTTED, band_colour, look, tones

LEAVES = {"finite_size": "finite size", "margin": "margin of the problem", "approach": "approach to the limit"}


def handles(found: Comparison, names: list[str], with_events: bool) -> list[Any]:
    """The entries for the panels of these curves."""
    listed: list[Any] = []
    # where colours tell components apart, dashes tell theories
    coloured = len(found.theories) > 1 and any(_several(found, name) for name in names)
    for position, part in enumerate(found.theories):
        claims = set(part.claims().values())
        meant = f" ({' and '.join(CLAIMS.get(kind, kind) for kind in claims.pop())})" if len(claims) == 1 else ""
        dashes = f", {'dashed' if position else 'solid'} in any colour" if coloured and position < 2 else ""
        listed.append(Line2D([], [], lw=1.9, label=f"theory: {part.name}{meant}{dashes}", **look(position)))
        left = [words for key, words in LEAVES.items() if _left(part.budget, key, names) > 0]
        if left:
            colour = band_colour(position)
            listed.append(Patch(color=colour, alpha=0.22, lw=0, label=f"its allowance: {', '.join(left)}"))
    count = counted(found.good.sizes.get("seed", 1), "seed")
    dot = {"marker": "o", "ms": 4, "mfc": tones().paper, "mec": tones().ink, "ls": "none"}
    middle = "geometric mean" if names and all(is_log(found.training[n]) for n in names) else "mean"
    listed.append(Line2D([], [], label=f"training: {middle} of {count}, with error", **dot))
    if with_events:
        listed.append(Line2D([], [], color=tones().ink, lw=1.2, ls=DOTTED, label="event: line theory, dots training"))
    listed.append(Patch(color=tones().pale, lw=0, label="gap inside its budget (below)"))
    listed.append(
        Line2D([], [], color=band_colour(0), marker="D", ms=3.6, ls="none", label="judged: start, half-time, end")
    )
    return listed


def _several(found: Comparison, name: str) -> bool:
    return any(d not in ("time", "time2", "seed") for d in found.training[name].dims)


def _left(budget: Any, key: str, names: list[str]) -> float:
    """The largest term of this kind among the curves; an approach is what the other terms leave of the allowance."""
    mine = np.isin(budget["variable"].values.astype(str), names)
    known = {k: budget[k].values[mine] for k in ("allowance", "finite_size", "margin", "tolerance")}
    if key == "approach":
        rest = known["allowance"] - known["finite_size"] - known["margin"] - known["tolerance"]
        return float(np.max(np.where(rest > 1e-9 * known["allowance"], rest, 0.0), initial=0.0))
    return float(np.max(known[key], initial=0.0))
