"""Multi-pass SGD on a stored data set: its Volterra equation, for regression and for classes alike."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...catalogue import registry
from ...mathematics.lens_contour import loop_nodes
from ...mathematics.renewal import interpolated, panel_times, panels_needed, renewal
from ...mathematics.static_ridge import effective_ridge
from ...rules import SGD, GradientFlow
from ...words.fields import vary
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source
from ..shared.square_loss import REPLACED, SAMPLED, SquareLossProblem
from .equivalent import Loop, equivalent_curves, loop_of, top
from .isotropic import CURVES, effective_dimension, scaled_terms
from .problem import LinearRegression

FLOW = GradientFlow()
# largest bias of the mean over seeds over the scale of each, at its upper two-sigma end, times size and distance from
# the largest stable rate; that rate itself lies below its limit, because of the samples of largest norm
SAMPLED_OFF = {"train_loss": 0.65, "test_loss": 0.6, "overlap": 0.5, "squared_norm": 0.65}
EDGE_OFF, EDGE_ORDER = 2.8, 0.75


def _small_strain(setting: Setting) -> float:
    problem = setting.problem
    return float(problem.rule.learning_rate * (top(problem, problem.law()) + problem.weight_decay)) / 0.2


def stable_rate(problem: SquareLossProblem, batch: int) -> Array:
    """Learning rate at which the kernel's integral is 1: 2 B / tr[S^2 (S + gamma)^-1], in the limit."""
    law, decay = problem.law(), jnp.asarray(problem.weight_decay, float)
    kappa = effective_ridge(law, problem.samples, decay[None])[0]
    kept = jnp.where(law.values > 0, law.values / jnp.where(law.values > 0, law.values + kappa, 1.0), 0.0)
    return 2 * batch / jnp.sum(law.counts * (law.values - decay * kept))


def _stable_strain(setting: Setting) -> float:
    rule = setting.problem.rule
    return float(rule.learning_rate / stable_rate(setting.problem, rule.batch))


def _isotropic_strain(setting: Setting) -> float:
    r = abs(float(getattr(setting.problem, "correlation", 0.0)))
    return ((1 + r) / (1 - r) - 1) / 0.1


def _correlated(problem: Any) -> Any:
    """Two classes of correlated noise, under SGD."""
    found = registry.example(SquareLossProblem, lambda one: hasattr(one, "correlation"))
    return vary(found, {"correlation": 0.2, "rule": SGD()})


