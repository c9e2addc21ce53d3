"""Descent that keeps a network aligned: exact recursions of its modes, for free and for circulant layers."""

import math
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...computing.one_by_one import each
from ...rules import GradientDescent
from ...rules.demands import descends, plain_steps, under_flow
from ...words.fields import vary
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Setting, Source, Variable, structural
from . import regime
from .layer_modes import aligned_strain, axes_of, off_share
from .layers import Layers, filter_of, product
from .problem import DeepLinear
from .starts import AlignedLayers
from .task import WhiteTask
from .trajectories import CURVES

DESCENT = structural(
    "descent",
    "The rule must be plain gradient descent; the flow of aligned networks is that of DecoupledModes.",
    descends,
    under_flow,
)


class Chain(NamedTuple):
    """Layer values (N, k) of every mode, and the axes of its outputs (o, k) and inputs (d, k)."""

    values: Any
    left: Any
    right: Any


def chain_of(layers: Any, left: Any, right: Any, library: Any = jnp) -> tuple[Chain, list[Any]]:
    """Layer values of an aligned network, from its inputs on, and the axes in every layer (inputs first)."""
    frames, values = [library.asarray(right)], []
    for layer in layers[:-1]:
        moved = layer @ frames[-1]
        length = library.sqrt(library.sum(moved**2, axis=0))
        values.append(length)
        frames.append(moved / library.where(length > 0, length, 1.0)[None, :])
    values.append(library.sum(left * (layers[-1] @ frames[-1]), axis=0))
    return Chain(library.stack(values), left, right), [*frames, library.asarray(left)]


def _alignment_strain(setting: Setting) -> float:
    if setting.problem.circulant:
        return 0.0 if isinstance(setting.data, WhiteTask) else math.inf
    layers = regime.layers_of(setting)
    axes = axes_of(setting.data, np.asarray(product(layers)), np)
    chain, frames = chain_of(layers, axes.left, axes.right, np)
    parts = zip(layers, frames[1:], chain.values, frames, strict=False)
    worst = max(off_share(w, (after * value) @ before.T) for w, after, value, before in parts)
    return max(worst / regime.EXACT, aligned_strain(setting))


INVARIANT = Assumption(
    "invariant alignment",
    "Neighbouring layers must share their singular axes, and U'E y x' V and V'E x x' V be diagonal in those of the "
    "ends (strain 1: 1e-9 of one of them beside its diagonal); circulant layers always do, on white inputs.",
    _alignment_strain,
    broken_by=regime.from_gaussian,
)


class AlignmentInvariance(Exact[DeepLinear]):
    """Exact gradient descent of aligned networks, any depth: every mode is a recursion of its layer values alone.

    SVDs W_j = U_j S_j V_j' with V_{j+1} = U_j stay so under descent iff V'E x x' V and U'E y x' V are diagonal
    (lambda, mu; U, V the axes of the ends). Then, for all layers at once,
        sigma_j <- sigma_j + eta [(prod_{i != j} sigma_i)(mu - lambda prod_i sigma_i) - weight_decay_j sigma_j].
    Circulant layers are aligned by the Fourier transform: the same recursion for complex w_j(f), conjugate products,
    and eta d in place of eta (filter descent is descent of the matrices, d times faster and projected); only the
    circulant part of the target acts. Own: `largest_stable_rate`, 2/(lambda sum_j prod_{i != j} sigma_i^2), of the
    steepest mode at the last time (without decay). Aligned is weaker than balanced. Clock: whole steps. Conditions on
    draw and start. Fails off the axes, where descent leaves alignment at once, and for other rules.
    Source: Radhakrishnan, Nichani, Bernstein & Uhler 2020 (their own learning rate is not used).
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Radhakrishnan2020", "invariance of alignment"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("largest_stable_rate", "largest learning rate at which the end is stable"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, "largest_stable_rate")
    assumptions: ClassVar[tuple[Assumption, ...]] = (DESCENT, INVARIANT)

    @classmethod
    def example(cls) -> DeepLinear:
        return vary(super().example(), {"start": AlignedLayers((0.5, 2.0)), "rule": GradientDescent(0.05)})

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        start = tuple(jnp.asarray(one) for one in start)
        follow = _circulant_case if problem.circulant else _free_case
        values, drive, variance, pace, params = follow(problem, data, start)
        decays = problem.decays()[:, None]
        rate = problem.rule.pace() if plain_steps(problem.rule) else jnp.nan

        def step(_: Any, now: Array) -> Array:
            others = _others(now)
            missed = drive - variance * (others[0] * now[0])
            return now + rate * (pace * jnp.conj(others) * missed[None, :] - decays * now)

        def visit(now: Array, count: Array) -> tuple[Array, Array]:
            now = jax.lax.fori_loop(0, count, step, now)
            return now, now

        steps = jnp.round(times).astype(int)
        counts = jnp.diff(steps, prepend=jnp.zeros_like(steps[:1]))
        end, path = jax.lax.scan(visit, values, counts)
        curvature = variance * pace * jnp.sum(jnp.abs(_others(end)) ** 2, axis=0)
        return {
            **each(lambda now: problem.observe(params(now), data), path),
            "largest_stable_rate": 2 / jnp.max(curvature),
        }


def _others(values: Array) -> Array:
    """prod_{i != j} of each layer (N, k), without a division."""
    ones = jnp.ones_like(values[:1])
    before = jnp.concatenate([ones, jnp.cumprod(values[:-1], axis=0)])
    after = jnp.concatenate([jnp.cumprod(values[:0:-1], axis=0)[::-1], ones])
    return before * after


def _free_case(problem: DeepLinear, data: Any, start: Layers) -> tuple[Any, ...]:
    axes = axes_of(data, product(start))
    chain, _ = chain_of(start, axes.left, axes.right)

    def params(now: Array) -> Layers:
        if len(start) == 1:
            return ((axes.left * now[0][None, :]) @ axes.right.T,)
        middle = tuple(jnp.diag(value) for value in now[1:-1])
        return (now[0][:, None] * axes.right.T, *middle, axes.left * now[-1][None, :])

    return chain.values, axes.drive, axes.variance, 1.0, params


def _circulant_case(problem: DeepLinear, data: Any, start: Layers) -> tuple[Any, ...]:
    values = jnp.fft.fft(jnp.stack(start), axis=1)
    drive = jnp.fft.fft(filter_of(data.correlation()))

    def params(now: Array) -> Layers:
        return tuple(jnp.real(jnp.fft.ifft(now, axis=1)))

    return values, drive, jnp.ones(values.shape[1]), 1.0 * values.shape[1], params
