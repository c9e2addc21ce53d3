"""Bias of the high-dimensional limit of quadratic networks against exact flows, times dimension, by quantity.

Run: python benchmarks/quadratic_order.py (several minutes). The constants of HighDimensionalFlow.finite_size come
from here, at gamma <= 5 b: ratios (a, b) below, dimension 40 (and 80 for the first), 16 to 24 seeds.
"""

import warnings

import numpy as np

import thalweg as tw

LOGARITHMIC = ("test_loss", "final_loss")
RELATIVE = ("recovery_time", "late_rate", "effective_rank")


def bias(told: np.ndarray, seen: np.ndarray, name: str) -> tuple[float, float]:
    """Largest mean gap over times and its standard error."""
    if name in LOGARITHMIC:
        gap = np.log(seen / told)
    elif name in RELATIVE:
        gap = seen / told - 1
    else:
        gap = (seen - told) / (np.abs(told).max() if name == "trace_integral" else 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an event that never happens
        mean, error = np.abs(np.nanmean(gap, 0)), np.nanstd(gap, 0) / np.sqrt(len(gap))
    if not np.any(np.isfinite(mean)):
        return np.nan, np.nan
    worst = np.nanargmax(mean) if np.ndim(mean) else ()
    return float(mean[worst]), float(error[worst])


def main(d: int = 40, seeds: int = 16) -> None:
    for a, b in ((0.5, 0.25), (0.5, 0.5), (0.25, 0.5), (0.75, 0.25), (0.7, 0.6)):
        problem = tw.QuadraticNetwork(dimension=d, width=round(a * d), teacher_width=round(b * d))
        times = np.unique(np.concatenate([[0.0, 0.02, 0.05, 0.1, 0.2], np.linspace(0.3, 5 * b, 12)])) * d / 2
        runs = tw.predict(problem, times, theory=tw.RiccatiFlow(tolerance=1e-9), seeds=seeds)
        told = tw.predict(problem, times, theory=tw.HighDimensionalFlow())
        found = {str(n): bias(told[n].values, runs[n].values, str(n)) for n in told.data_vars}
        words = ", ".join(f"{n} {d * m:.2f} ({d * e:.2f})" for n, (m, e) in found.items())
        print(f"a = {a}, b = {b}: dimension x bias: {words}", flush=True)


if __name__ == "__main__":
    main()
