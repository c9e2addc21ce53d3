"""Learning rates that change with the clock, as small modules that theory and training read alike."""

import abc
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..fields import Parametrised, scalar

Scalar = float | Float[Array, ""]


class Schedule(Parametrised):
    """A factor of the learning rate as a function of the rule's clock t."""

    @abc.abstractmethod
    def factor(self, t: Scalar) -> Scalar:
        """What multiplies the learning rate at time t."""

    @abc.abstractmethod
    def integral(self, times: np.ndarray) -> np.ndarray:
        """The factor's integral from 0 to each time."""


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
