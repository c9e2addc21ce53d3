"""The verdict: what the budget says, in one word and one sentence."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from .budget_row import Row
from .chance import student
from .fitted import FITTED
from .measures import good_seeds

WORDS = (
    "confirmed",
    "consistent",
    "inconclusive",
    "contradicted",
    "better than promised",
    "outside its regime",
)


@dataclasses.dataclass
class Verdict:
    """One of WORDS, a sentence, the worst gap and the worst allowance + error as shares of their scale, and notes."""

    verdict: str
    sentence: str
    agreement: float
    sensitivity: float
    notes: list[str]


def judge(budget: Sequence[Row], strain: tuple[str, float], resolution: float, seeds: int, seen: xr.Dataset) -> Verdict:
    """Mark each row as resolved or not, and sum up.

    Agreement counts only where every functional was seen as sharply as asked; else it is "inconclusive". It is
    "confirmed" (or "consistent" for limits), or "better than promised" where an assumption is broken. Disagreement is
    "contradicted", or "outside its regime" where an assumption is broken.
    """
    notes = _lost(seen)
    notes += [row.left_out for row in budget if row.left_out]
    absent = [row for row in budget if math.isnan(row.gap) and not row.left_out]
    notes += [f"{row.name} did not happen in the runs; it is left out." for row in absent]
    usable = [row for row in budget if not row.left_out and not math.isnan(row.gap)]
    if any(row.fault for row in usable):
        return _spoiled([row for row in usable if row.fault], strain, notes)
    if not usable:
        return Verdict("inconclusive", "inconclusive: nothing could be compared", math.nan, math.nan, notes)
    later = {row.variable for row in usable if row.measure != "start"}
    for row in usable:
        row.resolved = row.blur <= row.wanted(resolution)
        row.asked = row.decides(resolution, row.variable not in later)
    agreement, sensitivity = _numbers(usable)
    missed = [row for row in usable if not row.agrees]
    broken = strain[1] > 1
    word = _word(usable, missed, broken)
    return Verdict(word, _sentence(word, usable, missed, strain, resolution, seeds), agreement, sensitivity, notes)


def _spoiled(faulty: Sequence[Row], strain: tuple[str, float], notes: list[str]) -> Verdict:
    """The verdict on a prediction that has no number where runs have one, or the other way about."""
    broken = strain[1] > 1
    word = "outside its regime" if broken else "contradicted"
    more = f" ({len(faulty)} predictions are at fault)" if len(faulty) > 1 else ""
    told = f"; {strain[0]!r} is strained to {strain[1]:.3g} (1 is the edge)" if broken else ""
    return Verdict(word, f"{word}: {faulty[0].fault}{more}{told}", math.nan, math.nan, notes)


def _word(usable: Sequence[Row], missed: Sequence[Row], broken: bool) -> str:
    if missed:
        return "outside its regime" if broken else "contradicted"
    if not all(row.resolved for row in usable if row.asked):
        return "inconclusive"
    if broken:
        return "better than promised"
    return "consistent" if all(row.claim == "limit" for row in usable) else "confirmed"


def _numbers(usable: Sequence[Row]) -> tuple[float, float]:
    """Worst gap and worst allowance + error, as shares of their scale, over values; times only where all are times."""
    sharp = _sharp(usable)
    return max(abs(row.gap) / row.scale for row in sharp), max(row.seen for row in sharp)


def _sharp(usable: Sequence[Row]) -> list[Row]:
    """The values among what is asked for; the times where there are no values."""
    asked = [row for row in usable if row.asked] or list(usable)
    return [row for row in asked if row.bluntness == 1.0] or asked


def _granted(usable: Sequence[Row]) -> str:
    """How much of what the run could have seen is a margin, which does not count against the resolution."""
    worst = max(_sharp(usable), key=lambda row: row.seen)
    return f", of it {percent(worst.margin / worst.scale)} a margin granted beforehand" if worst.margin else ""


def _blunter(usable: Sequence[Row], sensitivity: float) -> str:
    """The bluntest row, where it could be off by more than all values; clocks of single curves repeat what they say."""
    told = [row for row in usable if row.measure not in FITTED or row.asked]
    worst = max(told or usable, key=lambda row: row.seen)
    return f" ({worst.name}: {percent(worst.seen)})" if worst.seen > sensitivity else ""


def percent(share: float) -> str:
    """A share in percent: two decimals, or one digit that matters where these would be zeros."""
    return f"{share:.2%}" if share == 0 or abs(share) >= 5e-5 else f"{100 * share:.0e}%"


def _sentence(
    word: str,
    usable: Sequence[Row],
    missed: Sequence[Row],
    strain: tuple[str, float],
    resolution: float,
    seeds: int,
) -> str:
    agreement, sensitivity = _numbers(usable)
    numbers = f"agrees within {percent(agreement)}; this run could have seen {percent(sensitivity)}"
    numbers += _granted(usable) + _blunter(usable, sensitivity)
    if word in ("contradicted", "outside its regime"):
        worst = max(missed, key=lambda row: abs(row.gap) / (row.allowance + row.error or 1e-300))
        numbers = (
            f"{worst.name} is off by {percent(abs(worst.gap) / worst.scale)}, allowed are "
            f"{percent(worst.reach)} ({len(missed)} of {len(usable)} functionals disagree)"
        )
    if strain[1] > 1:
        numbers += f"; {strain[0]!r} is strained to {strain[1]:.3g} (1 is the edge)"
    if word == "inconclusive":
        numbers += f", {resolution:.0%} was asked for; {_more(usable, resolution, seeds)}"
    return f"{word}: {numbers}"


def needed(budget: Sequence[Row], resolution: float, seeds: int) -> float:
    """About how many seeds would resolve every row, from what `seeds` left open; inf where none would.

    Between those that make the normal interval small enough and those by the interval that was found: what few runs add
    for skewness shrinks faster than their error, but does not vanish.
    """
    quantile = student(10**6, len(budget))
    counts = [0.0]
    for row in budget:
        if not row.asked or row.resolved or row.left_out or not math.isfinite(row.gap):
            continue
        left = row.wanted(resolution) - row.allowance + row.margin
        if left <= 0 or not math.isfinite(row.widest):
            return math.inf
        found = seeds * (row.widest / left) ** 2
        spread = float(row.mean.rest.std(ddof=1)) if row.mean.rest.size > 1 else row.widest
        counts.append(math.sqrt(found * max((quantile * spread / left) ** 2, seeds)))
    return max(counts)


def _more(usable: Sequence[Row], resolution: float, seeds: int) -> str:
    """What would decide an inconclusive comparison."""
    blurred = [row for row in usable if row.asked and not row.resolved]
    systematic = [row for row in blurred if row.allowance - row.margin >= row.wanted(resolution)]
    if systematic:
        return f"no number of seeds decides {systematic[0].name}: its allowance alone is larger (use a larger size)"
    if seeds < 2:
        return "give at least two seeds"
    count = needed(usable, resolution, seeds)
    worst = max(blurred, key=lambda row: row.widest / row.wanted(resolution))
    if not math.isfinite(count):
        return f"more seeds would decide: too few runs have {worst.name}"
    return f"about {math.ceil(count)} seeds would decide (the least sharp is {worst.name})"


def _lost(seen: xr.Dataset) -> list[str]:
    """One line for all runs that ended alike."""
    good, ended = good_seeds(seen), np.asarray(seen["outcome"].values)
    lines = []
    for text in dict.fromkeys(ended[~good].tolist()):
        alike = [int(s) for s in seen["seed"].values[ended == text]]
        one = len(alike) == 1
        who = f"seed {alike[0]}" if one else f"{len(alike)} of {good.size} runs (the first is seed {alike[0]})"
        lines.append(f"{who} {text} and {'is' if one else 'are'} left out of the comparison.")
    return lines
