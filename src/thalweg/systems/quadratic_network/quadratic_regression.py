"""A quadratic network on a fixed sample: the empirical risk."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...rules import GradientDescent, GradientFlow
from ...words.fields import vary
from ...words.problem import Event, Observable, Rule, scalar, size, spread_times, vector
from .forms import FormSample, InputLaw, MatrixInputs, VectorInputs, as_sample
from .readings import EFFECTIVE_RANK, FINAL_LOSS, OVERLAP, RECOVERY_TIME, SPECTRUM, TEST_LOSS, TRACE_GAP, TRACE_INTEGRAL
from .starts import FactorLaw
from .taught import Taught
from .teacher import Student

TRAIN_LOSS = Observable("train_loss", "training loss, noisy labels, half the mean square", "L_n", low=0.0, log=True)
# so many times 1/weight_decay does the default run last; 8 leave some per cent of the way
DECAY_TIMES = 10.0


class QuadraticRegression(Taught):
    """Network with square activation on n samples of a quadratic teacher: the empirical risk of QuadraticNetwork.

    Labels y_k = tr(X_k Z*) + noise xi_k, student f_k = tr(X_k WW') with W of shape (dimension d, width m):
        train_loss = (1/2n) sum (f_k - y_k)^2,  objective = train_loss + (weight_decay/2)|W|^2,
        test_loss = (1/2) E (f - y)^2 without label noise = |D|^2,  D = WW' - Z*.
    `inputs`: VectorInputs() takes X = xx' - I with x standard normal (networks centred by their mean, no trace term);
    VectorInputs(centred=False) takes X = xx', then test_loss has (1/2)(tr D)^2 too; MatrixInputs() are Gaussian
    matrices. All have Var tr(XZ) = 2 |Z|^2. Teacher and start as in QuadraticNetwork; `data=` takes a tuple
    (inputs, labels, Z*), `start=` takes W. With samples -> infinity this is QuadraticNetwork(centred=True).
    The number of free entries of a symmetric matrix is d(d + 1)/2: samples count against that. Clock: that of the rule.
    Source: arXiv 2601.10483 (the sequel of Martin, Bach & Biroli 2023); with its teachers of trace d, matrices GOE(d),
    sample ratio alpha = n/d^2 and penalty lambda: Z = Z_s/sqrt(d), weight_decay = 4 lambda/sqrt(d), and flow time is
    sqrt(d)/2 times its time. Errors: as QuadraticNetwork.
    """

    dimension: int = size("input dimension", symbol="d", default=40)
    samples: int = size("number of samples", symbol="n", default=800)
    width: int = size("student units", symbol="m", default=20)
    teacher_width: int | None = size(
        "teacher units; a quarter of the dimension if not given", symbol="m*", default=None
    )
    teacher_spectrum: Any = vector("eigenvalues of the teacher, one a dimension", symbol="lambda", default=None)
    noise: float = scalar("standard deviation of the label noise", symbol="sqrt Delta", default=0.1, low=0.0)
    weight_decay: float = scalar("weight decay", default=0.04, low=0.0)
    inputs: InputLaw | None = None
    start: FactorLaw | None = None
    teacher: FactorLaw | None = None
    rule: Rule = GradientFlow()

    observables: ClassVar[tuple[Observable, ...]] = (
        TEST_LOSS, TRAIN_LOSS, OVERLAP, TRACE_GAP, TRACE_INTEGRAL, SPECTRUM, EFFECTIVE_RANK,
    )  # fmt: skip
    events: ClassVar[tuple[Event, ...]] = (RECOVERY_TIME, FINAL_LOSS)

    def input_law(self) -> InputLaw:
        """Law of the inputs."""
        return VectorInputs() if self.inputs is None else self.inputs

    def sample_ratio(self) -> Any:
        """Samples over d(d + 1): alpha of the source at large dimension, counted against the free entries."""
        return self.samples / (self.dimension * (self.dimension + 1))

    def draw(self, key: Array) -> FormSample:
        teacher_key, input_key, noise_key = jax.random.split(key, 3)
        teacher, law = self.draw_teacher(teacher_key), self.input_law()
        inputs = law.draw(input_key, self.samples, self.dimension)
        labels = law.labels(inputs, teacher) + self.noise * jax.random.normal(
            noise_key, (self.samples,), dtype=jnp.float64
        )
        return FormSample(inputs, labels, teacher.values, teacher.vectors)

    def initial(self, key: Array, data: FormSample) -> Student:
        return self.draw_student(key)

    def _train_loss(self, params: Student, data: FormSample) -> Float[Array, ""]:
        return 0.5 * jnp.mean((self.input_law().answers(data.inputs, params.weights) - data.labels) ** 2)

    def objective(self, params: Student, data: FormSample) -> Float[Array, ""]:
        return self._train_loss(params, data) + self.beside_the_loss(params, data.teacher)

    def observe(self, params: Student, data: FormSample) -> dict[str, Array]:
        told = self.read_student(params, data.teacher, not self.input_law().has_trace())
        return {**told, "train_loss": self._train_loss(params, data)}

    def horizon(self) -> np.ndarray:
        """To ten over the decay, the slowest time of the run; without decay as for QuadraticNetwork."""
        decay = float(self.weight_decay)
        return spread_times(self, DECAY_TIMES / decay if decay > 0 else 2.5 / self.typical_eigenvalue())

    def as_data(self, raw: Any) -> FormSample:
        return as_sample(raw, self)

    @classmethod
    def examples(cls) -> tuple["QuadraticRegression", ...]:
        first = cls(dimension=6, samples=80, width=3, teacher_width=2, weight_decay=0.2)
        other = {"dimension": 5, "samples": 60, "width": 6, "inputs": MatrixInputs(), "rule": GradientDescent(0.05)}
        return first, vary(first, other)
