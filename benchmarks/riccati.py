"""Quadratic networks: the exact solver against an adaptive Runge-Kutta run on the full matrix, large sizes, the limit.

Run: python benchmarks/riccati.py
"""

import time

import jax
import numpy as np
from timing import paired

import thalweg as tw
from thalweg.computing.skeleton import split
from thalweg.running import evaluation
from thalweg.running.request import Request

FULL = tw.QuadraticNetwork(
    dimension=400,
    width=20,
    teacher_width=10,
    start=tw.GaussianStart(),
    rule=tw.GradientFlow(tolerance=1e-7, step_ceiling=2**17),
)
# source time 4000 is flow time 2000
TIMES = np.concatenate([[0.0], np.geomspace(1.0, 2000.0, 20)])


def clocked(run) -> tuple[float, object]:
    begin = time.perf_counter()
    found = run()
    return time.perf_counter() - begin, found


def against_runge_kutta() -> None:
    """Both warm, in one process; their accuracy against a solve at a tighter tolerance."""
    theory = tw.RiccatiFlow(tolerance=1e-9)

    def ours():
        return tw.predict(FULL, TIMES, theory=theory)

    def theirs():
        return tw.train(FULL, TIMES)

    ours(), tw.train(FULL, TIMES[:2])
    exact = tw.predict(FULL, TIMES, theory=tw.RiccatiFlow(tolerance=1e-13)).test_loss
    first, told = clocked(ours)
    second, seen = clocked(theirs)
    error = [float(abs(one.test_loss / exact - 1).max()) for one in (told, seen)]
    third, _ = clocked(ours)
    print(f"d = 400, m = 20, source time 4000: exact {min(first, third):.2f} s, Runge-Kutta {second:.1f} s,", end=" ")
    print(
        f"ratio {second / min(first, third):.0f}; errors of the loss {error[0]:.0e}, {error[1]:.0e}",
        flush=True,
    )


def large() -> None:
    """A flat teacher at d = 1e5, where equal eigenvalues are merged, and a power law at 4000, where none are equal."""
    m = 20
    cases = (
        ("flat teacher", 100_000, {"teacher_width": 10}),
        ("power law", 4000, {"teacher_spectrum": np.arange(1.0, 4001) ** -1.5}),
    )
    for name, d, more in cases:
        problem = tw.QuadraticNetwork(dimension=d, width=m, start=tw.GaussianStart(), **more)
        times = np.concatenate([[0.0], np.geomspace(1.0, 5e5, 10)])
        with jax.enable_x64():
            start = problem.initial(jax.random.key(0), None).weights
        theory = tw.RiccatiFlow(tolerance=1e-7)
        cold, _ = clocked(lambda p=problem, t=times, th=theory, s=start: evaluated(p, t, th, s))
        warm, told = clocked(lambda p=problem, t=times, th=theory, s=start: evaluated(p, t, th, s))
        print(f"d = {d:g}, m = 20, source time 1e6, {name}: {warm:.2f} s warm, {cold:.1f} s with compilation;", end=" ")
        print(f"loss {float(told['test_loss'][0]):.4g} -> {float(told['test_loss'][-1]):.4g}", flush=True)


def evaluated(problem, times, theory, start):
    with jax.enable_x64():
        data = problem.draw(jax.random.key(0))
        asked = Request(problem, times, (0,), data, problem.as_start(np.asarray(start)))
        return evaluation.evaluate(theory, asked).values


def limit() -> None:
    problem = tw.QuadraticNetwork(dimension=80, width=40, teacher_width=20)
    times = np.linspace(0.0, 400.0, 1000)
    theory = tw.HighDimensionalFlow()
    with jax.enable_x64():
        sizes = frozenset({"dimension", "width", "teacher_width"})
        skeleton, loose = split((theory, problem), sizes)
        inner = paired(
            lambda: jax.block_until_ready(evaluation._predict(skeleton, loose, times, None, None)),
            lambda: tw.predict(problem, times, theory=theory),
            20,
        )
    print(f"limit, 1000 times: {inner[0] * 1e3:.1f} ms at array level, {inner[1] * 1e3:.1f} ms through tw.predict")


if __name__ == "__main__":
    limit()
    against_runge_kutta()
    large()