class VolterraSGD(Limit[SquareLossProblem]):
    """Mean curves of SGD with replacement on a stored data set, in the limit of many features and samples.

    Steps of rate eta on batches of B samples act as gradient flow, tau = eta k, with noise whose power is the training
    loss. With the flow's curves (index 0), S the sample covariance, C that of the inputs, gamma = weight_decay:
        train_loss(tau) = train_loss_0(tau) + (eta/B) int_0^tau tr[S^2 e^(-2 (S + gamma)(tau - u))] train_loss(u) du,
        2 test_loss = 2 test_loss_0 + (2 eta/B) int_0^tau tr[C S e^(-2 (S + gamma)(tau - u))] train_loss(u) du,
        squared_norm = its flow + (2 eta/B) int_0^tau tr[S e^(-2 (S + gamma)(tau - u))] train_loss(u) du,
    and the overlap is that of flow. With isotropic inputs eta/B tr[S^2 e^(-2 S u)] = Gamma <x^2 e^(-2 x u)>, Gamma =
    eta dimension/B. Traces and flow are contour integrals of the deterministic equivalent; the equation is solved
    panel by panel with one state for each node. Speaks about LinearRegression with any spectrum, and about
    LinearClassifier with isotropic noise (no accuracies: training outputs are not Gaussian under SGD).
    Event: `largest_stable_rate`, where the kernel's integral is 1: eta = 2 B/tr C without decay, Gamma = 2.
    Clock: whole steps. Conditions on nothing. Error: O(1/dimension) in the mean over seeds (for uneven inputs the
    effective dimension (tr C)^2/tr C^2), growing towards the stable rate; constants measured. Fails for steps that are
    not small beside the sample spectrum (strain 1: eta (largest eigenvalue + gamma) = 0.2; batches of the order of the
    dimension lead there), beyond the stable rate, and for sampling without replacement. Best times are not predicted:
    a single run is noisy at its flat optimum.
    Source: Paquette et al. 2021 (isotropic); other spectra and the norm by the same derivation.
    """

    nodes: int | None = None
    panels: int | None = None

    of: ClassVar[tuple[type[Problem], ...]] = (SquareLossProblem,)
    source: ClassVar[tuple[Source, ...]] = (Source("Paquette2021"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, "largest_stable_rate")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        SAMPLED,
        REPLACED,
        Assumption(
            "small steps",
            "1 means that learning_rate times the largest sample eigenvalue is 0.2; the equation takes steps for flow.",
            _small_strain,
            broken_by=lambda problem: vary(problem, {"rule": SGD(learning_rate=0.1, batch=20)}),
        ),
        Assumption(
            "stable step",
            "1 means that the noise of the steps is about to grow for ever.",
            _stable_strain,
            broken_by=lambda problem: LinearRegression(rule=SGD(learning_rate=0.0101)),
        ),
        Assumption(
            "known covariance",
            "1 means that correlated noise of the classes is 10 % off isotropic in operator norm.",
            _isotropic_strain,
            broken_by=_correlated,
        ),
    )

    @classmethod
    def example(cls) -> LinearRegression:
        rule, spectrum = SGD(learning_rate=0.02), np.linspace(0.4, 1.6, 24)
        return LinearRegression(dimension=24, samples=36, init_variance=0.1, spectrum=spectrum, rule=rule)

    def prepare(self, problem: SquareLossProblem, times: np.ndarray) -> "VolterraSGD":
        if self.nodes is not None:
            return self
        end, largest = float(problem.rule.flow_time(problem, times)[-1]), float(top(problem, problem.law()))
        fastest = 2 * (largest + float(problem.weight_decay))
        nodes = loop_nodes(largest, end, memory=False)
        return dataclasses.replace(self, nodes=nodes, panels=panels_needed(end, fastest))

    def predict(self, problem: SquareLossProblem, data: Any, start: Any, times: Array) -> dict[str, Array]:
        assert self.nodes is not None
        assert self.panels is not None
        rule: Any = problem.rule
        tau = rule.learning_rate * jnp.asarray(times)
        loop = loop_of(problem, tau[-1], self.nodes)

        def flow(at: Array) -> dict[str, Array]:
            return equivalent_curves(problem, loop, FLOW, at)

        # the points before the first panel's end are enough where the run has no length
        end = jnp.maximum(tau[-1], 1e-9 / loop.largest)
        forcing = jax.lax.map(lambda at: flow(at)["train_loss"], panel_times(end, self.panels))
        kernels = (rule.learning_rate / rule.batch) * noise_kernels(loop)
        solved = renewal(forcing, end, 2 * (loop.z + problem.weight_decay), kernels[:, 0], 2 * kernels[:, 1:])
        found = flow(tau)
        return {
            "train_loss": interpolated(solved.solution, end, tau),
            "test_loss": found["test_loss"] + 0.5 * interpolated(solved.effects[:, :, 0], end, tau),
            "overlap": found["overlap"],
            "squared_norm": found["squared_norm"] + interpolated(solved.effects[:, :, 1], end, tau),
            "largest_stable_rate": stable_rate(problem, rule.batch),
        }

    def finite_size(self, problem: SquareLossProblem) -> Mapping[str, FiniteSize]:
        """Bias of the mean over seeds: constants / (size (1 - share of the largest stable rate)), measured.

        benchmarks/regression_order.py: Gamma to 1.2, flat, even and power-law spectra, classes; `size` is the smaller
        of samples and effective dimension.
        """
        rule: Any = problem.rule
        size = min(problem.samples, effective_dimension(problem.law()))
        room = size * max(1 - float(rule.learning_rate / stable_rate(problem, rule.batch)), 0.0)
        edge = FiniteSize(EDGE_OFF / size**EDGE_ORDER, EDGE_ORDER, relative=True)
        return {"largest_stable_rate": edge, **scaled_terms(SAMPLED_OFF, room)}


def noise_kernels(loop: Loop) -> Array:
    """Weights (nodes, 3) of exp(-2 (z + gamma) u) in tr S^2 e^(..), tr C S e^(..), tr S e^(..), as real parts."""
    each = -2 * loop.weights * loop.z
    traces = (loop.z * loop.kernels.trace, loop.kernels.trace_c, loop.kernels.trace)
    return jnp.stack([each * one for one in traces], axis=1)
