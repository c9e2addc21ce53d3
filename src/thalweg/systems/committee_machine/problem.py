"""A committee machine that learns on line from a teacher of its own kind."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.two_layer import TwoLayer, as_two_layer
from ...mathematics.gaussian_averages import Erf, GaussianAverages, Linear, Relu
from ...mathematics.normal_blocks import normal_block
from ...rules import OnePassNaturalGradient, OnePassSGD
from ...words.events import Crossing, Final, FromDraw
from ...words.fields import check_ranges
from ...words.problem import Axis, Event, FisherProblem, Observable, Rule, scalar, size
from ...words.views import Matrices
from .natural_gradient import inside_span, metric
from .order_parameters import State, Target, population_loss
from .overlaps import Overlaps, as_overlaps, check_distinct, measured_overlaps
from .specialisation import SPECIALISATION, ValueAt
from .unit_stability import critical_rate, natural_critical_rate

UNIT = Axis("unit", words="unit of the student")
UNIT2 = Axis("unit2", words="unit of the student, second")
TARGET_UNIT = Axis("target_unit", words="unit of the teacher")
# specialisation at which a run begins to leave the plateau, and at which it has left it
LEAVING, SPECIALISED = 0.1, 0.5
AVERAGES: dict[str, GaussianAverages] = {"erf": Erf(), "relu": Relu(), "linear": Linear()}


class Sample(eqx.Module):
    """Fresh samples: `inputs` (count, N) with entries N(0, 1), noisy `labels` (count,)."""

    inputs: Float[Array, "*count n"]
    labels: Float[Array, "*count"]


def by_fisher(rule: Rule) -> bool:
    """Whether it is natural gradient, which moves the first layer alone."""
    return isinstance(rule, OnePassNaturalGradient)


def _stable_rate(problem: Any, data: Any) -> Float[Array, ""]:
    """Critical rate of the rule for as many students as teachers, whatever the draw."""
    if problem.student_units != problem.teacher_units:
        return jnp.asarray(jnp.nan)
    natural = by_fisher(problem.rule)
    find = natural_critical_rate if natural else critical_rate
    return jnp.asarray(find(problem.averages(), problem.student_units))


class CommitteeMachine(FisherProblem):
    """Two-layer student that learns in one pass over fresh samples from a two-layer teacher.

        f(x) = sum_k v_k g(w_k.x / sqrt N),   y = sum_m v*_m g(w*_m.x / sqrt N) + noise zeta,
    student and label, x ~ N(0, I_N) and zeta ~ N(0, 1); g is erf(z / sqrt 2) ("erf"), max(z, 0) ("relu") or z
    ("linear"). Loss of a sample: half of the squared residual (y - f)^2. A rule sees every sample once. First layer:
    w <- w - learning_rate gradient - (learning_rate weight_decay / N) w; output weights at output_rate learning_rate
    / N, without decay. At output_rate = 0 (the default) they stay: a soft committee. So they do under natural gradient,
    whatever output_rate is.
    Start: entries of w_k are N(0, init_scale^2), v = 1; teacher: entries of w*_m are N(0, 1), v* = 1. An own start is
    tw.TwoLayer(hidden=(K, N), output=(K,)) for a teacher data=tw.TwoLayer(hidden=(M, N), output=(M,)), or
    start=tw.Overlaps(...), which fixes both by their overlaps, on a random frame for each seed.
    Observables: Q = w w'/N, R = w w*'/N, v, and test_loss = (1/2) E (student - noiseless teacher)^2, a population value
    from the overlaps that contains no label noise. Clock: t = steps / dimension.
    Events: `exit_time`, at which teachers have students of their own (specialisation 1/2: the mean over teachers of
    the best over students of its cosine with this teacher above its largest with another); `plateau_loss`, the loss as
    this begins (specialisation 1/10); `final_loss`. With one teacher unit there is neither plateau nor exit.
    Errors: ValueError for a parameter outside its range, a start or teacher of another shape.
    Source: Saad & Solla 1995; Goldt et al. 2019.
    """

    dimension: int = size("number of inputs", symbol="N", default=500, low=4)
    student_units: int = size("units of the student", symbol="K", default=2)
    teacher_units: int = size("units of the teacher", symbol="M", default=2)
    noise: float = scalar("standard deviation of the label noise", symbol="sigma", default=0.0, low=0.0)
    init_scale: float = scalar("standard deviation of a weight of the first layer", default=0.5, above=0.0)
    weight_decay: float = scalar("weight decay of the first layer", symbol="gamma", default=0.0, low=0.0)
    output_rate: float = scalar(
        "rate of output weights, as a share of the learning rate over N", symbol="eta_v", default=0.0, low=0.0
    )
    activation: str = "erf"
    rule: Rule = OnePassSGD(learning_rate=1.0)

    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("test_loss", "test loss without label noise", "epsilon_g", low=0.0, log=True),
        Observable("student_overlap", "overlaps of the student's units", "Q", dims=(UNIT, UNIT2), natural=1.0),
        Observable("teacher_overlap", "overlaps with the teacher's units", "R", dims=(UNIT, TARGET_UNIT), natural=1.0),
        Observable("output_weights", "output weights of the student", "v", dims=(UNIT,), natural=1.0),
    )
    events: ClassVar[tuple[Event, ...]] = (
        Event(
            "plateau_loss",
            "test loss as the units begin to specialise",
            ValueAt("test_loss", SPECIALISATION, LEAVING),
            "the units were specialised at the start, there is one teacher unit, or the run did not leave the plateau",
            unit="",
            level_of="test_loss",
        ),
        Event(
            "exit_time",
            "time at which teacher units have students of their own",
            Crossing(SPECIALISATION, SPECIALISED),
            "the run did not leave the plateau, or there is one teacher unit",
            # on a plateau small differences grow before they count, so that a time is known less sharply than a loss
            bluntness=3.0,
        ),
        Event("final_loss", "test loss at the end", Final("test_loss"), "the run did not end well", unit=""),
        Event(
            "largest_stable_rate",
            "largest learning rate at which a student that equals an orthonormal teacher stays there",
            FromDraw(_stable_rate),
            "student and teacher have different numbers of units",
            unit="",
        ),
    )
    views: ClassVar = (Matrices("overlaps", "overlaps of one run in time", of=("student_overlap", "teacher_overlap")),)

    def __check_init__(self) -> None:
        check_ranges(self)
        if self.activation not in AVERAGES:
            raise ValueError(
                f"CommitteeMachine: activation = {self.activation!r} is not known; give one of "
                f"{', '.join(map(repr, AVERAGES))}."
            )

    @classmethod
    def brought_on(cls, fields: dict[str, Any]) -> dict[str, Any]:
        # the rate of output weights was the rule's
        rule = fields.get("rule", {}).get("fields", {})
        moved = float(rule.get("output_learning_rate", 0.0))
        return fields if moved == 0 else {**fields, "output_rate": moved / float(rule["learning_rate"])}

    def averages(self) -> GaussianAverages:
        """The activation with its Gaussian averages."""
        return AVERAGES[self.activation]

    def draw(self, key: Array) -> TwoLayer:
        hidden = jax.random.normal(key, (self.teacher_units, self.dimension), dtype=jnp.float64)
        return TwoLayer(hidden, jnp.ones(self.teacher_units))

    def initial(self, key: Array, data: TwoLayer) -> TwoLayer:
        hidden = jax.random.normal(key, (self.student_units, self.dimension), dtype=jnp.float64)
        return TwoLayer(self.init_scale * hidden, jnp.ones(self.student_units))

    def overlaps(self, params: TwoLayer, data: TwoLayer) -> tuple[State, Target]:
        """The order parameters of these weights."""
        return measured_overlaps(params.hidden, params.output, data.hidden, data.output)

    def _decay(self, hidden: Array) -> Float[Array, ""]:
        return 0.5 * self.weight_decay / self.dimension * jnp.sum(hidden**2)

    def objective(self, params: TwoLayer, data: TwoLayer) -> Float[Array, ""]:
        return population_loss(self.averages(), *self.overlaps(params, data)) + self._decay(params.hidden)

    def observe(self, params: TwoLayer, data: TwoLayer) -> dict[str, Array]:
        now, target = self.overlaps(params, data)
        return {
            "test_loss": population_loss(self.averages(), now, target),
            "student_overlap": now.student,
            "teacher_overlap": now.teacher,
            "output_weights": now.output,
        }

    def fresh(self, key: Array, data: TwoLayer, count: int) -> Sample:
        inputs_key, noise_key = jax.random.split(key)
        inputs = normal_block(inputs_key, count, self.dimension)
        clean = self.averages().value(inputs @ data.hidden.T / np.sqrt(self.dimension)) @ data.output
        return Sample(inputs, clean + self.noise * jax.random.normal(noise_key, (count,), dtype=inputs.dtype))

    def sample_objective(self, params: TwoLayer, data: TwoLayer, sample: Sample) -> Float[Array, ""]:
        fields = params.hidden @ sample.inputs / np.sqrt(self.dimension)
        missed = params.output @ self.averages().value(fields) - sample.labels
        return 0.5 * missed**2 + self._decay(params.hidden)

    def leaf_rates(self, params: TwoLayer, rate: Any) -> Any:
        rates = jax.tree.map(lambda leaf: rate, params)
        return eqx.tree_at(lambda part: part.output, rates, rate * self.output_rate / self.dimension)

    def natural(self, params: TwoLayer, data: TwoLayer, slope: TwoLayer, damping: Float[Array, ""]) -> TwoLayer:
        hidden = params.hidden
        # the decay is no part of the likelihood: it stays as it is
        pull = self.weight_decay / self.dimension * hidden
        overlap = hidden @ hidden.T / self.dimension
        fisher = metric(self.averages(), overlap, params.output, damping)
        loss_slope = slope.hidden - pull
        along = jnp.linalg.solve(overlap, hidden @ loss_slope.T / self.dimension).T
        across = jnp.linalg.solve(fisher.outside, loss_slope - along @ hidden)
        return TwoLayer(across + inside_span(fisher, along) @ hidden + pull, jnp.zeros_like(params.output))

    def horizon(self) -> np.ndarray:
        unit = self.rule.steps_per_unit(self)
        if unit is None:
            return np.linspace(0.0, 20.0 * self.dimension, 201)
        # one-pass rules count in units of the dimension, others in steps of the population's own gradient
        last = 150 * self.dimension if unit > 1 else 200
        return np.unique(np.round(np.linspace(0, last, 301))) / unit

    def as_data(self, raw: Any) -> TwoLayer:
        return as_two_layer(raw, self.teacher_units, self.dimension)

    def as_start(self, raw: Any) -> TwoLayer | Overlaps:
        found = as_overlaps(raw, self.student_units, self.teacher_units, self.dimension)
        begin = as_two_layer(raw, self.student_units, self.dimension) if found is None else found
        if by_fisher(self.rule):
            check_distinct(begin.hidden @ begin.hidden.T if isinstance(begin, TwoLayer) else begin.student)
        return begin

    @classmethod
    def examples(cls) -> tuple["CommitteeMachine", ...]:
        return (
            cls(dimension=16, noise=0.1, rule=OnePassSGD(learning_rate=0.5)),
            cls(
                dimension=12,
                noise=0.1,
                student_units=3,
                weight_decay=0.1,
                output_rate=2 / 3,
                rule=OnePassSGD(learning_rate=0.3),
            ),
        )
