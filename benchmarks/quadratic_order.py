"""Bias of the high-dimensional limit of quadratic networks against exact flows, times dimension, by quantity.

Run: python benchmarks/quadratic_order.py [orthonormal | near | wider | next | random] (several minutes). The constants
of HighDimensionalFlow.finite_size come from here, at gamma <= 5 b: ratios (a, b) below, dimension 40, 16 to 48 seeds;
so do those of NextOrderFlow, and of RandomStartFlow over the default horizon at dimensions 30 and 60.
"""

import sys
import warnings

import numpy as np

import thalweg as tw

# the last three are narrow: tr Z and phi drive each other with a coefficient of order 1/width
NEXT = (
    (0.5, 0.25), (0.25, 0.5), (0.75, 0.25), (0.7, 0.6), (0.3, 0.25), (0.25, 0.3),
    (0.05, 0.5), (0.125, 0.5), (0.125, 0.25),
)  # fmt: skip
LOGARITHMIC = ("test_loss", "final_loss")
RELATIVE = ("recovery_time", "late_rate", "effective_rank")


def bias(told: np.ndarray, seen: np.ndarray, name: str) -> tuple[float, float]:
    """Largest mean gap over times and its standard error."""
    if name in LOGARITHMIC:
        gap = np.log(seen / told)
    elif name in RELATIVE:
        gap = seen / told - 1
    else:
        gap = seen - told
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an event that never happens
        mean, error = np.abs(np.nanmean(gap, 0)), np.nanstd(gap, 0) / np.sqrt(len(gap))
    if not np.any(np.isfinite(mean)):
        return np.nan, np.nan
    worst = np.nanargmax(mean) if np.ndim(mean) else ()
    return float(mean[worst]), float(error[worst])


def compared(problem: tw.Problem, times: np.ndarray, theory: tw.Theory, seeds: int, power: int = 1) -> str:
    d = problem.dimension**power
    runs = tw.predict(problem, times, theory=tw.RiccatiFlow(tolerance=1e-9), seeds=seeds)
    told = tw.predict(problem, times, theory=theory)
    told = told.isel(seed=0) if "seed" in told.dims else told
    found = {str(n): bias(told[n].values, runs[n].values, str(n)) for n in told.data_vars if n in runs}
    return ", ".join(f"{n} {d * m:.2f} ({d * e:.2f})" for n, (m, e) in found.items())


def orthonormal(d: int, seeds: int) -> None:
    for a, b in ((0.5, 0.25), (0.5, 0.5), (0.25, 0.5), (0.75, 0.25), (0.7, 0.6)):
        problem = tw.QuadraticNetwork(dimension=d, width=round(a * d), teacher_width=round(b * d))
        times = np.unique(np.concatenate([[0.0, 0.02, 0.05, 0.1, 0.2], np.linspace(0.3, 5 * b, 12)])) * d / 2
        words = compared(problem, times, tw.HighDimensionalFlow(), seeds)
        print(f"a = {a}, b = {b}: dimension x bias: {words}", flush=True)


def near_equal_widths(d: int, seeds: int) -> None:
    """Widths around that of the teacher, where the loss of a run and that of the limit part last."""
    for width in (d // 2 - 2, d // 2 - 1, d // 2 + 1, d // 2 + 2, d // 2 + 4):
        problem = tw.QuadraticNetwork(dimension=d, width=width, teacher_width=d // 2)
        words = compared(problem, np.linspace(0.0, 2.5, 12) * d / 2, tw.HighDimensionalFlow(), seeds)
        print(f"width {width}, teacher {d // 2}: dimension x bias: {words}", flush=True)


def wider_than_the_teacher(d: int, seeds: int) -> None:
    """How the bias falls as the student grows away from the teacher: where widths stop being close."""
    for rank in (d // 4, d // 2):
        for apart in (d // 10, d // 5, d // 4, 3 * d // 10, 2 * d // 5):
            problem = tw.QuadraticNetwork(dimension=d, width=rank + apart, teacher_width=rank)
            words = compared(problem, np.linspace(0.0, 5 * rank / d, 12) * d / 2, tw.HighDimensionalFlow(), seeds)
            print(f"width {rank + apart}, teacher {rank}: dimension x bias: {words}", flush=True)


def next_order(seeds: int) -> None:
    """What the next order leaves, times dimension^2."""
    for d in (40, 80):
        for a, b in NEXT:
            problem = tw.QuadraticNetwork(dimension=d, width=round(a * d), teacher_width=round(b * d))
            times = np.unique(np.concatenate([[0.0, 0.02, 0.05, 0.1, 0.2], np.linspace(0.3, 5 * b, 12)])) * d / 2
            words = compared(problem, times, tw.NextOrderFlow(), seeds, 2)
            print(f"a = {a}, b = {b}, dimension {d}: dimension^2 x bias: {words}", flush=True)


def random_starts(seeds: int) -> None:
    """The deterministic equivalent over the default horizon, at two dimensions."""
    for d in (30, 60):
        power = 1 / np.arange(1.0, d + 1) * (np.arange(d) < d // 3)
        cases = {
            "Haar": {"width": d // 2, "teacher_width": d // 4},
            "Gaussian": {"width": d // 2, "teacher_width": d // 4, "start": tw.GaussianStart()},
            "power law": {"width": d // 2, "teacher_spectrum": power / power.sum()},
            "narrow": {"width": d // 4, "teacher_width": d // 2},
            "wide": {"width": 3 * d // 2, "teacher_width": d // 4},
            "equal": {"width": d // 4, "teacher_width": d // 4},
        }
        for words, sizes in cases.items():
            problem = tw.QuadraticNetwork(dimension=d, **sizes)
            times = problem.horizon()[::10]
            found = compared(problem, times, tw.RandomStartFlow(), seeds)
            print(f"{words}, dimension {d}: dimension x bias: {found}", flush=True)


if __name__ == "__main__":
    part = sys.argv[1] if len(sys.argv) > 1 else "all"
    if part in ("all", "orthonormal"):
        orthonormal(40, 48)
    if part in ("all", "near"):
        near_equal_widths(40, 16)
    if part in ("all", "wider"):
        wider_than_the_teacher(40, 48)
    if part in ("all", "next"):
        next_order(48)
    if part in ("all", "random"):
        random_starts(16)
