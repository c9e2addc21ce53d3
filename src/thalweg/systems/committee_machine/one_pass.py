"""Real one-pass training of two-layer networks: real weights, a fresh sample x ~ N(0, I_N) at every step.

A step of every rule here moves the first layer by w <- mix w - kick x' / sqrt N, with a mix (K, K) and a kick (K)
that depend on the sample only through the fields w x / sqrt N, w* x / sqrt N and |x|^2. A block of B samples is
therefore worked through in the fields of the whole block, which are kept up to date after each sample by

    w x_t / sqrt N  <-  mix (w x_t / sqrt N) - kick (x_s.x_t) / N      for all samples t of the block,

and the weights are written once at its end. This is the same sequence of steps, sample by sample, up to rounding
(`block` equals a loop of `step`); it only replaces B passes over the weights by three matrix products.

Measured at N = 1000, K = M = 2, float64: drawing the inputs is over half of the cost, see mathematics.normal_blocks.
Nothing of the theory enters: no population average, no order parameter.
"""

import abc
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...mathematics.gaussian_averages import GaussianAverages
from ...mathematics.normal_blocks import normal_block
from .trajectories import Schedule

Scalar = float | Float[Array, ""]
BLOCK = 8


class Network(NamedTuple):
    """Weights of a two-layer network: first layer (K, N), output weights (K)."""

    first: Float[Array, "k n"]
    output: Float[Array, " k"]


class Sample(NamedTuple):
    """One sample as a step sees it: student and teacher fields, |x|^2 / N, label noise, student overlaps, clock."""

    student: Float[Array, " k"]
    teacher: Float[Array, " m"]
    size: Scalar
    noise: Scalar
    overlap: Float[Array, "k k"]
    t: Scalar


class Move(NamedTuple):
    """w <- mix w - kick x' / sqrt N, and the new output weights."""

    mix: Float[Array, "k k"]
    kick: Float[Array, " k"]
    output: Float[Array, " k"]


class StepLaw(eqx.Module):
    """How one sample moves the weights of a network of N inputs."""

    averages: eqx.AbstractVar[GaussianAverages]

    @abc.abstractmethod
    def move(self, output: Float[Array, " k"], target: Float[Array, " m"], sample: Sample, dimension: int) -> Move:
        """The move at output weights v, teacher output weights v* and one sample."""


def residual(law: StepLaw, output: Float[Array, " k"], target: Float[Array, " m"], sample: Sample) -> Array:
    """Delta: student output - noisy label."""
    label = target @ law.averages.value(sample.teacher) + sample.noise
    return output @ law.averages.value(sample.student) - label


class GradientStep(StepLaw):
    """w_k <- (1 - eta decay / N) w_k - (eta / sqrt N) v_k g'(l_k) Delta x,  v_k <- v_k - (eta_v / N) g(l_k) Delta."""

    averages: GaussianAverages
    schedule: Schedule
    learning_rate: Scalar
    output_learning_rate: Scalar
    weight_decay: Scalar

    def move(self, output: Float[Array, " k"], target: Float[Array, " m"], sample: Sample, dimension: int) -> Move:
        missed = residual(self, output, target, sample)
        factor = self.schedule.factor(sample.t)
        kept = 1 - factor * self.learning_rate * self.weight_decay / dimension
        kick = factor * self.learning_rate * missed * output * self.averages.slope(sample.student)
        step = factor * self.output_learning_rate / dimension * missed * self.averages.value(sample.student)
        return Move(kept * jnp.eye(output.shape[0]), kick, output - step)


def step(law: StepLaw, network: Network, teacher: Network, x: Float[Array, " n"], noise: Scalar, t: Scalar) -> Network:
    """One step from one sample x with label noise `noise` (already scaled) at time t = steps / N."""
    dimension = x.shape[0]
    scaled = x / math.sqrt(dimension)
    overlap = network.first @ network.first.T / dimension
    sample = Sample(network.first @ scaled, teacher.first @ scaled, scaled @ scaled, noise, overlap, t)
    move = law.move(network.output, teacher.output, sample, dimension)
    return Network(move.mix @ network.first - jnp.outer(move.kick, scaled), move.output)


