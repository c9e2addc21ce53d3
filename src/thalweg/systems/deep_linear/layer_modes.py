"""Networks aligned with their data: every mode moves for itself, at any depth."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics import half_angle
from ...mathematics.power_growth import growth_curve
from ...words.fields import vary
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Setting, Source, Variable
from . import regime
from .layers import Layers, product
from .problem import DeepLinear
from .readings import MODE
from .starts import AlignedLayers
from .task import Task
from .trajectories import CURVES, EVENTS, closed_form

# how far the start is mixed into E y x' to tell equal singular values apart
MIXED = 1e-4


class ModeAxes(NamedTuple):
    """Axes of the outputs (o, k) and of the inputs (d, k), with mu = u'E yx' v and lambda = v'E xx' v of each mode."""

    left: Float[Array, "o k"]
    right: Float[Array, "d k"]
    drive: Float[Array, " k"]
    variance: Float[Array, " k"]


def axes_of(task: Task, whole: Float[Any, "o d"], library: Any = jnp) -> ModeAxes:
    """Singular vectors of E y x' that diagonalise W, too, where there are such."""
    correlation, covariance = library.asarray(task.correlation()), library.asarray(task.covariance())
    size = library.sqrt(library.sum(whole**2))
    share = MIXED * library.sqrt(library.sum(correlation**2)) / library.where(size > 0, size, 1.0)
    left, _, right = library.linalg.svd(correlation + share * whole, full_matrices=False)
    drive = library.sum(left * (correlation @ right.T), axis=0)
    # the sign of an axis is free: mu >= 0
    sign = library.where(drive < 0, -1.0, 1.0)
    variance = library.sum(right.T * (covariance @ right.T), axis=0)
    return ModeAxes(left * sign[None, :], right.T, drive * sign, variance)


def off_share(matrix: Any, kept: Any) -> float:
    """Share of a matrix beside what is kept of it."""
    return float(np.linalg.norm(matrix - kept)) / (float(np.linalg.norm(matrix)) or 1.0)


def aligned_strain(setting: Setting) -> float:
    whole = np.asarray(product(regime.layers_of(setting)))
    axes = axes_of(setting.data, whole, np)
    correlation, covariance = np.asarray(setting.data.correlation()), np.asarray(setting.data.covariance())
    modes = np.sum(axes.left * (whole @ axes.right), axis=0)
    worst = max(
        off_share(whole, (axes.left * modes) @ axes.right.T),
        off_share(correlation, (axes.left * axes.drive) @ axes.right.T),
        off_share(covariance @ axes.right, axes.right * axes.variance),
    )
    return worst / regime.EXACT


ALIGNED = Assumption(
    "aligned with the data",
    "W, E y x' and E x x' must be diagonal in the same axes (strain 1: 1e-9 of one of them beside its diagonal). "
    "A small start turns towards the data, but not exactly.",
    aligned_strain,
    broken_by=regime.from_gaussian,
)


