"""Averages of products of a scalar function g and its slope g' over jointly Gaussian fields.

For u ~ N(0, C), C of shape (n, n), and whole-number indices a, b, c, d:

    second(C, a, b)       = E g(u_a) g(u_b)
    third(C, a, b, c)     = E g'(u_a) u_b g(u_c)
    fourth(C, a, b, c, d) = E g'(u_a) g'(u_b) g(u_c) g(u_d)
    slopes(C, a, b)       = E g'(u_a) g'(u_b)
    curvatures(C, a, b)   = E g'''(u_a) g'(u_b), E g'(u_a) g'''(u_b), E g''(u_a) g''(u_b)
    moment(m)             = E g'(z)^m,  z ~ N(0, 1)

Indices are NumPy integers or arrays of one shape (or shapes of the same rank that broadcast); so is the answer.
The covariance may be singular (equal fields); its diagonal must be positive. C is positive semidefinite up to
rounding, hence every argument of an arcsine is cut to [-1, 1]; beyond, the slope is taken to be 0.
Source: Saad and Solla 1995 (error function); Cho and Saul 2009 (rectifier); the others derived here, by integration by
parts of the second and from moments of Gaussians.
"""

import abc
import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Covariance = Float[Array, "n n"]
Index = int | np.integer | np.ndarray
Triple = tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]