class _Pending(NamedTuple):
    """Inside a block: w now is lead w_0 + reach X / sqrt N; `fields` are w X' / sqrt N."""

    fields: Float[Array, "k b"]
    reach: Float[Array, "k b"]
    lead: Float[Array, "k k"]
    overlap: Float[Array, "k k"]
    output: Float[Array, " k"]


class _Row(NamedTuple):
    """One sample of a block: its number in the run, products with all samples (over N), teacher fields, label noise."""

    step: Int[Array, ""]
    place: Int[Array, ""]
    products: Float[Array, " b"]
    goal: Float[Array, " m"]
    noise: Scalar


def _take(
    law: StepLaw, target: Float[Array, " m"], dimension: int, now: _Pending, row: _Row, taken: Float[Array, ""]
) -> _Pending:
    """One step inside a block; `taken` is 1, or 0 to leave all as it is."""
    own = jax.lax.dynamic_index_in_dim(now.fields, row.place, axis=1, keepdims=False)
    size = jax.lax.dynamic_index_in_dim(row.products, row.place, keepdims=False)
    sample = Sample(own, row.goal, size, row.noise, now.overlap, row.step / dimension)
    move = law.move(now.output, target, sample, dimension)
    eye = jnp.eye(own.shape[0])
    mix, kick = eye + taken * (move.mix - eye), taken * move.kick
    mine = (np.arange(row.products.shape[0]) == row.place).astype(own.dtype)
    # w'w''/N: the sample's own field after mixing, and its length
    cross = jnp.outer(mix @ own, kick) / dimension
    return _Pending(
        fields=mix @ now.fields - jnp.outer(kick, row.products),
        reach=mix @ now.reach - jnp.outer(kick, mine),
        lead=mix @ now.lead,
        overlap=mix @ now.overlap @ mix.T - cross - cross.T + size / dimension * jnp.outer(kick, kick),
        output=now.output + taken * (move.output - now.output),
    )


def block(
    law: StepLaw,
    network: Network,
    teacher: Network,
    inputs: Float[Array, "b n"],
    noise: Float[Array, " b"],
    begin: Int[Array, ""],
    low: Int[Array, ""],
    high: Int[Array, ""],
) -> Network:
    """The steps of one block of samples, of which only steps low <= s < high are taken; the block starts at `begin`."""
    count, dimension = inputs.shape
    scaled = inputs / math.sqrt(dimension)

    def visit(now: _Pending, row: _Row) -> tuple[_Pending, None]:
        taken = ((row.step >= low) & (row.step < high)).astype(scaled.dtype)
        return _take(law, teacher.output, dimension, now, row, taken), None

    start = _Pending(
        fields=network.first @ scaled.T,
        reach=jnp.zeros((network.first.shape[0], count)),
        lead=jnp.eye(network.first.shape[0]),
        overlap=network.first @ network.first.T / dimension,
        output=network.output,
    )
    places = jnp.arange(count)
    rows = _Row(begin + places, places, scaled @ scaled.T, (teacher.first @ scaled.T).T, noise)
    end, _ = jax.lax.scan(visit, start, rows)
    return Network(end.lead @ network.first + end.reach @ scaled, end.output)


def advance(
    law: StepLaw,
    network: Network,
    teacher: Network,
    noise: Scalar,
    key: Array,
    low: Int[Array, ""],
    high: Int[Array, ""],
) -> Network:
    """Steps low, ..., high - 1 of the run that belongs to `key`, on fresh samples; `noise` is the label noise.

    Samples come in blocks that start at whole multiples of BLOCK and are drawn from the key and the number of the
    block: the path does not depend on where a run is interrupted to look at it. Memory does not grow with steps.
    """
    dimension = network.first.shape[1]

    def one(number: Array, now: Network) -> Network:
        inputs_key, noise_key = jax.random.split(jax.random.fold_in(key, number))
        inputs = normal_block(inputs_key, BLOCK, dimension)
        errors = noise * jax.random.normal(noise_key, (BLOCK,), dtype=jnp.float64)
        return block(law, now, teacher, inputs, errors, number * BLOCK, low, high)

    return jax.lax.fori_loop(low // BLOCK, -(-high // BLOCK), one, network)
