"""One-pass training of committee machines, N = 1000, K = M = 2, 10 seeds, float64: our kernels against NumPy loops.

(i) a NumPy loop over samples, one seed after the other; (ii) a NumPy loop over samples that moves all seeds at once.
All draw fresh samples at every step. Also: one trajectory of the order parameters to t = 200, and 1000 learning rates.
Run: python benchmarks/committee.py [steps]
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import erf
from timing import paired, show

from thalweg.mathematics.gaussian_averages import Erf
from thalweg.parallel import Batch, map_seeds, over_seeds
from thalweg.systems.committee_machine.one_pass import GradientStep, Network, StepLaw, advance
from thalweg.systems.committee_machine.order_parameters import (
    Motion,
    State,
    Target,
    gradient_velocity,
    population_loss,
)
from thalweg.systems.committee_machine.trajectories import Constant, integrate

N, K, M, SEEDS, RATE, NOISE = 1000, 2, 2, 10, 1.0, 0.1
ROOT, SLOPE = np.sqrt(2), np.sqrt(2 / np.pi)


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


def one_seed(law: StepLaw, seed: jax.Array, steps: jax.Array) -> jax.Array:
    """Start, teacher and path from a seed: the final first layer."""
    first, second, path = jax.random.split(jax.random.key(seed), 3)
    student = Network(jax.random.normal(first, (K, N)), jnp.ones(K))
    teacher = Network(jax.random.normal(second, (M, N)), jnp.ones(M))
    return advance(law, student, teacher, NOISE, path, jnp.asarray(0), steps).first


@jax.jit
def threaded_batch(law: StepLaw, seeds: jax.Array, count: int, steps: jax.Array) -> jax.Array:
    return map_seeds(lambda seed: one_seed(law, seed, steps), seeds, count)


@jax.jit
def all_at_once(law: StepLaw, seeds: jax.Array, steps: jax.Array) -> jax.Array:
    return jax.vmap(lambda seed: one_seed(law, seed, steps))(seeds)


def ours(law: StepLaw, steps: int) -> np.ndarray:
    """As training runs: seeds in threads, one a core."""

    def run(batch: Batch) -> jax.Array:
        return threaded_batch(law, jnp.asarray(batch.seeds), batch.count, jnp.asarray(steps))

    return over_seeds(run, range(SEEDS), ("committee", type(law)))[1]


def training(steps: int) -> None:
    law = GradientStep(Erf(), Constant(), RATE, 0.0, 0.0)
    seeds = jnp.arange(SEEDS)

    def vectorised() -> object:
        return jax.block_until_ready(all_at_once(law, seeds, jnp.asarray(steps)))

    for name, other in (("over samples", numpy_loop), ("batched over seeds", numpy_batched)):
        mine, theirs, ratio = paired(lambda: ours(law, steps), lambda other=other: other(steps), 5)
        show(f"{SEEDS} seeds, {steps} steps, threads: against a NumPy loop {name}", mine, theirs, ratio)
        print(f"    {SEEDS * steps / mine:.0f} steps a second against {SEEDS * steps / theirs:.0f}")
        mine, theirs, ratio = paired(vectorised, lambda other=other: other(steps), 5)
        show(f"{SEEDS} seeds, {steps} steps, one vmap: against a NumPy loop {name}", mine, theirs, ratio)


@jax.jit
def losses(start: State, target: Target, rate: float, times: jax.Array) -> jax.Array:
    motion = Motion(rate, 0.0, 0.0, 0.0, 1.0)
    path = integrate(lambda t, now: gradient_velocity(Erf(), now, target, motion), start, times)
    return jax.vmap(lambda now: population_loss(Erf(), now, target))(path.states)


def theory() -> None:
    start = State(
        jnp.array([[0.3, 0.02], [0.02, 0.25]]), jnp.array([[0.01, -0.002], [0.004, 0.006]]), jnp.ones(2)
    )
    target, times = Target(jnp.eye(2), jnp.ones(2)), jnp.linspace(0, 200, 401)
    many = jax.jit(jax.vmap(lambda rate: losses(start, target, rate, times)))
    rates = jnp.linspace(0.1, 2.0, 1000)
    for name, run in (
        ("one trajectory to t = 200", lambda: losses(start, target, 1.0, times)),
        ("1000 learning rates in one call", lambda: many(rates)),
    ):
        jax.block_until_ready(run())
        begin = time.perf_counter()
        jax.block_until_ready(run())
        print(f"{name}: {(time.perf_counter() - begin) * 1e3:.1f} ms warm", flush=True)


def main() -> None:
    with jax.enable_x64():
        theory()
        training(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)


if __name__ == "__main__":
    main()
