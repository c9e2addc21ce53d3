"""How often the intervals of advice about tables hold: best time, best ridge, loss, and the loss with twice the points.

    PYTHONPATH=... python benchmarks/table_intervals.py [splits]

Each split of n = 100 rows (a quarter of the table at most): the truth is the test rows'. Twice the points: the best
loss of ridge fitted to 2 n rows, mean over splits.
"""

import sys

import numpy as np
from public_tables import prepared, tables
from table_advice import gains_of, loss, outputs

import thalweg as tw
from thalweg.data.table_files import numbered
from thalweg.learners.left_out import STRENGTHS, TIMES, rows_of

NAMES = ("diabetes, target", "wine, alcohol", "fair, affairs", "anes96, PID", "modechoice, gc")
NAMES += ("breast_cancer, target (classes)", "wine, target (classes)", "anes96, vote (classes)")


def study(splits: int) -> None:
    """A line a table: shares held."""
    for table in tables():
        if table.name not in NAMES:
            continue
        x, targets = prepared(table)
        numbers, names = numbered(np.asarray(targets))
        y = np.asarray(numbers, dtype=float)[:, None] if not names else np.eye(len(names))[numbers.astype(int)]
        if len(names) == 2:
            y = 2.0 * y[:, 1:] - 1
        n = min(100, len(x) // 4)
        kind = tw.DatasetRegression if not names else tw.DatasetClassifier if len(names) == 2 else tw.DatasetClasses
        field = "targets" if not names else "labels"
        held, doubles, widths = [], [], []
        for seed in range(splits):
            order = np.random.default_rng(seed).permutation(len(x))
            train, test, more = order[:n], order[2 * n :], order[: 2 * n]
            found, double = rows_of(x[train], y[train]), rows_of(x[more], y[more])
            flow, ridge = (loss(outputs(found, g, x[test]), y[test]) for g in gains_of(found))
            doubles.append(loss(outputs(double, gains_of(double)[1], x[test]), y[test]).min())
            advice = _advice(kind, field, x, numbers, train, test)
            told = {k: advice[k] for k in ("stopping_time", "ridge", "test_loss", "test_loss_with_twice_the_points")}
            best = TIMES[np.argmin(flow)], STRENGTHS[np.argmin(ridge)], min(flow.min(), ridge.min())
            inside = [t.low <= b <= t.high for t, b in zip(list(told.values())[:3], best, strict=True)]
            held.append(inside)
            widths.append([np.log(t.high / max(t.low, 1e-300)) for t in told.values()])
            held[-1].append((told["test_loss_with_twice_the_points"].low, told["test_loss_with_twice_the_points"].high))
        goal = np.mean(doubles)
        twice = [h[3][0] <= goal <= h[3][1] for h in held]
        shares = [np.nanmean([h[i] for h in held]) for i in range(3)] + [np.mean(twice)]
        print(
            table.name, n, "held", np.round(shares, 2), "widths", np.round(np.nanmedian(widths, axis=0), 2), flush=True
        )


def _advice(kind, field, x, numbers, train, test):
    """Advice about exactly these rows: they train, others test."""
    import jax

    from thalweg.systems.own_data.two_classes import SplitSample

    rows = np.concatenate([train, test])
    problem = kind(**{"inputs": x[rows], field: numbers[rows], "samples": len(train)})
    centre, scale = x[train].mean(axis=0), x[train].std(axis=0)
    scale = np.where(scale > 0, scale, np.inf)
    a, b = (x[train] - centre) / scale, (x[test] - centre) / scale
    if kind is tw.DatasetRegression:
        y = numbers[train].mean()
        return tw.advise(problem, data=tw.TableSample(a, numbers[train] - y, b, numbers[test] - y))
    sample = tw.ClassSample if kind is tw.DatasetClasses else SplitSample
    codes = numbers if kind is tw.DatasetClasses else 2.0 * (numbers == numbers.max()) - 1
    with jax.enable_x64():
        return tw.advise(problem, data=sample(a, codes[train], b[:40], codes[test][:40], b, codes[test]))


if __name__ == "__main__":
    study(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