class GaussianAverages(eqx.Module):
    """A function g with the averages of its products over Gaussian fields."""

    distinct: eqx.AbstractClassVar[float]  # how many different fields `fourth` can hold

    @abc.abstractmethod
    def value(self, z: Array) -> Array:
        """g(z)."""

    @abc.abstractmethod
    def slope(self, z: Array) -> Array:
        """g'(z)."""

    @abc.abstractmethod
    def moment(self, power: int) -> float:
        """E g'(z)^power of a standard normal z."""

    @abc.abstractmethod
    def second(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        """E g(u_a) g(u_b)."""

    @abc.abstractmethod
    def third(self, covariance: Covariance, a: Index, b: Index, c: Index) -> Float[Array, "..."]:
        """E g'(u_a) u_b g(u_c)."""

    @abc.abstractmethod
    def fourth(self, covariance: Covariance, a: Index, b: Index, c: Index, d: Index) -> Float[Array, "..."]:
        """E g'(u_a) g'(u_b) g(u_c) g(u_d)."""

    @abc.abstractmethod
    def slopes(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        """E g'(u_a) g'(u_b)."""

    @abc.abstractmethod
    def curvatures(self, covariance: Covariance, a: Index, b: Index) -> Triple:
        """E g'''(u_a) g'(u_b), E g'(u_a) g'''(u_b), E g''(u_a) g''(u_b): 2 d/dC_aa, 2 d/dC_bb, d/dC_ab of `slopes`.

        For a = b only the sum first + second + 2 third has a meaning: E (g'^2)''.
        """


def _together(*indices: Index) -> list[np.ndarray]:
    return list(np.broadcast_arrays(*indices))


def _arcsine(x: Array) -> Array:
    """Arcsine of an argument that rounding may have put beyond 1; slope 0 there instead of infinity."""
    inside = jnp.abs(x) < 1
    return jnp.where(inside, jnp.arcsin(jnp.where(inside, x, 0.0)), jnp.sign(x) * (math.pi / 2))


def _root(x: Array) -> Array:
    """Square root of what rounding may have made negative; slope 0 there instead of infinity."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


class _Entries:
    """Entries of a covariance by whole numbers known beforehand, none negative: looked up without checks of bounds,
    which would be most of what there is to compile."""

    def __init__(self, covariance: Covariance) -> None:
        self.count, self.flat = covariance.shape[0], covariance.reshape(-1)

    def __getitem__(self, place: tuple[np.ndarray, np.ndarray]) -> Array:
        index = place[0] * self.count + place[1]
        return self.flat.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


class Erf(GaussianAverages):
    """g(z) = erf(z / sqrt 2), g'(z) = sqrt(2/pi) exp(-z^2 / 2). All averages exact, for any number of fields."""

    distinct: ClassVar[float] = math.inf

    def value(self, z: Array) -> Array:
        return jax.lax.erf(z / math.sqrt(2))

    def slope(self, z: Array) -> Array:
        return math.sqrt(2 / math.pi) * jnp.exp(-0.5 * jnp.square(z))

    def moment(self, power: int) -> float:
        return (2 / math.pi) ** (power / 2) / math.sqrt(1 + power)

    def second(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        a, b = _together(a, b)
        c = _Entries(covariance)
        return 2 / math.pi * _arcsine(c[a, b] / jnp.sqrt((1 + c[a, a]) * (1 + c[b, b])))

    def third(self, covariance: Covariance, a: Index, b: Index, c: Index) -> Float[Array, "..."]:
        a, b, c = _together(a, b, c)
        v = _Entries(covariance)
        wide = 1 + v[a, a]
        lean = jnp.sqrt(wide * (1 + v[c, c]) - v[a, c] ** 2)
        return 2 / math.pi * (v[b, c] * wide - v[a, b] * v[a, c]) / (wide * lean)

    def fourth(self, covariance: Covariance, a: Index, b: Index, c: Index, d: Index) -> Float[Array, "..."]:
        a, b, c, d = _together(a, b, c, d)
        v = _Entries(covariance)
        wide_a, wide_b, cross = 1 + v[a, a], 1 + v[b, b], v[a, b]
        whole = wide_a * wide_b - cross**2

        def inner(c: np.ndarray, d: np.ndarray, own: Array) -> Array:
            mixed = v[a, c] * v[b, d] + v[a, d] * v[b, c]
            return whole * own - v[b, c] * v[b, d] * wide_a - v[a, c] * v[a, d] * wide_b + cross * mixed

        scale = jnp.sqrt(inner(c, c, 1 + v[c, c]) * inner(d, d, 1 + v[d, d]))
        return 4 / math.pi**2 * _arcsine(inner(c, d, v[c, d]) / scale) / jnp.sqrt(whole)

    def slopes(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        a, b = _together(a, b)
        v = _Entries(covariance)
        return 2 / math.pi / jnp.sqrt((1 + v[a, a]) * (1 + v[b, b]) - v[a, b] ** 2)

    def curvatures(self, covariance: Covariance, a: Index, b: Index) -> Triple:
        a, b = _together(a, b)
        v = _Entries(covariance)
        whole = (1 + v[a, a]) * (1 + v[b, b]) - v[a, b] ** 2
        share = self.slopes(covariance, a, b) / whole
        return -share * (1 + v[b, b]), -share * (1 + v[a, a]), share * v[a, b]


class Relu(GaussianAverages):
    """g(z) = max(z, 0), g'(z) = 1 for z > 0. `fourth` is known here for at most two different fields.

    Averages of steps are not smooth where two fields become equal: no derivative of `third`, `slopes` there.
    """

    distinct: ClassVar[float] = 2

    def value(self, z: Array) -> Array:
        return jnp.maximum(z, 0.0)

    def slope(self, z: Array) -> Array:
        return (z > 0).astype(z.dtype)

    def moment(self, power: int) -> float:
        return 0.5 if power else 1.0

    def second(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        a, b = _together(a, b)
        return _relu_pair_of(_Entries(covariance), a, b)

    def third(self, covariance: Covariance, a: Index, b: Index, c: Index) -> Float[Array, "..."]:
        a, b, c = _together(a, b, c)
        v = _Entries(covariance)
        return v[a, b] * _lean(v, a, c) / (2 * math.pi * v[a, a]) + v[b, c] * self.slopes(covariance, a, c)

    def fourth(self, covariance: Covariance, a: Index, b: Index, c: Index, d: Index) -> Float[Array, "..."]:
        fields = np.stack(_together(a, b, c, d))
        ordered = np.sort(fields, axis=0)
        if np.any(1 + np.sum(np.diff(ordered, axis=0) != 0, axis=0) > 2):
            raise ValueError(
                "four averages of the rectifier are known for at most two different fields; "
                "use Erf, or leave the fourth-order average out."
            )
        # E 1(p>0) 1(q>0) x y over two fields p, q: x y is p^2, q^2 or p q, whatever the steps were
        p, q = ordered[0], ordered[-1]
        v, x, y = _Entries(covariance), fields[2], fields[3]
        half = v[p, q] * _lean(v, p, q) / (v[p, p] * v[q, q])  # r sqrt(1 - r^2)
        share = 0.25 + (_angle(v, p, q) + half) / (2 * math.pi)
        return jnp.where(x == y, v[x, x] * share, _relu_pair_of(v, p, q))

    def slopes(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        a, b = _together(a, b)
        return 0.25 + _angle(_Entries(covariance), a, b) / (2 * math.pi)

    def curvatures(self, covariance: Covariance, a: Index, b: Index) -> Triple:
        a, b = _together(a, b)
        v = _Entries(covariance)
        lean = _lean(v, a, b)
        # equal fields: g'^2 is a step, whose curvature has mean 0
        density = jnp.where(lean == 0, 0.0, 1 / (2 * math.pi * jnp.where(lean > 0, lean, 1.0)))
        return -density * v[a, b] / v[a, a], -density * v[a, b] / v[b, b], density


# One and the same field: the angle is pi/2 and the root 0 to the last bit. Left to rounding, the root would be 1e-8.


def _angle(v: _Entries, a: np.ndarray, b: np.ndarray) -> Array:
    """Arcsine of the correlation."""
    cosine = v[a, b] / jnp.sqrt(v[a, a] * v[b, b])
    return _arcsine(jnp.where(a == b, 1.0, cosine))


def _lean(v: _Entries, a: np.ndarray, b: np.ndarray) -> Array:
    """sqrt(c_aa c_bb - c_ab^2)."""
    return _root(jnp.where(a == b, 0.0, v[a, a] * v[b, b] - v[a, b] ** 2))


def _relu_pair_of(v: _Entries, a: np.ndarray, b: np.ndarray) -> Array:
    pair = _relu_pair(v[a, a], v[b, b], v[a, b])
    return jnp.where(a == b, 0.5 * v[a, a], pair)


@jax.custom_jvp
def _relu_pair(c_aa: Array, c_bb: Array, c_ab: Array) -> Array:
    """E relu(a) relu(b) = [s + c_ab (pi/2 + asin r)] / (2 pi)."""
    lean = _root(c_aa * c_bb - c_ab**2)
    return (lean + c_ab * (math.pi / 2 + _arcsine(c_ab / jnp.sqrt(c_aa * c_bb)))) / (2 * math.pi)


@_relu_pair.defjvp
def _relu_pair_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    # by Price's theorem; written out, since the infinite slopes of s and asin cancel at equal fields
    c_aa, c_bb, c_ab = primals
    t_aa, t_bb, t_ab = tangents
    lean = _root(c_aa * c_bb - c_ab**2)
    both = 0.25 + _arcsine(c_ab / jnp.sqrt(c_aa * c_bb)) / (2 * math.pi)
    return _relu_pair(*primals), both * t_ab + lean / (4 * math.pi) * (t_aa / c_aa + t_bb / c_bb)


class Linear(GaussianAverages):
    """g(z) = z, g'(z) = 1."""

    distinct: ClassVar[float] = math.inf

    def value(self, z: Array) -> Array:
        return z

    def slope(self, z: Array) -> Array:
        return jnp.ones_like(z)

    def moment(self, power: int) -> float:
        return 1.0

    def second(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        a, b = _together(a, b)
        return _Entries(covariance)[a, b]

    def third(self, covariance: Covariance, a: Index, b: Index, c: Index) -> Float[Array, "..."]:
        a, b, c = _together(a, b, c)
        return _Entries(covariance)[b, c]

    def fourth(self, covariance: Covariance, a: Index, b: Index, c: Index, d: Index) -> Float[Array, "..."]:
        a, b, c, d = _together(a, b, c, d)
        return _Entries(covariance)[c, d]

    def slopes(self, covariance: Covariance, a: Index, b: Index) -> Float[Array, "..."]:
        a, b = _together(a, b)
        return jnp.ones(a.shape, covariance.dtype)

    def curvatures(self, covariance: Covariance, a: Index, b: Index) -> Triple:
        none = jnp.zeros(_together(a, b)[0].shape, covariance.dtype)
        return none, none, none
