"""One-pass natural gradient on real weights, at a cost of O(K N + K^6) a sample instead of (K N)^3."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...mathematics.gaussian_averages import GaussianAverages
from .natural_gradient import inside_span, metric
from .one_pass import Move, Sample, Scalar, StepLaw, residual
from .trajectories import Schedule


class NaturalStep(StepLaw):
    """w <- (1 - eta decay / N) w - (eta / sqrt N) (G + damping I)^-1 [v_j g'(l_j) Delta x]_j; v stays.

    The sample is split in the span of the weights and across it, x / sqrt N = x' / sqrt N + sum_m (Q^-1 l)_m w_m / N;
    across, the inverse of the Fisher matrix G is a^-1, inside that of Mop (see natural_gradient): with
    c = v g'(l) Delta, kick = eta a^-1 c and mix = 1 - (eta / N) [Mop^-1 (c (Q^-1 l)') - a^-1 c (Q^-1 l)'].
    The Fisher matrix is that of the present weights and the law of the inputs, no average over samples.
    Source: card committee_machine, 2.9.
    """

    averages: GaussianAverages
    schedule: Schedule
    learning_rate: Scalar
    weight_decay: Scalar
    damping: Scalar

    def move(self, output: Float[Array, " k"], target: Float[Array, " m"], sample: Sample, dimension: int) -> Move:
        missed = residual(self, output, target, sample)
        eta = self.schedule.factor(sample.t) * self.learning_rate
        force = missed * output * self.averages.slope(sample.student)
        fisher = metric(self.averages, sample.overlap, output, self.damping)
        along = jnp.linalg.solve(sample.overlap, sample.student)
        across = jnp.linalg.solve(fisher.outside, force)
        turned = inside_span(fisher, jnp.outer(force, along)) - jnp.outer(across, along)
        kept = (1 - eta * self.weight_decay / dimension) * jnp.eye(output.shape[0])
        return Move(kept - eta / dimension * turned, eta * across, output)
