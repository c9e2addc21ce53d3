"""Separation of a 2000 x 50 table: seconds, against one programme a row, and beside scikit-learn's fit.

The naive way asks for every row whether some direction separates it: n linear programmes; twenty of them are timed.
`python benchmarks/separation.py`. Target: under 2 s.
"""

import statistics
import time
import warnings

import numpy as np
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression

import thalweg as tw

ROWS, COLUMNS, PROBED = 2000, 50, 20


def table(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows that a plane separates, that overlap, or that do both by halves."""
    random = np.random.default_rng(0)
    inputs, plane = random.standard_normal((ROWS, COLUMNS)), random.standard_normal(COLUMNS)
    noise = {"separable": 0.0, "overlapping": 3.0}.get(kind, 0.0)
    if kind == "half and half":
        inputs[: ROWS // 2, COLUMNS // 2 :] = 0
        plane[: COLUMNS // 2] = 0
        labels = np.sign(inputs @ plane)
        labels[: ROWS // 2] = random.choice([-1.0, 1.0], ROWS // 2)
        return inputs, labels
    return inputs, np.sign(inputs @ plane + noise * random.standard_normal(ROWS))


def row_by_row(inputs: np.ndarray, labels: np.ndarray) -> list[bool]:
    """Whether some direction separates a row, for the first few rows, one linear programme each."""
    signed = labels[:, None] * inputs
    bounds = [(-1.0, 1.0)] * COLUMNS
    asked = range(0, ROWS, ROWS // PROBED)
    return [linprog(-signed[i], A_ub=-signed, b_ub=np.zeros(ROWS), bounds=bounds).fun < -1e-6 for i in asked]


def seconds(run: object) -> tuple[float, float]:
    """Median of three runs: elapsed, and of the processor."""
    rows = []
    for _ in range(3):
        begin, used = time.perf_counter(), time.process_time()
        run()  # type: ignore[operator]
        rows.append((time.perf_counter() - begin, time.process_time() - used))
    return statistics.median(a for a, _ in rows), statistics.median(b for _, b in rows)


def main() -> None:
    for kind in ("separable", "overlapping", "half and half"):
        inputs, labels = table(kind)
        found = tw.separation(inputs, labels)
        ours, used = seconds(lambda: tw.separation(inputs, labels))  # noqa: B023
        begin = time.perf_counter()
        told = row_by_row(inputs, labels)
        naive = (time.perf_counter() - begin) * ROWS / PROBED
        assert told == found.separable[:: ROWS // PROBED].tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = LogisticRegression(C=np.inf, fit_intercept=False)
            fit, _ = seconds(lambda: model.fit(inputs, labels))  # noqa: B023
        print(
            f"{ROWS} x {COLUMNS}, {kind}: {ours:.2f} s (processor {used:.2f} s), {found.separable.sum()} rows, margin "
            f"{found.margin:.3g}, lp_margin {found.lp_margin:.1g}; one programme a row {naive:.0f} s (from {PROBED}), "
            f"{naive / ours:.0f} times as long; scikit-learn's fit alone {fit:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
