"""Starts, targets, rates and compiled trajectories that the tests of committee machines share."""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.mathematics.watched_flow import watched_flow
from thalweg.rules import Constant
from thalweg.systems.committee_machine.natural_gradient import natural_velocity
from thalweg.systems.committee_machine.order_parameters import Motion, State, Target, gradient_velocity, population_loss


def integrate(velocity, begin, times):
    return watched_flow(velocity, begin, times, lambda now: now, lambda now: jnp.ones(1), 1e-12)


def scheduled(motion, schedule, t):
    factor = schedule.factor(t)
    return motion._replace(
        learning_rate=factor * motion.learning_rate, output_learning_rate=factor * motion.output_learning_rate
    )


SMALL_RATE = 0.0  # a plain number: the second order is not even computed
FULL = np.float64(1.0)


def start(student, teacher, output=None):
    student = np.diag(student) if np.ndim(student) == 1 else np.array(student)
    output = np.ones(len(student)) if output is None else np.array(output)
    return State(student.astype(float), np.array(teacher, float), output)


def target(overlap, output=None):
    overlap = np.array(overlap, float)
    return Target(overlap, np.ones(len(overlap)) if output is None else np.array(output))


A = start([[0.3, 0.02], [0.02, 0.25]], [[0.01, -0.002], [0.004, 0.006]])
B = start([0.3, 0.25, 0.2], [[0.01, -0.002, 0.003], [0.004, 0.006, -0.001], [0, 0.002, 0.008]])
C = start([0.3, 0.25, 0.2], [[0.1, -0.02], [0.04, 0.06], [0, 0.02]])
C_OUT = start([0.3, 0.25, 0.2], C.teacher, [0.5, 0.4, -0.3])
HALF = start(A.student, A.teacher, [0.5, 0.5])
TWO = target(np.eye(2))


def rates(eta, eta_v=0.0, decay=0.0, noise=0.0, second=FULL):
    # NumPy numbers: rows of the table are made outside of float64 mode
    return Motion(*(np.float64(x) if isinstance(x, float) else x for x in (eta, eta_v, decay, noise)), second)


@jax.jit
def compiled_gradient(averages, begin, goal, motion, schedule, times):
    def velocity(t, now):
        return gradient_velocity(averages, now, goal, scheduled(motion, schedule, t))

    path = integrate(velocity, begin, times)
    return jax.vmap(lambda now: population_loss(averages, now, goal))(path.observed), path


def gradient(averages, begin, goal, motion, times, schedule=None):
    """Losses and the path; a second order that is a plain 0 stays so inside the compiled function."""
    program = compiled_gradient if motion.second_order is not SMALL_RATE else _small_rate
    motion = motion if motion.second_order is not SMALL_RATE else Motion(*jax.tree.leaves(motion)[:4], FULL)
    losses, path = program(averages, begin, goal, motion, schedule or Constant(), padded(times))
    return losses[: len(times)], path._replace(observed=jax.tree.map(lambda leaf: leaf[: len(times)], path.observed))


def padded(times):
    """At least six times, so that cases share a compiled program."""
    times = np.array(times, float)
    return jnp.asarray(np.append(times, times[-1] * (1 + 1e-3 * np.arange(1, 7 - len(times)))))


@jax.jit
def _small_rate(averages, begin, goal, motion, schedule, times):
    motion = Motion(*jax.tree.leaves(motion)[:4], SMALL_RATE)
    return compiled_gradient.__wrapped__(averages, begin, goal, motion, schedule, times)


@jax.jit
def natural(averages, begin, goal, motion, damping, schedule, times):
    def velocity(t, now):
        return natural_velocity(averages, now, goal, scheduled(motion, schedule, t), damping)

    path = integrate(velocity, begin, times)
    return jax.vmap(lambda now: population_loss(averages, now, goal))(path.observed), path
