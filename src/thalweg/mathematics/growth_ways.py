"""The three ways in which y' = +-y^(N-1) (1 -+ y^N) moves, N >= 3, each one function of a shifted time for all starts.

Solutions differ by a shift of time alone, so that with c(y) = int dy/y' each way is inverted once for all of them:
y(theta) = Y(c(y0) + theta). N ln Y is tabulated when it is first asked for, over x(c): the time itself where Y nears
its end exponentially, its logarithm where Y is a power of it. There N ln Y is linear in x but for what is tabulated,
which is constant beyond the table; polynomials of degree 7 in cells of 1/8 keep it to rounding.
"""

import abc
import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

CELL = 0.125
DEGREE = 7
# z^N below which c(1/z) is summed as a power series, of so many terms
SERIES, TERMS = 0.3, 34


class Way(abc.ABC):
    """One way of moving; methods take `library`, NumPy for the table and JAX for its use."""

    # ends of the table in x; where the slope of the line changes; the sign of ln Y, 0 where it falls from + to -
    span: ClassVar[tuple[float, float]]
    bend: ClassVar[float]
    side: ClassVar[float]

    def __init__(self, depth: int) -> None:
        self.depth = depth

    @abc.abstractmethod
    def clock(self, log: Any, library: Any) -> Any:
        """c at ln y; it grows with time."""

    @abc.abstractmethod
    def place(self, clock: Any, library: Any) -> Any:
        """x at c."""

    @abc.abstractmethod
    def back(self, x: np.ndarray) -> np.ndarray:
        """c at x."""

    @abc.abstractmethod
    def slopes(self) -> tuple[float, float]:
        """d(N ln Y)/dx at the two ends."""

    def line(self, x: Any, library: Any) -> Any:
        """The broken line that N ln Y follows at both ends."""
        before, after = self.slopes()
        return library.where(x < self.bend, before, after) * (x - self.bend)

    def pace(self, total: Any, library: Any) -> Any:
        """d(N ln y)/dc at N ln y."""
        n = self.depth
        missing = library.expm1(total) if self.side else 1 + library.exp(total)
        return -n * library.exp((n - 2) / n * total) * missing


class Rising(Way):
    """0 < y < 1, upwards: a power of -c first."""

    span, bend, side = (-40.0, 40.0), -1.0, -1.0

    def clock(self, log: Any, library: Any) -> Any:
        n = self.depth
        logs = roots(n, library.exp(log), 1.0, 2, library) - library.log(-library.expm1(log)) / n
        return logs - library.exp((2 - n) * log) / (n - 2)

    def _late(self) -> float:
        """1 - y = exp(-N (c - late))/N in the end."""
        n = self.depth
        return float(roots(n, np.ones(()), 1.0, 2, np)) - 1 / (n - 2) + np.log(n) / n

    def place(self, clock: Any, library: Any) -> Any:
        time = self.depth * (clock - self._late())
        return library.where(time > -1, time, -1 - library.log(-library.minimum(time, -1.0)))

    def back(self, x: np.ndarray) -> np.ndarray:
        return self._late() + np.where(x > -1, x, -np.exp(-1 - np.minimum(x, -1.0))) / self.depth

    def slopes(self) -> tuple[float, float]:
        return self.depth / (self.depth - 2), 0.0


class Sinking(Way):
    """y > 1, downwards: a power of c first, c = 0 at y = inf."""

    span, bend, side = (-80.0, 40.0), 0.0, 1.0

    def clock(self, log: Any, library: Any) -> Any:
        n, z = self.depth, library.exp(-log)
        logs = roots(n, z, 1.0, n - 2, library) - library.log(-library.expm1(-log)) / n
        return library.where(z**n < SERIES, _series(n, z, 1.0), logs - z ** (n - 2) / (n - 2))

    def place(self, clock: Any, library: Any) -> Any:
        time = self.depth * clock
        return library.where(time > 2, time - 2, library.log(library.minimum(0.5 * time, 1.0)))

    def back(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x + 2, 2 * np.exp(np.minimum(x, 0.0))) / self.depth

    def slopes(self) -> tuple[float, float]:
        return -self.depth / (2 * self.depth - 2), 0.0


