"""EventFlow against what one would run otherwise, side by side: python benchmarks/event_flow.py

Width 100, 6 points, scale 1e-8: right-hand sides against an adaptive Runge-Kutta method that does not know the kinks,
at equal accuracy of the event times, and seconds against Euler steps small enough for an accuracy that both can reach.
Then the cost against the scale, and ClassFlow's against the width. All reduced coordinates, jitted, one process.
"""

import functools
import time

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from timing import paired, show

import thalweg as tw

LABELS, POINTS = (1.0, 0.8, 0.5, -0.9, -0.6, -0.4), 6
SLOWEST = float(np.linalg.norm(LABELS[3:])) / POINTS


def start(width: int, scale: float) -> tw.TwoLayer:
    j, k = np.arange(width)[:, None], np.arange(POINTS)[None, :]
    hidden = scale * np.cos(1.3 * j + 2.1 * k + 0.7 * j * k)
    return tw.TwoLayer(
        hidden=hidden, output=np.where(np.arange(width) % 2 == 0, 1, -1) * np.linalg.norm(hidden, axis=1)
    )


def problem(width: int, scale: float) -> tw.OrthogonalReLU:
    return tw.OrthogonalReLU(labels=LABELS, norms=np.ones(POINTS), width=width, init_scale=scale)


def end(scale: float) -> float:
    return 2.2 * np.log(1 / scale) / SLOWEST


def velocity(state: jax.Array) -> jax.Array:
    y = jnp.asarray(LABELS)
    a, u = state[:, 0], jnp.maximum(state[:, 1:], 0.0)
    g = (y - a @ u) / POINTS
    return jnp.concatenate([(u @ g)[:, None], (state[:, 1:] > 0) * a[:, None] * g[None, :]], axis=1)


def short_of_half(state: jax.Array) -> jax.Array:
    """Loss on the positive labels less a quarter of its start."""
    y = jnp.asarray(LABELS)
    r = (state[:, 0] @ jnp.maximum(state[:, 1:], 0.0) - y) ** 2
    return jnp.sum(jnp.where(y > 0, r - 0.25 * y**2, 0.0))


@functools.partial(jax.jit, static_argnames="solver")
def kink_blind(state: jax.Array, until: float, tolerance: float, solver: type) -> tuple[jax.Array, jax.Array]:
    """Quarter time of the positive labels and right-hand sides of an adaptive method up to `until`."""
    unit = jnp.sqrt(jnp.mean(state**2))
    event = diffrax.Event(lambda t, y, args, **_: short_of_half(y), root_finder=_newton())
    step = diffrax.PIDController(rtol=tolerance, atol=1e-2 * tolerance * unit)
    term = diffrax.ODETerm(lambda t, z, args: velocity(z))
    solve = functools.partial(diffrax.diffeqsolve, term, solver(), 0.0, until, None, state, stepsize_controller=step)
    found = solve(event=event, max_steps=200_000)
    whole = solve(max_steps=200_000)
    stages = {diffrax.Tsit5: 6, diffrax.Dopri8: 13}[solver]
    return found.ts[-1], whole.stats["num_steps"] * stages


def _newton():
    import optimistix

    return optimistix.Newton(1e-12, 1e-12)


@jax.jit
def euler(state: jax.Array, step: float, steps: int) -> jax.Array:
    """Quarter time of the positive labels by Euler steps, interpolated."""

    def one(i, carry):
        z, before, when = carry
        z = z + step * velocity(z)
        now = short_of_half(z)
        when = jnp.where((before > 0) & (now <= 0), step * (i + before / (before - now)), when)
        return z, now, when

    return jax.lax.fori_loop(0, steps, one, (state, short_of_half(state), jnp.nan))[2]


def event_flow(width: int, scale: float, tolerance: float):
    case, begin, times = problem(width, scale), start(width, scale), np.array([0.0, end(scale)])
    return lambda: tw.predict(case, times, theory=tw.EventFlow(tolerance), start=begin)


def evaluations() -> None:
    scale, width = 1e-8, 100
    exact = float(event_flow(width, scale, 1e-13)().quarter_time_positive)
    begin = start(width, scale)
    print("right-hand sides up to the end, error of the quarter time:")
    ours = {}
    for tolerance in (1e-8, 1e-10, 1e-11):
        told = event_flow(width, scale, tolerance)()
        ours[tolerance] = float(told.right_hand_sides), abs(float(told.quarter_time_positive) - exact)
        print(f"  EventFlow at {tolerance:g}: {ours[tolerance][0]:.0f}, {ours[tolerance][1]:.1e}", flush=True)
    with jax.enable_x64():
        state = jnp.concatenate([jnp.asarray(begin.output)[:, None], jnp.asarray(begin.hidden)], axis=1)
        for solver, tolerance in ((diffrax.Tsit5, 1e-8), (diffrax.Dopri8, 1e-8), (diffrax.Dopri8, 1e-10)):
            when, count = kink_blind(state, end(scale), tolerance, solver)
            error = abs(float(when) - exact)
            # the cheapest of ours that is at least as accurate
            match = min((c for c, e in ours.values() if e <= error), default=float("nan"))
            print(
                f"  kink-blind {solver.__name__} at {tolerance:g}: {int(count)}, {error:.1e}: "
                f"ratio {int(count) / match:.1f} at this accuracy or better",
                flush=True,
            )


def seconds() -> None:
    scale, width = 1e-8, 100
    exact = float(event_flow(width, scale, 1e-13)().quarter_time_positive)
    with jax.enable_x64():
        begin = start(width, scale)
        state = jnp.concatenate([jnp.asarray(begin.output)[:, None], jnp.asarray(begin.hidden)], axis=1)
        for step in (0.3, 0.01, 0.001):
            steps = int(end(scale) / step)
            run = functools.partial(jax.block_until_ready, euler(state, step, steps))
            error = abs(float(run()) - exact)
            ours, other, ratio = paired(
                event_flow(width, scale, 1e-8),
                lambda step=step, steps=steps: jax.block_until_ready(euler(state, step, steps)),
                3,
            )
            show(
                f"EventFlow (public verb) against Euler at {step:g}, whose time is {error:.1e} off", ours, other, ratio
            )


def scaling() -> None:
    print("EventFlow against the scale, width 100:")
    for scale in (1e-4, 1e-8, 1e-12, 1e-16):
        run = event_flow(100, scale, 1e-10)
        run()
        begin = time.perf_counter()
        told = run()
        print(
            f"  {scale:g}: {float(told.right_hand_sides):.0f} evaluations, {time.perf_counter() - begin:.3f} s",
            flush=True,
        )
    print("ClassFlow against the width, scale 1e-8:")
    for width in (100, 1000, 10_000):
        case, begin = problem(width, 1e-8), start(width, 1e-8)
        times = np.linspace(0.0, end(1e-8), 201)
        tw.predict(case, times, theory=tw.ClassFlow(), start=begin)
        clock = time.perf_counter()
        tw.predict(case, times, theory=tw.ClassFlow(), start=begin)
        print(f"  {width}: {time.perf_counter() - clock:.3f} s", flush=True)


if __name__ == "__main__":
    evaluations()
    seconds()
    scaling()
