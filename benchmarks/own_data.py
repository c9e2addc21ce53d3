"""What the training points alone foretell on real tables, and what following the advice costs: wins and losses.

For each table, 20 splits (seeds), trained for real by gradient flow over five decades of time:
  curve    mean over splits of the predicted test curve against the mean measured one: median over the path, and worst
  single   the same for one split: median over path and splits
  stop     test loss at the advised time over the least along the path: median, mean, worst split
  split    the same for a 20 % validation split, which trains on the other 80 %
  cover    share of splits whose best time, best ridge, and loss as advised lie within the interval of the advice
  double   predicted test loss of ridge with twice the points against the measured one (and the gain, both)
Run: python benchmarks/own_data.py [splits]
"""

import sys
import warnings
from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.datasets import load_iris

import thalweg as tw
from thalweg.data import example_tables as tables
from thalweg.data import real
from thalweg.words.fields import vary
from thalweg.words.problem import seed_keys

TIMES = np.concatenate([[0.0], np.geomspace(0.01, 1000.0, 120)])
STRENGTHS = np.geomspace(1e-5, 1e2, 71)


def squares(inputs: np.ndarray) -> np.ndarray:
    """Standardised columns with all their products."""
    z = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    i, j = np.triu_indices(z.shape[1])
    return np.hstack([z, z[:, i] * z[:, j]])


def problems() -> dict[str, Any]:
    sick, progress = tables.diabetes()
    tumours, _ = tables.breast_cancer()
    pixels, value = real.digits("02468,13579")
    iris: Any = load_iris()

    def regression(inputs: np.ndarray, targets: np.ndarray, samples: int, floor: float = 0.0) -> Any:
        return tw.DatasetRegression(inputs=inputs, targets=targets, samples=samples, deviation_floor=floor)

    return {
        "diabetes": tw.DiabetesRegression(),
        "diabetes with products": regression(squares(sick), progress, 150),
        "wine, alcohol": tw.WineRegression(),
        "iris, petal width": regression(iris.data[:, :3], iris.data[:, 3], 40),
        "tumours, smoothness": regression(np.delete(tumours, 4, axis=1), tumours[:, 4], 100),
        "tumours, worst area": regression(tumours[:, :10], tumours[:, 23], 100),
        "digits odd, as numbers": regression(pixels, value, 200, 0.05),
        "wine, one cultivar": tw.WineClassifier(),
        "breast cancer": tw.BreastCancerClassifier(),
        "digits, odd or even": tw.DigitsClassifier(),
        "digits, 3 or 8": tw.DigitsClassifier(samples=100, groups=(3, 8)),
        "generated, heavy tails": tw.HeavyTailedRegression(),
        "generated, correlated": tw.CorrelatedRegression(),
    }


