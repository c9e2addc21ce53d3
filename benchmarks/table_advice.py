"""Advice about tables against refitted rivals on the public list: curve, stopping, ridge, accuracy; losses too.

Each split: half of the rows train (200 at most). Curve: the loss told along the path, mean over splits, beside that on
the test rows. Regret: test loss at the time (ridge) chosen over the least along the path (over strengths), of exact
leave-one-out, of 5 folds and of a validation fifth, both refitted to all training rows. Accuracy: the better of ridge
and stopping by held-out loss, beside LogisticRegressionCV and the commonest class.

    PYTHONPATH=... python benchmarks/table_advice.py [splits] [out.json]
"""

import json
import sys
import time
import warnings

import numpy as np
from public_tables import prepared, tables
from sklearn.linear_model import LogisticRegressionCV
from sklearn.preprocessing import StandardScaler

from thalweg.learners.left_out import STRENGTHS, TIMES, Rows, flow_path, ridge_path, rows_of

LOGISTIC_SPLITS = 8


def outputs(found: Rows, gains: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (settings, rows, K) on rows x of the weights g(S) X'y/n."""
    own = ((x - found.centre) * found.scale) @ found.rows.axes
    drive = np.sqrt(found.rows.values)[:, None] * found.rows.share / found.count
    return np.einsum("nr,sr,rk->snk", own, gains, drive, optimize=True) + found.middle


def gains_of(found: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Filters of the flow at TIMES and of ridge at STRENGTHS."""
    return -np.expm1(-TIMES[:, None] * found.values) / found.values, 1 / (found.values + STRENGTHS[:, None])


def loss(told: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Half the squared error, summed over outputs, mean over rows: (settings,)."""
    return 0.5 * np.mean(np.sum((told - y) ** 2, axis=2), axis=1)


def fold_losses(x: np.ndarray, y: np.ndarray, folds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean losses of flow and ridge on the folds, fitted to all other rows."""
    flow, ridge = np.zeros(len(TIMES)), np.zeros(len(STRENGTHS))
    for out in folds:
        kept = np.setdiff1d(np.arange(len(x)), out)
        found = rows_of(x[kept], y[kept])
        for total, gains in zip((flow, ridge), gains_of(found), strict=True):
            total += loss(outputs(found, gains, x[out]), y[out]) * len(out)
    return flow, ridge


def split_of(x: np.ndarray, y: np.ndarray, numbers: np.ndarray | None, seed: int) -> dict[str, object]:
    """Everything that one split tells."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    n = min(len(x) // 2, 200)
    train, test = order[:n], order[n:]
    found = rows_of(x[train], y[train])
    flow_errors, ridge_errors = flow_path(found), ridge_path(found)
    told = [0.5 * np.mean(np.sum(e**2, axis=2), axis=1) for e in (flow_errors, ridge_errors)]
    seen_outputs = [outputs(found, g, x[test]) for g in gains_of(found)]
    seen = [loss(o, y[test]) for o in seen_outputs]
    folds = np.array_split(rng.permutation(n), 5)
    cross = fold_losses(x[train], y[train], folds)
    fifth = fold_losses(x[train], y[train], folds[:1])
    result: dict[str, object] = {"told": told[0], "seen": seen[0]}
    for name, chosen in (("own", told), ("folds", cross), ("fifth", fifth)):
        for kind, rival, truth in zip(("stop", "ridge"), chosen, seen, strict=True):
            result[f"{name} {kind}"] = truth[np.argmin(rival)] / truth.min()
    squares = np.sort(np.sum(flow_errors[np.argmin(told[0])] ** 2, axis=1))[::-1]
    result["heavy"] = squares[: max(1, round(0.05 * n))].sum() / max(squares.sum(), 1e-300)
    if numbers is not None:
        which = 0 if told[0].min() < told[1].min() else 1
        best = seen_outputs[which][np.argmin(told[which])]
        answer = np.argmax(best, axis=1)
        result["accuracy"] = np.mean(answer == numbers[test])
        result["commonest"] = np.mean(np.bincount(numbers[train]).argmax() == numbers[test])
        if seed < LOGISTIC_SPLITS:
            scaler = StandardScaler().fit(x[train])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    rival = LogisticRegressionCV(Cs=8, max_iter=300).fit(scaler.transform(x[train]), numbers[train])
                    result["logistic"] = rival.score(scaler.transform(x[test]), numbers[test])
                    result["beside it"] = result["accuracy"]
                except ValueError:
                    pass
    return result


def study(splits: int) -> list[dict[str, object]]:
    """One row a table."""
    rows = []
    for table in tables():
        began = time.time()
        x, targets = prepared(table)
        numbers, y = None, np.asarray(targets)
        if y.dtype.kind == "U":
            numbers = np.unique(y, return_inverse=True)[1]
            y = np.eye(numbers.max() + 1)[numbers]
        else:
            y = y[:, None]
        found = [split_of(x, y, numbers, seed) for seed in range(splits)]
        told, seen = (np.mean([f[k] for f in found], axis=0) for k in ("told", "seen"))
        row: dict[str, object] = {"table": table.name, "n": min(len(x) // 2, 200), "p": x.shape[1]}
        row["curve"] = float(np.median(np.abs(told / seen - 1)))
        row["heavy"] = float(np.median([f["heavy"] for f in found]))
        for name in ("own", "folds", "fifth"):
            for kind in ("stop", "ridge"):
                values = [f[f"{name} {kind}"] for f in found]
                row[f"{name} {kind}"] = float(np.mean(values) - 1)
                row[f"{name} {kind} median"] = float(np.median(values) - 1)
        for name in ("accuracy", "commonest", "logistic", "beside it"):
            if name in found[0]:
                values = [f[name] for f in found if name in f]
                row[name] = float(np.mean(values))
                row[f"{name} error"] = float(np.std(values) / np.sqrt(len(values)))
        rows.append(row)
        print(json.dumps(row), f"{time.time() - began:.1f} s", flush=True)
    return rows


if __name__ == "__main__":
    rows = study(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w") as out:
            json.dump(rows, out, indent=1)
