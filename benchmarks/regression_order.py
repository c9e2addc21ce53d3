"""How far means over seeds lie from the limits of linear regression, times size: the constants of `finite_size`.

Exact curves of random draws (RegressionModes) against DeterministicEquivalent, and real SGD against VolterraSGD, over
sizes, ratios, noise, starts and spectra. Prints for each variable the largest |bias| * min(n, p) over its scale (the
largest predicted value; overlap: 1) with its two-sigma error; equal numbers at two sizes mean order 1.

For one pass, whose mean is exact: the half-time read from each run against that of the mean, as an error of the curve.

Run: python benchmarks/regression_order.py [flow | sgd | fresh] [seeds] (several minutes each)
"""

import sys
import warnings

import numpy as np

import thalweg as tw
from thalweg.verdict.functionals import half_time

FLAT = ("flat", lambda p: None)
SPECTRA = (
    FLAT,
    ("even", lambda p: np.linspace(0.1, 1.9, p)),
    ("1/i", lambda p: scaled(np.arange(1, p + 1) ** -1.0)),
    ("i^-1.5", lambda p: scaled(np.arange(1, p + 1) ** -1.5)),
)

# dimension * learning_rate / batch, batch, noise, start
SAMPLED = ((0.4, 1, 0.5, 0.0), (0.8, 1, 0.5, 0.0), (1.2, 1, 0.5, 0.3), (0.8, 2, 0.0, 0.0))


def scaled(values: np.ndarray) -> np.ndarray:
    """With mean 1."""
    return values / values.mean()


def biases(told, seen, size: int) -> str:
    """Largest bias over its scale times size, with two standard errors, of each common variable."""
    words = []
    for name in (str(n) for n in told.data_vars if n in seen):
        value, runs = told[name].values, seen[name].values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # an event that never happens
            gap, error = np.nanmean(runs, 0) - value, 2 * np.nanstd(runs, 0) / np.sqrt(len(runs))
            scale = 1.0 if name == "overlap" else float(np.nanmax(np.abs(value)))
        if not np.any(np.isfinite(gap)):
            continue
        at = np.unravel_index(np.nanargmax(np.abs(gap)), np.shape(gap)) if np.ndim(gap) else ()
        words.append(f"{name} {gap[at] / scale * size:+.2f}({error[at] / scale * size:.2f})")
    return " ".join(words)


def flow(seeds: int) -> None:
    times = np.concatenate([[0, 0.1, 0.2, 0.35], np.linspace(0.5, 10, 12)])
    for name, spectrum in SPECTRA:
        for ratio in (0.5, 1.0, 2.0):
            for signal, noise, start in ((1.0, 0.0, 0.0), (1.0, 0.5, 0.0), (1.0, 1.0, 0.5), (0.0, 1.0, 0.3)):
                for p in (32, 64):
                    n = int(p / ratio)
                    problem = tw.LinearRegression(p, n, signal, noise, start, spectrum(p))
                    told = tw.predict(problem, times, theory=tw.DeterministicEquivalent())
                    seen = tw.predict(problem, times, theory=tw.RegressionModes(), seeds=seeds)
                    words = f"{name} c={ratio} |beta|={signal} noise={noise} start={start} p={p}"
                    print(f"{words}: {biases(told, seen, min(n, p))}", flush=True)


def sgd(seeds: int) -> None:
    for name, spectrum in (FLAT, SPECTRA[1], SPECTRA[2]):
        for ratio in (0.5, 2.0):
            for gamma, batch, noise, start in SAMPLED:
                for p in (64, 128):
                    n, rate = int(p / ratio), gamma * batch / p
                    problem = tw.LinearRegression(
                        p, n, 1.0, noise, start, spectrum(p), rule=tw.SGD(learning_rate=rate, batch=batch)
                    )
                    times = np.unique(np.round(np.array([0.0, 0.25, 0.5, 1, 2, 4, 7, 10]) / rate))
                    told = tw.predict(problem, times, theory=tw.VolterraSGD())
                    seen = tw.train(problem, times, seeds=seeds)
                    words = f"{name} c={ratio} Gamma={gamma} B={batch} noise={noise} start={start} p={p}"
                    print(f"{words}: {biases(told, seen, min(n, p))}", flush=True)
    for ratio in (0.5, 2.0):
        for strength in (0.5, 2.0):
            for p in (64, 128):
                n, rate = int(p / ratio), 0.8 / p
                problem = tw.LinearClassifier(p, n, strength**0.5, 0.1, rule=tw.SGD(learning_rate=rate))
                times = np.unique(np.round(np.array([0.0, 0.25, 0.5, 1, 2, 4, 7, 10]) / rate))
                told = tw.predict(problem, times, theory=tw.VolterraSGD())
                seen = tw.train(problem, times, seeds=seeds)
                print(f"classes c={ratio} rho={strength} p={p}: {biases(told, seen, min(n, p))}", flush=True)


def fresh(seeds: int) -> None:
    for gamma in (0.8, 1.5):
        for p in (32, 64):
            problem = tw.LinearRegression(p, 2 * p, 1.0, 0.5, 0.1, rule=tw.OnePassSGD(gamma))
            told, seen = tw.predict(problem), tw.train(problem, seeds=seeds)
            for name in ("test_loss", "overlap", "squared_norm"):
                when, runs = (half_time(one[name].values, told.time.values) for one in (told, seen))
                rise = np.interp(when, told.time.values, np.abs(np.gradient(told[name].values, told.time.values)))
                scale = 1.0 if name == "overlap" else float(np.max(told[name]))
                off, error = np.mean(runs) - when, 2 * np.std(runs) / np.sqrt(seeds)
                off, error = (0.5 * rise / scale * p * one for one in (off, error))
                print(f"fresh Gamma={gamma} p={p}: {name} {off:+.2f}({error:.2f})", flush=True)


if __name__ == "__main__":
    part = sys.argv[1] if len(sys.argv) > 1 else "all"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    if part in ("all", "flow"):
        flow(count)
    if part in ("all", "sgd"):
        sgd(count)
    if part in ("all", "fresh"):
        fresh(count)