class DecoupledModes(Exact[DeepLinear]):
    """Exact flow of a balanced network of any depth N that is aligned with its data, mode by mode.

    With u = product of the layer values of a mode, mu = its part of E y x', lambda = its input variance (1 for white
    inputs):  u' = N u^(2 - 2/N) (mu - lambda u).  N = 1: mu/lambda + (u0 - mu/lambda) e^(-lambda t); N = 2:
    (mu/lambda)/(1 + (mu/(lambda u0) - 1) e^(-2 mu t)); N >= 3: t(u) by logarithms of the N-th roots of one, inverted;
    mu = 0: a power law. A negative u0 (an odd number of negative layers) goes to 0 and never to its target. Small
    starts are half learned at ln(mu/(lambda u0) - 1)/(2 mu) (N = 2), u0^(2/N - 1)/((N - 2) mu) (N >= 3).
    Events: half_time, escape_time, late_rate. Own: `mode_targets`, mu/lambda of each mode (0 for a negative start).
    Clock: flow time. Conditions on draw and start. Fails for starts off balance (UnbalancedModes, N = 2) or off axes.
    Source: Saxe, McClelland & Ganguli 2014; inputs that are not white: Gidel, Bach & Lacoste-Julien 2019.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Saxe2014"), Source("Gidel2019"))
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (Variable("mode_targets", "where each mode ends", dims=(MODE,)),)
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS, "mode_targets")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW, regime.FREE_LAYERS, regime.NO_DECAY, regime.BALANCED, ALIGNED,
    )  # fmt: skip

    @classmethod
    def example(cls) -> DeepLinear:
        return vary(super().example(), {"start": AlignedLayers()})

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        depth = len(start)
        whole = product([jnp.asarray(layer) for layer in start])
        axes = axes_of(data, whole)
        begin = jnp.sum(axes.left * (whole @ axes.right), axis=0)
        curve = growth_curve(depth, begin, axes.drive, jnp.maximum(axes.variance, 0.0))

        def at(time: Float[Array, ""]) -> Layers:
            return mode_layers(axes, curve(time), depth)

        moving = axes.variance > 0
        ends = jnp.where(moving, axes.drive / jnp.where(moving, axes.variance, 1.0), begin)
        learned = (begin > 0) | (depth == 1) | ~moving
        return {
            **closed_form(problem, data, at, jnp.asarray(times)),
            "mode_targets": jnp.where(learned, ends, 0.0),
        }


def mode_layers(axes: ModeAxes, modes: Float[Array, " k"], depth: int) -> Layers:
    """Balanced layers whose product has these modes, one hidden unit a mode; the last carries the signs."""
    if depth == 1:
        return ((axes.left * modes[None, :]) @ axes.right.T,)
    size = jnp.abs(jnp.where(modes == 0, 1.0, modes)) ** (1 / depth)
    size = jnp.where(modes == 0, 0.0, size)
    middle = tuple(jnp.diag(size) for _ in range(depth - 2))
    return (size[:, None] * axes.right.T, *middle, axes.left * (jnp.sign(modes) * size)[None, :])


def _pairs(task: Task, first: Any, second: Any, library: Any) -> tuple[ModeAxes, Any, Any, Any]:
    """ModeAxes, and a^2, b^2, a b of each mode of two layers."""
    whole = second @ first
    axes = axes_of(task, whole, library)
    inner, outer = first @ axes.right, second.T @ axes.left
    return axes, library.sum(inner**2, axis=0), library.sum(outer**2, axis=0), library.sum(inner * outer, axis=0)


def _single_units_strain(setting: Setting) -> float:
    layers = regime.layers_of(setting)
    if len(layers) != 2:
        return np.inf
    first, second = layers
    axes, square_in, square_out, modes = _pairs(setting.data, first, second, np)
    worst = max(
        off_share(first.T @ first, (axes.right * square_in) @ axes.right.T),
        off_share(second @ second.T, (axes.left * square_out) @ axes.left.T),
        off_share(np.sqrt(square_in * square_out), np.abs(modes)),
    )
    return worst / regime.EXACT


SINGLE_UNITS = Assumption(
    "one unit a mode",
    "W_1'W_1 and W_2W_2' must be diagonal in the axes of the data, and each mode pass through one hidden direction "
    "(strain 1: off by 1e-9).",
    _single_units_strain,
    broken_by=regime.from_gaussian,
)


class UnbalancedModes(Exact[DeepLinear]):
    """Exact flow of two layers aligned with their data, each mode with layer values a, b of its own, balanced or not.

    a' = b (mu - lambda ab), b' = a (mu - lambda ab); b^2 - a^2 is conserved. In the form that never loses digits, with
    q = (a, b), D = b^2 - a^2, F = [[-D/2, s], [s, D/2]], s = mu/lambda, time lambda t:
        qq'(t) = e^{Ft} qq' e^{Ft} / (1 + q' K q),  K = int_0^t e^{2Fs} ds;
    eigenvalues of F: +- kappa/2, kappa^2 = D^2 + 4 s^2. It equals the hyperbolic form u = (c/2) sinh(theta), c = |D|.
    Late rate: lambda kappa. A mode of the wrong sign passes 0 where D != 0, and ends at 0 where a = -b.
    Events: half_time, escape_time, late_rate. Own: `conserved`, D of each mode. Clock: flow time. Conditions on draw
    and start. Fails for another depth (there DecoupledModes wants balance) and off the axes of the data.
    Source: Saxe, McClelland & Ganguli 2014; Kunin et al. 2024.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Saxe2014"), Source("Kunin2024"))
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (Variable("conserved", "b^2 - a^2 of each mode", dims=(MODE,)),)
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS, "conserved")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW, regime.TWO_LAYERS, regime.NO_DECAY, ALIGNED, SINGLE_UNITS,
    )  # fmt: skip

    @classmethod
    def example(cls) -> DeepLinear:
        return vary(super().example(), {"start": AlignedLayers((0.5, 2.0))})

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        first, second = (jnp.asarray(layer) for layer in start)
        axes, square_in, square_out, modes = _pairs(data, first, second, jnp)
        inner = jnp.sqrt(square_in)
        outer = jnp.sqrt(square_out) * jnp.where(modes < 0, -1.0, 1.0)

        def at(time: Float[Array, ""]) -> Layers:
            a, b = paired_values(inner, outer, axes.drive, jnp.maximum(axes.variance, 0.0), time)
            return a[:, None] * axes.right.T, axes.left * b[None, :]

        return {**closed_form(problem, data, at, jnp.asarray(times)), "conserved": square_out - square_in}


def paired_values(
    a: Float[Array, " k"], b: Float[Array, " k"], mu: Float[Array, " k"], variance: Float[Array, " k"], time: Any
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """a(t), b(t) of a' = b (mu - lambda ab), b' = a (mu - lambda ab), for any start; constant where lambda = 0."""
    moving = variance > 0
    s = mu / jnp.where(moving, variance, 1.0)
    conserved = b**2 - a**2
    kappa, low, high = half_angle.pairs(conserved, jnp.abs(s))
    low = jnp.where(s < 0, -low, low)  # a map of the other sign grows along (-low, high)
    pace, span = jnp.where(kappa > 0, kappa, 1.0), variance * time
    grow, fall = low * a + high * b, low * b - high * a
    # everything over e^{kappa t}
    fade = jnp.exp(-kappa * span)
    filled = jnp.where(kappa > 0, -jnp.expm1(-kappa * span) / pace, span)
    weight = jnp.sqrt(fade + (grow**2 + fade * fall**2) * filled)
    grown, fallen = grow / weight, fall * fade / weight
    found = low * grown - high * fallen, high * grown + low * fallen
    return jnp.where(moving, found[0], a), jnp.where(moving, found[1], b)
