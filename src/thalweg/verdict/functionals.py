"""The few numbers of a curve that a comparison looks at, declared before any gap is seen."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..words.problem import Observable

Numbers = np.ndarray | np.floating

# a time read off a curve is less sharp than its values, by one over the logarithmic slope (about 1/0.35 at a half-time)
TIMES_ARE_BLUNT = 3.0
# of a curve of two times: what the last moment has kept of the first
CORNER = "last against first"


@dataclasses.dataclass(frozen=True)
class Functional:
    """One number of a result: `measure` of `variable` ("start", "end", "area", "half-time", "clock", "amplitude",
    "slope", or "event").

    Of a curve of two times these speak of equal times, and "last against first" is its far corner. `side` names the
    kind of claim where a variable has several.
    `sensitivity` turns an error of the curve into one of this number; `scale` is what percentages of this number refer
    to, `level` those of the curve; `bluntness` multiplies the resolution that is asked of it.
    A linear functional is `offset` + `weights` . curve, and `contrasts` (k, times) . (measured - predicted) has mean 0
    whether or not it is off.
    """

    variable: str
    measure: str
    component: tuple[int, ...]
    sensitivity: float
    scale: float
    level: float
    window: tuple[float, float] | None = None
    bluntness: float = 1.0
    side: str = ""
    weights: np.ndarray | None = dataclasses.field(default=None, compare=False)
    offset: float = 0.0
    contrasts: np.ndarray | None = dataclasses.field(default=None, compare=False)

    @property
    def name(self) -> str:
        """A name for tables."""
        index = f"[{','.join(map(str, self.component))}]" if self.component else ""
        return f"{self.variable}{index}: {self.measure}{f' ({self.side})' if self.side else ''}"


def largest(values: np.ndarray | float) -> float:
    """The largest size among finite numbers; 0 if there is none."""
    return float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))


def on_scale(observable: Observable | None, values: np.ndarray) -> np.ndarray:
    """Values on the observable's own scale: natural logarithm where it is logarithmic."""
    if observable is None or not observable.log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)


def area(curve: np.ndarray, times: np.ndarray) -> Numbers:
    """Mean of the curve over time (trapezoids), along the last axis."""
    return np.trapezoid(curve, times, axis=-1) / (times[-1] - times[0])


