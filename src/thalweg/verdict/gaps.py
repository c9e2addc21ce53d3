"""The gap of every curve at every time beside its error and its allowance: for the eyes, as the verdict sees it."""

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..words.problem import Observable, Problem
from ..words.theory import Theory
from .budget import SAFETY, TIGHTER
from .budget_row import Row
from .chance import student
from .functionals import Functional, on_scale
from .measures import Runs, Tighter, good_seeds, measured_curve, side_of

PARTS = ("", "_error", "_allowance")
MEASURES = ("start", "end", "area", "half-time", "clock", "amplitude")


def gap_curves(
    problem: Problem,
    theory: Theory,
    told: xr.Dataset,
    seen: xr.Dataset,
    budget: Sequence[Row],
    chance: float,
    tighter: tuple[Tighter, Tighter],
) -> xr.Dataset:
    """Gap (measured - predicted), error and allowance of every common curve at every time.

    They are those of the budget: on the observable's own scale (natural logarithms where it is logarithmic), the mean
    over runs beside its error (at the level `chance`) or, where a theory speaks of every run, the worst run without
    one; at the first and the last time they are the rows "start" and "end". Between these the allowance is theirs, and
    the integrators may leave open what they do anywhere on the curve (`tighter`: training and theory at a tighter
    tolerance, as in `rows`). NaN where nothing is judged: all along the curve for a rate, the error of a single run.
    """
    good, rows = good_seeds(seen), {row.name: row for row in budget}
    quantile = student(int(good.sum()), len(budget), chance)
    content: dict[str, xr.DataArray] = {}
    for name in map(str, told.data_vars):
        observable = measured_curve(problem, name)
        if observable is None or name not in seen:
            continue
        claims = theory.claims_of(name)
        sides = []
        for claim in claims:
            side = claim.kind if len(claims) > 1 else ""
            runs = Runs(seen, tighter[0]), Runs(told, tighter[1], claim, side)
            sides.append(_Curve(observable, runs, good, rows, quantile).parts())
        for part in PARTS:
            content[name + part] = _of_all([claim.kind for claim in claims], [side[part] for side in sides])
    return xr.Dataset(content)


