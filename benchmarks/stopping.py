"""What stopping costs on real digits: leave-one-out from all training points against a 20 % validation split.

Cost: test loss at the chosen time over the least test loss along the same path. The validation split trains on 80 %
of the points, stops at the best validation loss, and its own model is what one would then use. Also prints how far
the predicted mean test loss lies from the measured one, and the strains, for odd against even and for 3 against 8.
Run: python benchmarks/stopping.py [draws]
"""

import json
import sys

import jax
import numpy as np

import thalweg as tw
from thalweg.words.problem import seed_keys

TIMES = np.linspace(0.0, 10.0, 101)


def exact_path(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights along the flow from a zero start, (times, p), by one eigendecomposition."""
    values, vectors = np.linalg.eigh(inputs.T @ inputs / len(labels))
    drive = vectors.T @ (inputs.T @ labels / len(labels))
    safe = np.where(values > 1e-12, values, 1.0)
    filters = np.where(values > 1e-12, -np.expm1(-TIMES[:, None] * values) / safe, TIMES[:, None])
    return (filters * drive) @ vectors.T


def loss(path: np.ndarray, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return 0.5 * np.mean((labels[:, None] - inputs @ path.T) ** 2, axis=0)


def validation_loss(problem: tw.DatasetClassifier, seed: int) -> tuple[float, float]:
    """Test loss where a 20 % validation split stops, and the least test loss when training on all points."""
    with jax.enable_x64():
        data = jax.tree.map(np.asarray, problem.draw(seed_keys(np.int64(seed))[0]))
    cut = int(0.8 * problem.samples)
    path = exact_path(data.inputs[:cut], data.labels[:cut])
    stop = int(np.argmin(loss(path, data.inputs[cut:], data.labels[cut:])))
    reached = loss(path, data.test_inputs, data.test_labels)[stop]
    return float(reached), float(loss(exact_path(data.inputs, data.labels), data.test_inputs, data.test_labels).min())


def study(name: str, problem: tw.DatasetClassifier, draws: int) -> None:
    told = tw.predict(problem, TIMES, theory=tw.LeaveOneOut(), seeds=draws)
    mixture = tw.predict(problem, TIMES, theory=tw.MeasuredMixture(), seeds=draws)
    seen = tw.train(problem, TIMES, seeds=draws)
    mean = seen.test_loss.mean("seed")
    for theory, one in (("LeaveOneOut", told), ("MeasuredMixture", mixture)):
        error = (one.test_loss.mean("seed") / mean - 1).values
        at = [float(np.interp(t, TIMES, error)) for t in (0.5, 2.0, 10.0)]
        print(
            f"{name}, {theory}: mean test_loss off by {at[0]:+.1%}, {at[1]:+.1%}, {at[2]:+.1%} at t = 0.5, 2, 10; "
            f"worst {np.abs(error).max():.1%}; strains {json.loads(one.attrs['strains'])}"
        )
    stops = told.best_time_loss.fillna(TIMES[-1])
    reached = np.array([np.interp(float(stops[i]), TIMES, seen.test_loss[i].values) for i in range(draws)])
    split = np.array([validation_loss(problem, seed) for seed in range(draws)])
    best = split[:, 1]
    print(
        f"{name}, {draws} draws: stopping by leave-one-out costs {np.mean(reached / best - 1):.2%} of test loss "
        f"(median {np.median(reached / best - 1):.2%}), by a 20 % validation split "
        f"{np.mean(split[:, 0] / best - 1):.2%} "
        f"(median {np.median(split[:, 0] / best - 1):.2%})",
        flush=True,
    )


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    odd_even = tw.DigitsClassifier()
    study("odd against even, n = 200", odd_even, draws)
    study("3 against 8, n = 100", tw.DigitsClassifier(samples=100, groups=(3, 8)), draws)


if __name__ == "__main__":
    main()
