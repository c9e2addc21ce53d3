"""How far means over seeds lie from the limit, times size: the constants of MarchenkoPastur.finite_size.

Exact curves of random draws (Eigenmodes) against the limit, over sizes and parameters. Prints, for each variable, the
largest |bias| * size with its two-sigma error, and the ratio of biases between the two sizes (2 means order 1).

Run: python benchmarks/finite_size.py [seeds]
"""

import sys

import numpy as np

import thalweg as tw

TIMES = np.concatenate([[0, 0.1, 0.2, 0.35], np.linspace(0.5, 10, 12)])
CURVES = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "overlap", "squared_norm")
EVENTS = ("best_time_loss", "best_time_accuracy", "largest_stable_rate")


def bias(size: int, ratio: float, rho: float, start: float, seeds: int) -> dict[str, tuple[float, float]]:
    """Largest |mean - limit| * min(n, p) of each variable (events: relative), with its two-sigma error."""
    problem = tw.LinearClassifier(dimension=size, samples=int(size / ratio), mean_norm=rho**0.5, init_variance=start)
    seen = tw.predict(problem, TIMES, theory=tw.Eigenmodes(), seeds=seeds)
    told = tw.predict(problem, TIMES, theory=tw.MarchenkoPastur())
    smaller = min(problem.dimension, problem.samples)
    found = {}
    for name in (*CURVES, *EVENTS):
        gap = np.atleast_1d((seen[name].mean("seed") - told[name]).values)
        error = np.atleast_1d(2 * seen[name].std("seed").values / np.sqrt(seeds))
        unit = float(told[name]) if name in EVENTS else 1.0
        if name == "squared_norm":
            unit = float(told[name].max())
        if name in ("train_loss", "test_loss"):
            gap = np.sign(gap) * np.maximum(np.abs(gap) - 0.5 * rho * start / size, 0.0)
        at = int(np.argmax(np.abs(gap)))
        found[name] = (float(gap[at]) / unit * smaller, float(error[at]) / unit * smaller)
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    for ratio in (0.5, 1.0, 2.0):
        for rho in (0.5, 1.0, 4.0):
            for start in (0.1, 1.0):
                for size in (32, 64):
                    found = bias(size, ratio, rho, start, seeds)
                    text = "  ".join(f"{k} {v:+.2f}({e:.2f})" for k, (v, e) in found.items())
                    print(f"c={ratio} rho={rho} start={start} p={size}: {text}", flush=True)


if __name__ == "__main__":
    main()
