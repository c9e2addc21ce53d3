"""Deep linear networks: closed forms against integrating the layers, the Gram flow against the hidden width.

"Integrating the layers" is what a user would run: the fastest of scipy's DOP853, RK45 and LSODA on all weights at the
accuracy named, and, beside it, this package's own compiled training. Ratios are medians of runs in turn.
Run: python benchmarks/deep_linear.py
"""

import time
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
from timing import paired

import thalweg as tw
from thalweg.mathematics.power_growth import growth_curve
from thalweg.systems.deep_linear.two_layer_riccati import riccati_loss

TIMES = np.linspace(0.0, 10.0, 1000)
# calls of a closed form for each integration that it is timed against
CALLS = 20


def target_of(outputs: int, inputs: int) -> np.ndarray:
    i, j = np.arange(outputs)[:, None], np.arange(inputs)[None, :]
    left, _, right = np.linalg.svd(np.sin(1 + 3 * i + 5 * j + 0.7 * i * j), full_matrices=False)
    return (left * np.linspace(2.0, 0.5, min(outputs, inputs))) @ right


def by_scipy(layers, target, rtol: float = 1e-9, method: str = "DOP853") -> np.ndarray:
    """The loss of the layers' flow at all times."""
    shapes, cuts = [w.shape for w in layers], np.cumsum([w.size for w in layers])[:-1]

    def unpack(state):
        return [part.reshape(shape) for part, shape in zip(np.split(state, cuts), shapes, strict=True)]

    def field(_, state):
        now = unpack(state)
        missed = reduce(lambda done, w: w @ done, now) - target
        found = []
        for j in range(len(now)):
            part = missed
            for after in now[:j:-1]:
                part = after.T @ part
            for before in now[:j]:
                part = part @ before.T
            found.append(-part.ravel())
        return np.concatenate(found)

    start = np.concatenate([w.ravel() for w in layers])
    run = scipy.integrate.solve_ivp(field, (0, TIMES[-1]), start, method, TIMES, rtol=rtol, atol=rtol * 1e-2)
    maps = [reduce(lambda done, w: w @ done, unpack(state)) for state in run.y.T]
    return np.array([0.5 * np.sum((w - target) ** 2) for w in maps])


def drawn(problem):
    """Task and start of seed 0, as NumPy."""
    with jax.enable_x64():
        data = problem.draw(jax.random.key(0))
        return data, tuple(np.asarray(w) for w in problem.initial(jax.random.key(1), data))


def best(run, repeats: int) -> float:
    """Least seconds of several runs: a busy machine adds, it never subtracts."""
    run()
    found = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        found.append(time.perf_counter() - begin)
    return min(found)


def against_layers(name, ours, layers, target) -> None:
    """A curve of 1000 times, warm, against the layers at two accuracies, in turn with whichever method is fastest."""

    def often() -> None:
        for _ in range(CALLS):
            jax.block_until_ready(ours())

    found = []
    for rtol in (1e-9, 1e-12):
        methods = ("DOP853", "RK45", "LSODA") if rtol == 1e-9 else ("DOP853",)
        method = min(methods, key=lambda m, r=rtol: best(lambda: by_scipy(layers, target, r, m), 3))
        own, other, ratio = paired(often, lambda m=method, r=rtol: by_scipy(layers, target, r, m), 11)
        found.append(f"at {rtol:.0e} {other * 1e3:.0f} ms ({method}), ratio {ratio * CALLS:.0f}")
    error = np.max(np.abs(np.asarray(ours()) - by_scipy(layers, target, 1e-12)))
    print(
        f"{name}: {own / CALLS * 1e3:.2f} ms; layers by scipy {'; '.join(found)}; they agree to {error:.0e}", flush=True
    )


def riccati() -> None:
    for widths in ((4, 3, 3), (4, 64, 3), (8, 64, 8), (16, 64, 16)):
        target = target_of(widths[2], widths[0])
        problem = tw.DeepLinear(target=target, widths=widths, start=tw.BalancedLayers(), init_scale=0.1)
        data, start = drawn(problem)
        with jax.enable_x64():
            curve = jax.jit(lambda s, t, p=problem, d=data: riccati_loss(p, d, s, t))
            against_layers(f"Riccati {widths}", lambda c=curve, s=start: c(s, TIMES), start, target)
        verb = best(lambda p=problem, s=start: tw.predict(p, TIMES, theory=tw.TwoLayerRiccati(), start=s), 20)
        training = best(lambda p=problem, s=start: tw.train(p, TIMES, start=s), 5)
        print(
            f"    all observables and events: {verb * 1e3:.1f} ms by tw.predict, {training * 1e3:.1f} ms by tw.train",
            flush=True,
        )


def modes() -> None:
    for depth in (2, 3, 10):
        problem = tw.DeepLinear(
            target=(2.0, 1.5, 1.0, 0.5), widths=(4,) * (depth + 1), start=tw.AlignedLayers(),
            init_scale=0.2 if depth < 4 else 0.8,
        )  # fmt: skip
        data, start = drawn(problem)
        with jax.enable_x64():
            u, s, lam = jnp.full(4, problem.init_scale**depth), jnp.asarray(data.strengths), jnp.ones(4)

            @jax.jit
            def curve(u, s, lam, t, depth=depth):
                return 0.5 * jnp.sum((jax.vmap(growth_curve(depth, u, s, lam))(t) - s[None, :]) ** 2, axis=1)

            against_layers(
                f"modes, depth {depth}", lambda c=curve, a=(u, s, lam): c(*a, TIMES), start, np.asarray(data.target)
            )


def gram() -> None:
    """The same flow for more and more hidden units, against training."""
    for hidden in (16, 64, 256, 1024):
        problem = tw.DeepLinear(target=target_of(8, 8), widths=(8, hidden, 8), init_scale=0.3 / hidden**0.5)
        _, start = drawn(problem)
        times = np.linspace(0.0, 10.0, 100)
        ours, training, ratio = paired(
            lambda p=problem, s=start, t=times: tw.predict(p, t, theory=tw.GramFlow(), start=s),
            lambda p=problem, s=start, t=times: tw.train(p, t, start=s),
            3,
        )
        print(
            f"Gram flow, 8 inputs and outputs, {hidden} hidden units: {ours * 1e3:.0f} ms by tw.predict at 1e-11, "
            f"{training * 1e3:.0f} ms by tw.train at 1e-8, ratio {ratio:.1f}",
            flush=True,
        )


def rank_one() -> None:
    problem = tw.DeepLinear(target=target_of(8, 8), widths=(8, 32, 32, 8), start=tw.BalancedLayers(rank=1),
                            init_scale=0.2)  # fmt: skip
    _, start = drawn(problem)
    tw.predict(problem, TIMES, theory=tw.RankOneFlow(), start=start)
    begin = time.perf_counter()
    tw.predict(problem, TIMES, theory=tw.RankOneFlow(), start=start)
    print(f"rank one, depth 3, 1000 times: {(time.perf_counter() - begin) * 1e3:.1f} ms by tw.predict", flush=True)


if __name__ == "__main__":
    riccati()
    modes()
    gram()
    rank_one()