class Parts(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def parts(problem: Any, data: Any) -> Parts:
    y, test_y = (data.labels, data.test_labels) if hasattr(data, "labels") else (data.targets, data.test_targets)
    return Parts(*(np.asarray(part) for part in (data.inputs, y, data.test_inputs, test_y)))


def exact_path(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of the flow from zero, (times, p)."""
    values, vectors = np.linalg.eigh(x.T @ x / len(y))
    values = np.maximum(values, 0.0)
    safe = np.where(values > 1e-12, values, 1.0)
    gain = np.where(values > 1e-12, -np.expm1(-TIMES[:, None] * values) / safe, TIMES[:, None])
    return (gain * (vectors.T @ (x.T @ y / len(y)))) @ vectors.T


def ridge_path(x: np.ndarray, y: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(x.T @ x / len(y))
    return (vectors.T @ (x.T @ y / len(y)) / (np.maximum(values, 0.0) + strengths[:, None])) @ vectors.T


def loss(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 0.5 * np.mean((y[:, None] - x @ weights.T) ** 2, axis=0)


def by_validation(one: Parts, centred: bool) -> float:
    """Test loss where a 20 % validation split stops; its own model is what one would then use."""
    cut = int(0.8 * len(one.y))
    middle, level = (one.x[:cut].mean(axis=0), one.y[:cut].mean()) if centred else (0.0, 0.0)
    path = exact_path(one.x[:cut] - middle, one.y[:cut] - level)
    stop = int(np.argmin(loss(path, one.x[cut:] - middle, one.y[cut:] - level)))
    return float(loss(path, one.test_x - middle, one.test_y - level)[stop])


class Row(NamedTuple):
    curve: float
    worst: float
    single: float
    stop: np.ndarray
    split: np.ndarray
    cover: np.ndarray
    double: tuple[float, float, float]


def doubling(problem: Any, draws: list[Parts], splits: int) -> tuple[float, float, float]:
    """Error of the predicted loss at 2n, predicted and measured gain; NaN where the table is too small."""
    try:
        bigger = vary(problem, {"samples": 2 * problem.samples})
    except ValueError:
        return np.nan, np.nan, np.nan
    told = tw.predict(problem, [0.0], theory=tw.HeldOutRidge(), seeds=splits)
    at = [int(np.flatnonzero(told.learning_samples == m)[0]) for m in (problem.samples, 2 * problem.samples)]
    now, then = (float(told.learning_loss[:, i].mean()) for i in at)
    measured = []
    for one, some in ((problem, draws), (bigger, drawn(bigger, splits))):
        best = tw.predict(one, [0.0], theory=tw.HeldOutRidge(), seeds=splits).best_ridge.fillna(1e3).values
        weights = (ridge_path(s.x, s.y, np.array([max(b, 1e-9)])) for s, b in zip(some, best, strict=True))
        measured.append(np.mean([loss(w, s.test_x, s.test_y) for w, s in zip(weights, some, strict=True)]))
    return then / measured[1] - 1, 1 - then / now, 1 - measured[1] / measured[0]


def drawn(problem: Any, splits: int) -> list[Parts]:
    with jax.enable_x64():
        return [parts(problem, problem.draw(seed_keys(np.int64(s))[0])) for s in range(splits)]


def covered(problem: Any, seed: int, one: Parts, curve: np.ndarray) -> tuple[bool, bool, bool]:
    with jax.enable_x64():
        data = problem.draw(seed_keys(np.int64(seed))[0])
    advice = tw.advise(problem, data=data)
    ridge = loss(ridge_path(one.x, one.y, STRENGTHS), one.test_x, one.test_y)
    time, strength, expected = (advice[n] for n in ("stopping_time", "ridge", "test_loss"))
    stopped = np.interp(time.value, TIMES, curve) if np.isfinite(time.value) else curve[-1]
    at = float(loss(ridge_path(one.x, one.y, np.array([max(strength.value, 1e-9)])), one.test_x, one.test_y)[0])
    reached = stopped if "stopping as advised" in expected.reason else at
    places = ((time, TIMES, curve), (strength, STRENGTHS, ridge))
    found = [not one.low > grid[np.argmin(v)] and not one.high < grid[np.argmin(v)] for one, grid, v in places]
    return found[0], found[1], bool(expected.low <= reached <= expected.high)


def study(problem: Any, splits: int) -> Row:
    told = tw.predict(problem, TIMES, theory=tw.LeaveOneOut(), seeds=splits)
    seen = tw.train(problem, TIMES, seeds=splits, strict=False).test_loss.values
    error = np.abs(told.test_loss.mean("seed").values / seen.mean(axis=0) - 1)
    draws, best = drawn(problem, splits), seen.min(axis=1)
    last = np.where(told.test_loss.values.argmin(axis=1) > 0, TIMES[-1], 0.0)
    stops = np.where(np.isnan(told.best_time_loss), last, told.best_time_loss)
    stop = np.array([np.interp(t, TIMES, curve) for t, curve in zip(stops, seen, strict=True)]) / best - 1
    split = np.array([by_validation(one, problem.centred) for one in draws]) / best - 1
    cover = np.array([covered(problem, s, draws[s], seen[s]) for s in range(splits)]).mean(axis=0)
    single = float(np.median(np.abs(told.test_loss.values / seen - 1)))
    return Row(np.median(error), error.max(), single, stop, split, cover, doubling(problem, draws, splits))


def main() -> None:
    splits = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    warnings.simplefilter("ignore", tw.TheoryWarning)
    print(f"{splits} splits a table; errors and regrets in per cent, regrets as median / mean / worst")
    head = f"{'table':24} {'n':>4} {'p':>3} | curve worst single | {'stop':^20} | {'split':^20} | time ridge loss"
    print(f"{head} | double: error, gain predicted, measured")
    rows = []
    for name, problem in problems().items():
        row = study(problem, splits)
        rows.append(row)
        regrets = [f"{100 * np.median(r):6.1f} {100 * r.mean():6.1f} {100 * r.max():6.1f}" for r in row[3:5]]
        print(
            f"{name:24} {problem.samples:4} {problem.inputs.shape[1]:3} | "
            f"{100 * row.curve:5.1f} {100 * row.worst:5.1f} {100 * row.single:6.1f} | {regrets[0]} | {regrets[1]} | "
            f"{row.cover[0]:4.2f} {row.cover[1]:5.2f} {row.cover[2]:4.2f} | "
            + " ".join(f"{100 * v:+6.1f}" for v in row.double),
            flush=True,
        )
    curve, stop, split = (np.array([np.median(row[i]) for row in rows]) for i in (0, 3, 4))
    print(
        f"median over tables: curve {100 * np.median(curve):.1f}, stop {100 * np.median(stop):.1f}, "
        f"split {100 * np.median(split):.1f}; tables where the split stops better: {int(np.sum(split < stop))} of "
        f"{len(rows)}; cover {np.round(np.mean([row.cover for row in rows], axis=0), 2)}"
    )


if __name__ == "__main__":
    main()