class Falling(Way):
    """y' = -y^(N-1) (1 + y^N), from any y to 0: a power of c at both ends, c = 0 at y = inf."""

    span, bend, side = (-80.0, 40.0), 0.0, 0.0

    def clock(self, log: Any, library: Any) -> Any:
        n, z = self.depth, library.exp(-log)
        whole = np.pi / n / np.sin(2 * np.pi / n)
        late = library.exp((2 - n) * log) / (n - 2) - whole + roots(n, library.exp(log), -1.0, 2, library)
        return library.where(z**n < SERIES, _series(n, z, -1.0), late)

    def place(self, clock: Any, library: Any) -> Any:
        return library.log(clock)

    def back(self, x: np.ndarray) -> np.ndarray:
        return np.exp(x)

    def slopes(self) -> tuple[float, float]:
        return -self.depth / (2 * self.depth - 2), -self.depth / (self.depth - 2)


def _series(n: int, z: Any, sign: float) -> Any:
    """int_0^z w^(2N-3)/(1 -+ w^N) dw as a power series, for small z."""
    power = sign * z**n
    total = 0.0 * z
    for k in reversed(range(TERMS)):
        total = total * power + 1 / (2 * n - 2 + k * n)
    return total * z ** (2 * n - 2)


def roots(n: int, y: Any, sign: float, power: int, library: Any) -> Any:
    """int_0^y z^(m-1)/(1 -+ z^N) dz = -(1/N) Re sum_w w^m log(1 - y/w) over the N-th roots w of +-1, but the root 1."""
    total = 0.0 * y
    for k in range(n):
        angle = (2 * k if sign > 0 else 2 * k + 1) * np.pi / n
        if angle > np.pi + 1e-9 or angle == 0:
            continue
        weight = 1.0 if abs(angle - np.pi) < 1e-9 else 2.0
        size = 0.5 * library.log(1 - 2 * y * np.cos(angle) + y**2)
        turn = library.arctan2(y * np.sin(angle), 1 - y * np.cos(angle))
        total = total + weight * (np.cos(power * angle) * size - np.sin(power * angle) * turn)
    return -total / n


@functools.cache
def _table(kind: type[Way], depth: int) -> np.ndarray:
    """Coefficients (powers, cells) of N ln Y less its broken line in each cell, in a variable from -1 to 1."""
    way, (low, high) = kind(depth), kind.span
    count = round((high - low) / CELL)
    nodes = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    x = low + CELL * (np.arange(count)[:, None] + 0.5 + 0.5 * nodes[None, :])
    wanted = way.back(x)
    # Newton steps in q: ln Y = +-e^q where it keeps its sign, from a table that is read backwards
    both = np.linspace(-60.0, 60.0, 6001)
    coarse = np.exp(np.linspace(-50.0, np.log(60.0), 6001))
    logs = both if way.side == 0 else way.side * coarse
    with np.errstate(all="ignore"):
        seen = way.place(way.clock(logs, np), np)
        sound = np.isfinite(seen)
        rank = np.argsort(seen[sound])
        log = np.interp(x, seen[sound][rank], logs[sound][rank])
        for _ in range(6):
            step = (way.clock(log, np) - wanted) * way.pace(depth * log, np) / depth
            log = log - step if way.side == 0 else log * np.exp(-step / log)
    return np.linalg.solve(np.vander(nodes, increasing=True), (depth * log - way.line(x, np)).T)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def logarithm(kind: type[Way], depth: int, clock: Float[Array, " k"]) -> Float[Array, " k"]:
    """N ln Y of each component at its c."""
    way, table = kind(depth), _table(kind, depth)
    low, count = kind.span[0], table.shape[1]
    x = way.place(clock, jnp)
    cells = jnp.clip((x - low) / CELL, 0.0, count - 1e-9)
    index = cells.astype(int)
    local = 2 * (cells - index) - 1
    total = jnp.zeros_like(x)
    for row in table[::-1]:
        total = total * local + jnp.take(jnp.asarray(row), index, mode="clip")
    return way.line(x, jnp) + total


@logarithm.defjvp
def _logarithm_jvp(kind: type[Way], depth: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    found = logarithm(kind, depth, *primals)
    return found, kind(depth).pace(found, jnp) * tangents[0]