def half_time(curve: np.ndarray, times: np.ndarray) -> Numbers:
    """First time at which a curve has gone half of its way from start to end; NaN where it goes nowhere."""
    begin, end = curve[..., :1], curve[..., -1:]
    way = np.where(end == begin, np.nan, end - begin)
    done = (curve - begin) / way
    past = done >= 0.5
    index = np.maximum(np.argmax(past, axis=-1), 1)[..., None]
    before = np.take_along_axis(done, index - 1, -1)
    after = np.take_along_axis(done, index, -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (0.5 - before) / (after - before)
    found = times[index - 1] + share * (times[index] - times[index - 1])
    return np.where(np.any(past, axis=-1), found[..., 0], np.nan)


def slope(curve: np.ndarray, times: np.ndarray, window: tuple[float, float] | None) -> Numbers:
    """Mean rate of change over a window of times, by a straight line through all its points."""
    low, high = window or (times[0], times[-1])
    inside = (times >= low) & (times <= high)
    lever = times[inside] - times[inside].mean()
    return curve[..., inside] @ lever / np.sum(lever**2)


def measure(functional: Functional, values: np.ndarray, times: np.ndarray, observable: Observable | None) -> np.ndarray:
    """The functional of arrays (..., time, components) or (..., time, time2, components), or of events."""
    if functional.component:
        values = values[(..., *functional.component)]
    if functional.measure == "event":
        return np.asarray(values)
    curve = on_scale(observable, values)
    if functional.measure == CORNER:
        return np.asarray(curve[..., -1, 0])
    if observable is not None and observable.pair is not None:
        curve = np.diagonal(curve, axis1=-2, axis2=-1)
    if functional.weights is not None:
        return np.asarray(functional.offset + curve @ functional.weights)
    if functional.measure in ("start", "end"):
        return np.asarray(curve[..., 0 if functional.measure == "start" else -1])
    if functional.measure == "slope":
        return np.asarray(slope(curve, times, functional.window))
    return np.asarray(area(curve, times) if functional.measure == "area" else half_time(curve, times))


def declare(
    observable: Observable,
    theory: np.ndarray,
    times: np.ndarray,
    kind: str,
    window: tuple[float, float] | None,
    runs: np.ndarray | None = None,
) -> list[Functional]:
    """Functionals of one predicted curve (mean over seeds, shape (time, components)), from the theory alone.

    `runs` (seed, time, components) are the predictions of a conditioned theory: a half-time must be sharp in all.

    A `limit`, and what is told without time (one time here), speaks of the end alone, a `rate` of the slope over its
    window; values and bounds of start, end and area, values of the half-time too. A curve of two times (time, time2,
    components) is looked at along equal times, and at its last time against its first.
    """
    found: list[Functional] = []
    paired = observable.pair is not None
    for component in np.ndindex(theory.shape[1 + paired :]):
        whole = on_scale(observable, theory[(..., *component)])
        curve = np.diagonal(whole) if paired else whole
        if kind == "rate":
            found += _slope(observable, curve, times, component, window)
            continue
        if not np.all(np.isfinite(curve)):
            continue
        scale = natural_scale(observable, curve)
        ends_only = kind == "limit" or len(theory) < times.size
        names = ["end"] if ends_only else ["start"] if times.size == 1 else ["start", "end", "area"]
        names += [CORNER] if paired and not ends_only and times.size > 1 and np.isfinite(whole[-1, 0]) else []
        found += [Functional(observable.name, name, component, 1.0, scale, scale) for name in names]
        if kind == "value" and not paired and not observable.whole:
            each = [curve] if runs is None else on_scale(observable, runs[(slice(None), slice(None), *component)])
            found += _common_half_time([_half_time(observable, one, times, component, scale) for one in each])
    return found


def _common_half_time(each: Sequence[list[Functional]]) -> list[Functional]:
    """One functional for all runs, as sharp as the bluntest of them; none where some run has no sharp half-time."""
    if not all(each):
        return []
    parts = [one for found in each for one in found]
    return [
        dataclasses.replace(
            parts[0],
            sensitivity=max(part.sensitivity for part in parts),
            scale=float(np.mean([part.scale for part in parts])),
        )
    ]


def natural_scale(observable: Observable, curve: np.ndarray) -> float:
    """What percentages of this curve refer to."""
    if observable.log:
        # an error of 1 is a factor e: differences are already relative
        return 1.0
    if observable.natural is not None and not callable(observable.natural):
        return observable.natural
    if observable.low is not None and observable.high is not None:
        return observable.high - observable.low
    return float(np.max(np.abs(curve))) or 1.0


def _slope(
    observable: Observable,
    curve: np.ndarray,
    times: np.ndarray,
    component: tuple[int, ...],
    window: tuple[float, float] | None,
) -> list[Functional]:
    """The slope over the window, where the curve is finite in it."""
    low, high = window or (times[0], times[-1])
    inside = (times >= low) & (times <= high)
    if np.sum(inside) < 2:
        raise ValueError(
            f"the rate of {observable.name} is read over times from {low:g} to {high:g}, where fewer than two of the "
            f"given times (to {times[-1]:g}) lie; give more, or longer, times."
        )
    if not np.all(np.isfinite(curve[inside])):
        return []
    steep = abs(float(slope(curve, times, (low, high))))
    level = natural_scale(observable, curve[inside])
    scales = {"sensitivity": 2.0 / (high - low), "scale": steep or 1.0, "level": level}
    return [Functional(observable.name, "slope", component, window=(low, high), **scales)]


def _half_time(
    observable: Observable, curve: np.ndarray, times: np.ndarray, component: tuple[int, ...], scale: float
) -> list[Functional]:
    """The half-time, where it is sharp: the curve has a way to go and passes the middle of it at a good slope.

    The way must be a third of the scale and half of the range, and slope times half-time at least a quarter of the
    way (an exponential has 35 %); a curve that creeps through its middle has no half-time worth comparing.
    """
    way = abs(curve[-1] - curve[0])
    if times.size < 8 or way < scale / 3 or way < 0.5 * np.ptp(curve):
        return []
    when = float(half_time(curve, times))
    steep = abs(float(np.interp(when, times, np.gradient(curve, times))))
    if steep * when < 0.25 * way:
        return []
    # the level and the curve can both be off, hence twice the error over the slope
    return [
        Functional(
            observable.name, "half-time", component, 2.0 / steep, scale=when, level=scale, bluntness=TIMES_ARE_BLUNT
        )
    ]
