"""One learning curve of 1000 times, all observables and events: against its exponentials, and against scipy's quad.

Run: python benchmarks/prediction.py
"""

import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad
from timing import paired, show

import thalweg as tw
from thalweg.computing.skeleton import split
from thalweg.running import evaluation
from thalweg.running.request import Request

PROBLEM = tw.LinearClassifier(dimension=256, samples=512, mean_norm=1.0, init_variance=0.1)
TIMES = np.linspace(0.0, 10.0, 1000)
WARM = 20
FIRST_CALL = """
import time, thalweg as tw, numpy as np
problem = tw.LinearClassifier(dimension=256, samples=512)
theory = tw.MarchenkoPastur()
begin = time.perf_counter()
tw.predict(problem, np.linspace(0.0, 10.0, 1000), theory=theory)
print(time.perf_counter() - begin)
"""


def naive(time_: float, rho: float = 1.0, c: float = 0.5, start: float = 0.1) -> list[float]:
    """Losses, overlap, norm and fit at one time by adaptive quadrature, as one would first write it."""
    low, high, spike = (1 - c**0.5) ** 2, (1 + c**0.5) ** 2, 1 + c + rho + c / rho

    def average(h, signal: bool) -> float:
        def density(x: float) -> float:
            bottom = rho * (1 + c + rho - x) + c if signal else c * x
            return h(x) * np.sqrt((x - low) * (high - x)) / (2 * np.pi * bottom)

        atom = (1 - c / rho**2) * h(spike) if signal and rho**2 > c else 0.0
        return quad(density, low, high, epsabs=1e-10, epsrel=1e-10)[0] + atom

    def f(x: float) -> float:
        return np.exp(-time_ * x)

    def g(x: float) -> float:
        return -np.expm1(-time_ * x) / x

    overlap = rho * average(g, True)
    norm = (rho + c) * average(lambda x: g(x) ** 2, True) + start * average(lambda x: f(x) ** 2, False)
    fit = (rho + c) * average(g, True)
    power = (rho + c) * average(lambda x: x * g(x) ** 2, True) + start * average(lambda x: x * f(x) ** 2, False)
    return [0.5 * ((1 - overlap) ** 2 + norm), 0.5 * (1 - 2 * fit + power), overlap, norm, fit, power]


def main() -> None:
    theory = tw.MarchenkoPastur()
    with jax.enable_x64():
        ready = theory.prepare(PROBLEM, TIMES)
        fine = tw.MarchenkoPastur(nodes=4 * ready.nodes)
        told, exact = (evaluation.evaluate(t, Request(PROBLEM, TIMES)).values for t in (ready, fine))
        worst = max(float(np.nanmax(np.abs(told[k] - exact[k]))) for k in told if "flipped" not in k)
        print(f"nodes {ready.nodes}, largest difference to {fine.nodes} nodes: {worst:.1e}")

        skeleton, loose = split((ready, PROBLEM), frozenset({"dimension", "samples"}))
        points = jnp.linspace(0.1, 3.0, ready.nodes + 2)
        # the sums are linear in exp(-t x) and exp(-2 t x)
        alone = jax.jit(lambda t, x: (jnp.exp(-t[:, None] * x), jnp.exp(-2 * t[:, None] * x)))
        times = jnp.asarray(TIMES)

        def array_level() -> None:
            jax.block_until_ready(evaluation._predict(skeleton, loose, times, None, None))

        def exponentials() -> None:
            jax.block_until_ready(alone(times, points))

        other, ours, ratio = paired(exponentials, array_level, 200)
        show("array level against its exponentials exp(-t x), exp(-2 t x)", ours, other, ratio)

    def public() -> None:
        # warm: one call right after half a second of other work pays for cold caches
        for _ in range(WARM):
            tw.predict(PROBLEM, TIMES, theory=theory)

    few = TIMES[5::100]

    def by_quad() -> None:
        for t in few:
            naive(float(t))

    ours, other, ratio = paired(public, by_quad, 15)
    scale = TIMES.size / few.size
    words = f"tw.predict (mean of {WARM}) against scipy quad at every time ({few.size} timed, scaled)"
    show(words, ours / WARM, other * scale, ratio * scale * WARM)
    gap = max(abs(naive(float(t))[0] - float(tw.predict(PROBLEM, [t], theory=theory).test_loss[0])) for t in few[:3])
    print(f"largest difference of test_loss to quad: {gap:.1e}")
    first = [
        float(subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    print(f"first call after import, compilation included: {sorted(first)[1]:.2f} s (median of 3)")


if __name__ == "__main__":
    begin = time.time()
    main()
    print(f"[{time.time() - begin:.0f} s]")
