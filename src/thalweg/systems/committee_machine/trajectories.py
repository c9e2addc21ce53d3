"""Integration of order parameters in time, and learning rates that change with it."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .order_parameters import Motion, Scalar


class Schedule(eqx.Module):
    """A factor of the learning rate as a function of the clock t = steps / dimension."""

    @abc.abstractmethod
    def factor(self, t: Scalar) -> Scalar:
        """What multiplies the learning rate at time t."""


class Constant(Schedule):
    """The learning rate as it is."""

    def factor(self, t: Scalar) -> Scalar:
        return 1.0


class InverseTime(Schedule):
    """1 / max(t, start): constant until `start`, then falling like 1/t."""

    start: Scalar

    def factor(self, t: Scalar) -> Scalar:
        return 1.0 / jnp.maximum(t, self.start)


def scheduled(motion: Motion, schedule: Schedule, t: Scalar) -> Motion:
    """The rates at time t: both learning rates times the schedule's factor."""
    factor = schedule.factor(t)
    return Motion(
        learning_rate=factor * motion.learning_rate,
        output_learning_rate=factor * motion.output_learning_rate,
        weight_decay=motion.weight_decay,
        noise=motion.noise,
        second_order=motion.second_order,
    )


class Course(NamedTuple):
    """States at the times asked for (leading axis; NaN from where the run broke off), and whether all were reached."""

    states: Any
    reached: Bool[Array, ""]


def integrate(
    velocity: Callable[[Any, Any], Any],
    start: Any,
    times: Float[Array, " times"],
    tolerance: float = 1e-12,
    step_ceiling: int = 1 << 17,
) -> Course:
    """Follow d state / dt = velocity(t, state) from t = 0 through the times (increasing, >= 0), in one solve.

    Dormand-Prince of order 8, relative `tolerance`, absolute a hundredth of it. Beyond the last reached time
    (divergence, or `step_ceiling` steps) the states are NaN. Differentiable forward.
    """
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, state, args: velocity(t, state)),
        diffrax.Dopri8(),
        t0=0.0,
        # a run of no length is legal: one observation at the start
        t1=jnp.where(times[-1] > 0, times[-1], 1.0),
        dt0=None,
        y0=start,
        saveat=diffrax.SaveAt(ts=times),
        # a run that diverges ends at the least step, not only at the ceiling
        stepsize_controller=diffrax.PIDController(
            rtol=tolerance, atol=0.01 * tolerance, dtmin=1e-14 * jnp.maximum(times[-1], 1.0), force_dtmin=False
        ),
        adjoint=diffrax.ForwardMode(),
        max_steps=step_ceiling,
        throw=False,
    )
    states = jax.tree.map(lambda leaf: jnp.where(jnp.isfinite(leaf), leaf, jnp.nan), solution.ys)
    return Course(states, solution.result == diffrax.RESULTS.successful)
