"""The leave-one-out path against refitting n times by descent: n = 500 points, p = 100 columns, 200 times.

Ours: all of `LeaveOneOut`'s curve (one eigenproblem, one contour), compiled, as `predict` calls it. The others follow
gradient descent on each 499 points to the same flow time, at half the largest stable rate, and look at the point held
out at the 200 times: a plain NumPy loop over points, as a user would write it, and all 500 fits at once as one matrix
of weights (two matrix products a step). Descent at this rate is not the flow: the curves agree to a few per cent only,
which is to its advantage. Also printed: the largest difference to 500 eigenproblems (exact).
Run: python benchmarks/leave_one_out.py [flow_time]
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from timing import paired, show

import thalweg as tw
from thalweg.data.example_tables import correlated
from thalweg.words.problem import seed_keys

POINTS, COLUMNS, TIMES = 500, 100, 200


def one_by_one(x: np.ndarray, y: np.ndarray, rate: float, steps: np.ndarray, points: int) -> np.ndarray:
    """Losses (times, points) of the first `points` points, each refitted from zero."""
    wanted = {int(s): i for i, s in enumerate(steps)}
    found = np.zeros((len(steps), points))
    for i in range(points):
        keep = np.arange(len(y)) != i
        a, b = x[keep] - x[keep].mean(axis=0), y[keep] - y[keep].mean()
        row, target = x[i] - x[keep].mean(axis=0), y[i] - y[keep].mean()
        weights = np.zeros(x.shape[1])
        for k in range(int(steps[-1]) + 1):
            if k in wanted:
                found[wanted[k], i] = 0.5 * (target - row @ weights) ** 2
            weights -= rate * (a.T @ (a @ weights - b)) / len(b)
    return found


def all_at_once(x: np.ndarray, y: np.ndarray, rate: float, steps: np.ndarray) -> np.ndarray:
    """Losses (times, n) from one matrix of weights, a column a fit; rows that are held out are masked."""
    n = len(y)
    k = n / (n - 1)
    wanted = {int(s): i for i, s in enumerate(steps)}
    found, weights = np.zeros((len(steps), n)), np.zeros((x.shape[1], n))
    for step in range(int(steps[-1]) + 1):
        outputs = x @ weights
        held = np.einsum("ii->i", outputs)
        if step in wanted:
            found[wanted[step]] = 0.5 * (k * (y - held)) ** 2
        missed = outputs - y[:, None]
        missed[np.arange(n), np.arange(n)] *= 1 - k
        weights -= rate * (x.T @ missed) / (n - 1)
    return found


def exact(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    losses = np.zeros((len(times), len(y)))
    for i in range(len(y)):
        keep = np.arange(len(y)) != i
        a, b = x[keep] - x[keep].mean(axis=0), y[keep] - y[keep].mean()
        values, vectors = np.linalg.eigh(a.T @ a / len(b))
        gain = -np.expm1(-times[:, None] * values) / values
        output = (gain * (vectors.T @ (a.T @ b / len(b)))) @ (vectors.T @ (x[i] - x[keep].mean(axis=0)))
        losses[:, i] = 0.5 * (y[i] - y[keep].mean() - output) ** 2
    return losses


def main() -> None:
    end = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
    inputs, targets = correlated(POINTS + 50, COLUMNS, 0.5)
    problem = tw.DatasetRegression(inputs=inputs, targets=targets, samples=POINTS)
    with jax.enable_x64():
        data = problem.draw(seed_keys(np.int64(0))[0])
        theory = tw.LeaveOneOut().prepare(problem, np.array([end]))
        x, y = np.asarray(data.inputs), np.asarray(data.targets)
        rate = 1 / np.linalg.eigvalsh(x.T @ x / POINTS)[-1]
        steps = np.unique(np.round(np.geomspace(1, end / rate, 3 * TIMES)))
        steps = steps[np.linspace(0, len(steps) - 1, TIMES).round().astype(int)]
        times = jnp.asarray(steps * rate)
        table = jax.jit(lambda d: theory.predict(problem, d, None, times)["test_loss"])
        told = np.asarray(table(data))
        print(f"flow time {end:g}, {int(steps[-1])} steps of rate {rate:.3g}; {theory.nodes} nodes")
        off = np.abs(told / exact(x, y, np.asarray(times)).mean(axis=1) - 1).max()
        matrix = all_at_once(x, y, rate, steps)
        late = np.abs(matrix.mean(axis=1) / told - 1).max()
        print(f"off the exact curve by {off:.1e}; descent at this rate is off by {late:.1%}")

        def ours() -> None:
            table(data).block_until_ready()

        show("path against one matrix of 500 fits", *paired(ours, lambda: all_at_once(x, y, rate, steps), 3))
        few, share = 10, POINTS / 10
        part = one_by_one(x, y, rate, steps, few)
        print(f"loop and matrix agree to {np.abs(part - matrix[:, :few]).max():.1e}")
        told_in, loop, ratio = paired(ours, lambda: one_by_one(x, y, rate, steps, few), 3)
        show(f"path against a loop over points ({few} of {POINTS} timed)", told_in, loop * share, ratio * share)
        begin = time.perf_counter()
        tw.predict(problem, np.asarray(times), theory=tw.LeaveOneOut())
        first = time.perf_counter() - begin
        begin = time.perf_counter()
        tw.predict(problem, np.asarray(times), theory=tw.LeaveOneOut())
        print(f"tw.predict, best time included: first {first:.2f} s, warm {time.perf_counter() - begin:.3f} s")


if __name__ == "__main__":
    main()