class _Curve(NamedTuple):
    """A curve in the runs and as one claim tells it, which runs ended well, the rows by name, Student's quantile."""

    observable: Observable
    runs: tuple[Runs, Runs]
    good: np.ndarray
    rows: Mapping[str, Row]
    quantile: float

    def parts(self) -> dict[str, xr.DataArray]:
        """Gap, error and allowance with the dims of the runs' curve but for the seed."""
        seen, told = self.runs
        like = seen.result[self.observable.name].transpose("seed", "time", ...).isel(seed=0, drop=True)
        said = side_of(told.result[self.observable.name], told.side).broadcast_like(like).transpose(..., *like.dims)
        runs = seen.result[self.observable.name].transpose("seed", *like.dims)
        shape = (-1, like.sizes["time"], like.size // like.sizes["time"])
        runs, said = (on_scale(self.observable, v.values.reshape(shape)) for v in (runs, said))
        runs, said = runs[self.good], said[self.good] if len(said) > 1 else said
        loose = self._changes(shape[-1])
        columns = [
            self._column(runs[..., i], said[..., i], self._rows_of(part), loose[i])
            for i, part in enumerate(np.ndindex(like.shape[1:]))
        ]
        table = np.stack(columns, axis=-1).reshape(len(PARTS), *like.shape)
        return {part: xr.DataArray(table[i], like.coords, like.dims) for i, part in enumerate(PARTS)}

    def _rows_of(self, part: tuple[int, ...]) -> dict[str, Row]:
        """The rows of a component, by what they measure; those of equal times for a curve of two times."""
        component = part[self.observable.pair is not None :]
        one = partial(Functional, self.observable.name, side=self.runs[1].side)
        named = {m: one(m, component, 1.0, 1.0, 1.0).name for m in MEASURES}
        return {m: self.rows[name] for m, name in named.items() if name in self.rows}

    def _changes(self, count: int) -> np.ndarray:
        """The largest change along each component when the integrators of training and theory are tightened."""
        found = np.zeros(count)
        for one in self.runs:
            tight = one.tight(self.observable.name, self.observable, TIGHTER[0])
            if tight is None:
                continue
            loose = one.values(self.observable.name, self.observable)
            loose = loose[: len(tight)] if "seed" in one.result[self.observable.name].dims else loose
            with np.errstate(invalid="ignore"):
                change = np.abs(on_scale(self.observable, loose) - on_scale(self.observable, tight))
            change = np.where(np.isfinite(change), change, 0.0)
            # all axes but those of components, of which a limit may have fewer
            parts = change.reshape(-1, count) if change.size % count == 0 else np.full((1, count), change.max())
            found += parts.max(axis=0)
        return SAFETY * found

    def _column(self, runs: np.ndarray, said: np.ndarray, rows: Mapping[str, Row], loose: float) -> np.ndarray:
        """Gap, error and allowance (3, times) of one component: runs (seeds, times), said (1 or seeds, times)."""
        first, last = rows.get("start", rows.get("end")), rows.get("end", rows.get("start"))
        with warnings.catch_warnings(), np.errstate(invalid="ignore", over="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            apart = np.where(np.isfinite(runs - said), runs - said, np.nan)
            if first is None or last is None:
                return np.full((3, runs.shape[1]), np.nan)
            exact = all(row.widest == 0 for row in rows.values())
            gap = _worst(apart, first.claim) if exact else np.nanmean(apart, 0)
            spread = np.nanstd(apart, axis=0, ddof=1) / math.sqrt(len(apart)) if len(apart) > 1 else gap * np.nan
        away = np.linspace(0.0, 1.0, gap.size)
        error = 0.0 * gap if exact else _through(self.quantile * spread, rows, away)
        if not exact and self.observable.pair is None and "start" in rows and "end" in rows:
            # where controls were taken off the ends, what lies between is moved along
            gap = gap + (1 - away) * np.nan_to_num(first.gap - gap[0]) + away * np.nan_to_num(last.gap - gap[-1])
        allowed = first.allowance + away * (last.allowance - first.allowance)
        if "start" in rows:
            most = max([loose, *(row.tolerance for m, row in rows.items() if m in ("start", "end", "area"))])
            allowed[1:-1] += np.maximum(most - first.tolerance - away * (last.tolerance - first.tolerance), 0.0)[1:-1]
        return np.stack([gap, error, allowed])


def _of_all(kinds: list[str], each: list[xr.DataArray]) -> xr.DataArray:
    """What several claims say, by their kinds along dim `claim`; of one claim the array itself."""
    if len(each) == 1:
        return each[0]
    whole = np.stack([values.values for values in each])
    return xr.DataArray(whole, {**each[0].coords, "claim": np.asarray(kinds, dtype=object)}, ("claim", *each[0].dims))


def _worst(apart: np.ndarray, kind: str) -> np.ndarray:
    """The gap of the run that decides, at every time: apart (seeds, times); of a bound, the one nearest to breaking."""
    known = np.where(np.isfinite(apart), apart, 0.0)
    key = {"upper": known, "lower": -known}.get(kind, np.abs(known))
    which = np.argmax(np.where(np.isfinite(apart), key, -np.inf), axis=0)
    return np.take_along_axis(apart, which[None], axis=0)[0]


def _through(plain: np.ndarray, rows: Mapping[str, Row], away: np.ndarray) -> np.ndarray:
    """Errors over time, widened or narrowed so that those of the rows "start" and "end", where they are, are theirs."""
    ends = {0: "start", -1: "end"}
    judged = {place: rows[name].error for place, name in ends.items() if name in rows}
    shares = [row / plain[i] if plain[i] > 0 and np.isfinite(row) else 1.0 for i, row in judged.items()]
    found = plain * (shares[0] + away * (shares[-1] - shares[0]))
    for place, row in judged.items():
        found[place] = row if np.isfinite(row) else np.nan
    return found
