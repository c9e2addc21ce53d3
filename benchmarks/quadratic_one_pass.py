"""Gap between one-pass runs and their equations, paired by seed, times dimension/(width + teacher rank).

Run: python benchmarks/quadratic_one_pass.py [seeds] (minutes). The constants of OnePassQuadratic.finite_size come from
here: a gap of order 1/dimension gives the same numbers at both dimensions, up to the errors in brackets.
"""

import sys

import numpy as np

import thalweg as tw

CASES = {
    "three units, two eigenvalues": (3, (0.6, 0.4), 0.025, 0.3),
    "faster": (3, (0.6, 0.4), 0.1, 0.3),
    "two of two": (2, (0.5, 0.5), 0.05, 0.0),
    "more units": (6, (0.4, 0.3, 0.2, 0.1), 0.05, 0.3),
}


def gap(told: np.ndarray, seen: np.ndarray, name: str) -> np.ndarray:
    if name in ("test_loss", "final_loss"):
        return np.log(seen / told)
    if name in ("recovery_time", "effective_rank"):
        return seen / told - 1
    return seen - told


def main(seeds: int = 96) -> None:
    for words, (width, lam, rate, noise) in CASES.items():
        for d in (40, 80):
            spectrum = np.concatenate([lam, np.zeros(d - len(lam))])
            problem = tw.QuadraticNetwork(
                dimension=d, width=width, teacher_spectrum=spectrum, noise=noise, rule=tw.OnePassSGD(rate)
            )
            times = np.round(np.linspace(0.0, 8.0 / rate, 9) * d) / d
            told = tw.predict(problem, times, theory=tw.OnePassQuadratic(), seeds=seeds)
            seen = tw.train(problem, times, seeds=seeds)
            found = []
            for name in map(str, told.data_vars):
                off = gap(told[name].values, seen[name].values, name)
                keep = np.isfinite(off).all(axis=tuple(range(1, off.ndim)))
                if keep.sum() < 2:
                    continue
                mean, error = off[keep].mean(0), off[keep].std(0) / np.sqrt(keep.sum())
                worst = np.unravel_index(np.argmax(abs(mean)), np.shape(mean))
                unit = d / (width + len(lam))
                found.append(f"{name} {unit * mean[worst]:.2f} ({unit * error[worst]:.2f})")
            print(f"{words}, dimension {d}: {', '.join(found)}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
