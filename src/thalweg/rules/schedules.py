"""Learning rates that change with the clock, as small modules that theory and training read alike."""

import abc
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..words.fields import Parametrised, scalar

Scalar = float | Float[Array, ""]


class Schedule(Parametrised):
    """A factor of the learning rate as a function of the rule's clock t."""

    @abc.abstractmethod
    def factor(self, t: Scalar) -> Scalar:
        """What multiplies the learning rate at time t."""

    @abc.abstractmethod
    def integral(self, times: np.ndarray) -> np.ndarray:
        """The factor's integral from 0 to each time."""


def check_schedule(owner: Any) -> None:
    """ValueError unless what a rule has as its schedule is one."""
    if not isinstance(owner.schedule, Schedule):
        raise ValueError(
            f"{type(owner).__name__}: schedule = {owner.schedule!r:.40} is not allowed; give a schedule, such as "
            "Constant(), InverseTime(start=20.0) or PowerLaw(exponent=0.5)."
        )


class Constant(Schedule):
    """The learning rate as it is."""

    def factor(self, t: Scalar) -> Scalar:
        return 1.0

    def integral(self, times: np.ndarray) -> np.ndarray:
        return np.asarray(times, dtype=np.float64)


class InverseTime(Schedule):
    """start / max(t, start): the learning rate as it is until `start`, then falling like 1/t."""

    start: float = scalar("time at which the rate begins to fall", symbol="t_0", default=20.0, above=0.0)

    def factor(self, t: Scalar) -> Scalar:
        return self.start / jnp.maximum(t, self.start)

    def integral(self, times: Any) -> np.ndarray:
        start, t = float(self.start), np.asarray(times, dtype=np.float64)
        return np.where(t <= start, t, start * (1 + np.log(np.maximum(t, start) / start)))


class PowerLaw(Schedule):
    """(1 + t)^-exponent: the learning rate falls from the first step on, like 1/t at exponent 1; 0 keeps it.

    Its integral is ((1 + t)^(1 - exponent) - 1)/(1 - exponent), and log(1 + t) at exponent 1.
    """

    exponent: float = scalar("power with which the rate falls", symbol="a", default=0.5, low=0.0)

    def factor(self, t: Scalar) -> Scalar:
        return jnp.exp(-self.exponent * jnp.log1p(t))

    def integral(self, times: Any) -> np.ndarray:
        log, rise = np.log1p(np.asarray(times, dtype=np.float64)), 1 - float(self.exponent)
        # expm1 keeps what is next to exponent 1 exact
        return log if rise == 0 else np.expm1(rise * log) / rise


class Geometric(Schedule):
    """growth^t: a learning rate that sweeps through the decades, growing by this factor in one unit of the clock."""

    growth: float = scalar("factor in one unit of the clock", symbol="g", default=1.1, above=0.0)

    def factor(self, t: Scalar) -> Scalar:
        return jnp.exp(jnp.log(self.growth) * t)

    def integral(self, times: Any) -> np.ndarray:
        t, rise = np.asarray(times, dtype=np.float64), float(np.log(self.growth))
        return t if rise == 0 else np.expm1(rise * t) / rise


class Drop(Schedule):
    """1 before `at`, `share` from then on: one first rate, then a smaller one."""

    at: float = scalar("time of the drop", symbol="t_1", default=100.0, low=0.0)
    share: float = scalar("factor from then on", default=0.1, low=0.0)

    def factor(self, t: Scalar) -> Scalar:
        return jnp.where(t < self.at, 1.0, self.share)

    def integral(self, times: Any) -> np.ndarray:
        t, at = np.asarray(times, dtype=np.float64), float(self.at)
        return np.minimum(t, at) + float(self.share) * np.maximum(t - at, 0.0)
