"""50 seeds of 1000 descent steps at n = 512, p = 256 in float64: tw.train against a NumPy loop over seeds.

Both draw their own data and starts, observe six curves at 11 times, and use all cores as they please.
Run: python benchmarks/training.py [seeds]
"""

import sys

import numpy as np
from scipy.stats import norm
from timing import paired, show

import thalweg as tw

N, P, STEPS, RATE = 512, 256, 1000, 0.3
TIMES = np.arange(0, STEPS + 1, 100)


def numpy_loop(seeds: int) -> np.ndarray:
    """What a user would write: one seed after the other, the gradient by two matrix-vector products."""
    mean = np.full(P, 1 / np.sqrt(P))
    found = np.empty((seeds, TIMES.size, 6))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        labels = rng.choice([-1.0, 1.0], N)
        inputs = labels[:, None] * mean + rng.standard_normal((N, P))
        weights = np.sqrt(0.1 / P) * rng.standard_normal(P)
        for step in range(STEPS + 1):
            if step % 100 == 0:
                out, overlap, power = inputs @ weights, mean @ weights, weights @ weights
                found[seed, step // 100] = (
                    0.5 * np.mean((labels - out) ** 2),
                    0.5 * ((1 - overlap) ** 2 + power),
                    np.mean(labels * out > 0),
                    norm.cdf(overlap / np.sqrt(power)),
                    overlap,
                    power,
                )
            weights = weights - RATE * (inputs.T @ (inputs @ weights - labels)) / N
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    problem = tw.LinearClassifier(dimension=P, samples=N, mean_norm=1.0, rule=tw.GradientDescent(RATE))
    seen = tw.train(problem, TIMES, seeds=seeds)
    theirs = numpy_loop(seeds)
    gap = float(seen.test_loss[:, -1].mean()) - theirs[:, -1, 1].mean()
    print(f"mean final test loss differs by {gap:.1e} (other draws: spread {theirs[:, -1, 1].std():.1e})")
    ours, other, ratio = paired(lambda: tw.train(problem, TIMES, seeds=seeds), lambda: numpy_loop(seeds), 5)
    show(f"{seeds} seeds, {STEPS} steps: tw.train against NumPy", ours, other, ratio)


if __name__ == "__main__":
    main()
