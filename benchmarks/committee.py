"""One-pass training of committee machines, N = 1000, K = M = 2, 10 seeds, float64: tw.train against NumPy loops.

(i) a NumPy loop over samples, one seed after the other; (ii) a NumPy loop over samples that moves all seeds at once.
All draw fresh samples at every step. Also: one predicted trajectory to t = 200, and 1000 learning rates in one call.
Run: python benchmarks/committee.py [steps]
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import erf
from timing import paired, show

import thalweg as tw

N, K, M, SEEDS, RATE, NOISE = 1000, 2, 2, 10, 1.0, 0.1
ROOT, SLOPE = np.sqrt(2), np.sqrt(2 / np.pi)
RULE = tw.OnePassSGD(learning_rate=RATE)
PROBLEM = tw.CommitteeMachine(dimension=N, student_units=K, teacher_units=M, noise=NOISE, init_scale=1.0, rule=RULE)
START = tw.Overlaps([[0.3, 0.02], [0.02, 0.25]], [[0.01, -0.002], [0.004, 0.006]], np.eye(2), np.ones(2), np.ones(2))


def numpy_loop(steps: int) -> np.ndarray:
    """What a user would write first."""
    found = np.empty((SEEDS, K, N))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        weights, teacher = rng.standard_normal((K, N)), rng.standard_normal((M, N))
        for _ in range(steps):
            x = rng.standard_normal(N) / np.sqrt(N)
            fields = weights @ x
            missed = erf(fields / ROOT).sum() - erf(teacher @ x / ROOT).sum() - NOISE * rng.standard_normal()
            weights -= np.outer(RATE * missed * SLOPE * np.exp(-0.5 * fields**2), x)
        found[seed] = weights
    return found


def numpy_batched(steps: int) -> np.ndarray:
    """All seeds at once, one sample each at every step."""
    rng = np.random.default_rng(0)
    weights, teacher = rng.standard_normal((SEEDS, K, N)), rng.standard_normal((SEEDS, M, N))
    for _ in range(steps):
        x = rng.standard_normal((SEEDS, N, 1)) / np.sqrt(N)
        fields, goals = (weights @ x)[:, :, 0], (teacher @ x)[:, :, 0]
        missed = erf(fields / ROOT).sum(1) - erf(goals / ROOT).sum(1) - NOISE * rng.standard_normal(SEEDS)
        weights -= (RATE * missed[:, None] * SLOPE * np.exp(-0.5 * fields**2))[:, :, None] * x[:, None, :, 0]
    return weights


def training(steps: int) -> None:
    times = np.array([0.0, steps / N])
    for name, other in (("over samples", numpy_loop), ("batched over seeds", numpy_batched)):
        mine, theirs, ratio = paired(lambda: tw.train(PROBLEM, times, seeds=SEEDS), lambda other=other: other(steps), 5)
        show(f"{SEEDS} seeds, {steps} steps: tw.train against a NumPy loop {name}", mine, theirs, ratio)
        print(f"    {SEEDS * steps / mine:.0f} steps a second against {SEEDS * steps / theirs:.0f}", flush=True)


def theory() -> None:
    times, solver = np.linspace(0, 200, 401), tw.OrderParameters()

    def one() -> None:
        tw.predict(PROBLEM, times, theory=solver, start=START)

    one()
    begin = time.perf_counter()
    one()
    print(f"one trajectory to t = 200, through tw.predict: {(time.perf_counter() - begin) * 1e3:.1f} ms warm")

    def losses(rate: jax.Array) -> jax.Array:
        import equinox as eqx

        moved = eqx.tree_at(lambda problem: problem.rule.learning_rate, PROBLEM, rate)
        return solver.predict(moved, START, START, jnp.asarray(times))["test_loss"]

    with jax.enable_x64():
        many = jax.jit(jax.vmap(losses))
        rates = jnp.linspace(0.1, 2.0, 1000)
        jax.block_until_ready(many(rates))
        begin = time.perf_counter()
        jax.block_until_ready(many(rates))
    print(f"1000 learning rates in one call: {time.perf_counter() - begin:.2f} s warm", flush=True)


def main() -> None:
    training(int(sys.argv[1]) if len(sys.argv) > 1 else 20000)
    theory()


if __name__ == "__main__":
    main()
