"""Real one-pass training: single steps, blocks of steps, weights with given overlaps, and a run against theory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.mathematics.gaussian_averages import Erf
from thalweg.systems.committee_machine.natural_gradient import natural_velocity
from thalweg.systems.committee_machine.natural_step import NaturalStep
from thalweg.systems.committee_machine.one_pass import GradientStep, Network, advance, block, step
from thalweg.systems.committee_machine.order_parameters import (
    Motion,
    OrderParameters,
    Target,
    gradient_velocity,
    population_loss,
)
from thalweg.systems.committee_machine.overlaps import (
    check_asymmetry,
    check_overlaps,
    measured_overlaps,
    weights_with_overlaps,
)
from thalweg.systems.committee_machine.trajectories import Constant, InverseTime, integrate

GRADIENT = GradientStep(Erf(), Constant(), 0.5, 0.4, 0.3)
NATURAL = NaturalStep(Erf(), InverseTime(2.0), 0.2, 0.3, 0.02)


def test_step_of_the_card():
    student = Network(jnp.array([[1, 0, 0.5, -0.5], [0, 1, -0.5, 0.5]]), jnp.ones(2))
    teacher = Network(jnp.array([[1.0, 1, 0, 0], [0, 0, 1, -1]]), jnp.ones(2))
    after = step(GradientStep(Erf(), Constant(), 0.5, 0.5, 0.0), student, teacher, jnp.array([1, -1, 0.5, 2]), 0.0, 0.0)
    truth = [[0.8917888035, 0.1082111965, 0.4458944017, -0.716422393]]
    truth += [[-0.1082111965, 1.1082111965, -0.5541055983, 0.283577607]]
    np.testing.assert_allclose(after.first, truth, atol=6e-11)
    np.testing.assert_allclose(after.output, [0.9932014649, 1.0067985351], atol=6e-11)


def nets(dimension, units=2, teachers=3):
    random = np.random.default_rng(1)
    student = Network(jnp.asarray(random.standard_normal((units, dimension))), jnp.array([1.0, 0.7])[:units])
    return student, Network(jnp.asarray(random.standard_normal((teachers, dimension))), jnp.linspace(0.5, 1, teachers))


def test_natural_step_by_the_whole_fisher_matrix():
    """(G + damping)^-1 as a (K N) x (K N) solve, G by quadrature over input space."""
    dimension, damping, noise = 3, 0.02, 0.3
    student, teacher = nets(dimension)
    x = jnp.array([0.4, -1.1, 0.7])
    nodes, mass = np.polynomial.hermite_e.hermegauss(40)
    points = np.stack([axis.ravel() for axis in np.meshgrid(*[nodes] * dimension)])
    mass = np.prod(np.meshgrid(*[mass / mass.sum()] * dimension), axis=0).ravel()
    fields = np.asarray(student.first) @ points / dimension**0.5
    slope = np.asarray(student.output)[:, None] * np.asarray(Erf().slope(jnp.asarray(fields)))
    fisher = np.einsum("is,js,s,as,bs->iajb", slope, slope, mass, points, points, optimize=True).reshape(6, 6)
    own, goal = student.first @ x / dimension**0.5, teacher.first @ x / dimension**0.5
    missed = student.output @ Erf().value(own) - teacher.output @ Erf().value(goal) - noise
    gradient = np.outer(missed * student.output * Erf().slope(own), x).ravel()
    move = np.linalg.solve(fisher + damping * np.eye(6), gradient).reshape(2, 3)
    law = NaturalStep(Erf(), Constant(), 0.2, 0.3, damping)
    truth = (1 - 0.2 * 0.3 / dimension) * student.first - 0.2 / dimension**0.5 * move
    np.testing.assert_allclose(step(law, student, teacher, x, noise, 0.0).first, truth, atol=1e-10)


@pytest.mark.parametrize("law", [GRADIENT, NATURAL])
def test_a_block_is_its_steps(law):
    dimension, random = 12, np.random.default_rng(2)
    student, teacher = nets(dimension)
    inputs, noise = jnp.asarray(random.standard_normal((8, dimension))), jnp.asarray(random.standard_normal(8))
    now = student
    for s in range(2, 7):
        now = step(law, now, teacher, inputs[s], noise[s], (40 + s) / dimension)
    told = block(law, student, teacher, inputs, noise, jnp.asarray(40), jnp.asarray(42), jnp.asarray(47))
    np.testing.assert_allclose(told.first, now.first, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(told.output, now.output, rtol=1e-12)


def test_a_path_does_not_depend_on_where_it_is_looked_at():
    student, teacher = nets(12)
    go = jax.jit(lambda now, low, high: advance(GRADIENT, now, teacher, 0.1, jax.random.key(0), low, high))
    whole, now = go(student, 0, 50), student
    for low, high in ((0, 3), (3, 3), (3, 8), (8, 29), (29, 50)):
        now = go(now, low, high)
    np.testing.assert_allclose(now.first, whole.first, rtol=1e-12, atol=1e-13)
    assert not np.allclose(student.first, whole.first, rtol=1e-3)


def test_weights_have_the_overlaps_asked_for():
    q, r, t = [[0.3, 0.02], [0.02, 0.25]], [[0.01, -0.002, 0.1], [0.004, 0.006, 0]], np.diag([1, 1.5, 2])
    q, r, t = (jnp.asarray(x, float) for x in (q, r, t))
    for dimension in (5, 40):
        first, goal = weights_with_overlaps(jax.random.key(1), q, r, t, dimension)
        now, target = measured_overlaps(first, jnp.ones(2), goal, jnp.ones(3))
        for told, truth in ((now.student, q), (now.teacher, r), (target.overlap, t)):
            np.testing.assert_allclose(told, truth, rtol=0, atol=1e-14)
    other, _ = weights_with_overlaps(jax.random.key(2), q, r, t, 40)
    assert not np.allclose(first, other, rtol=0.1)


BAD = [
    ([[1, 0.1], [0.2, 1]], np.zeros((2, 2)), np.eye(2), "not symmetric"),
    ([[1, 0], [0, 1]], [[1.2, 0], [0, 0]], np.eye(2), "no weights have these overlaps"),
    ([[1, 0], [0, 1]], np.zeros((2, 3)), np.eye(2), r"teacher has shape \(2, 3\); \(2, 2\) is wanted"),
    ([[1, 0, 0], [0, 1, 0]], np.zeros((2, 2)), np.eye(2), "student has shape"),
    ([[1, 0], [0, np.nan]], np.zeros((2, 2)), np.eye(2), "missing or infinite"),
    ([[1, 0], [0, 0]], np.zeros((2, 2)), np.eye(2), "zero length"),
]


@pytest.mark.parametrize(("student", "teacher", "target", "words"), BAD)
def test_impossible_overlaps_are_refused(student, teacher, target, words):
    with pytest.raises(ValueError, match=words):
        check_overlaps(*(np.array(x, float) for x in (student, teacher, target)))


def test_possible_overlaps_pass():
    check_overlaps(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))  # equal units: singular, but legal
    check_asymmetry(np.array([[0.0, 1e-9]]))
    with pytest.raises(ValueError, match="never leave"):
        check_asymmetry(np.zeros((2, 2)))


def both(law, velocity, start, target, dimension, ends, seeds, noise):
    """Losses of real runs (seeds, times) and of the equations (times), from the same overlaps."""

    def one(seed):
        frame, path = jax.random.split(jax.random.key(seed))
        first, teacher = weights_with_overlaps(frame, start.student, start.teacher, target.overlap, dimension)
        aim = Network(teacher, target.output)

        def visit(now, span):
            now = advance(law, now, aim, noise, path, span[0], span[1])
            return now, population_loss(Erf(), *measured_overlaps(*now, *aim))

        ticks = np.round(np.array(ends) * dimension).astype(int)
        spans = np.stack([np.append(0, ticks[:-1]), ticks], axis=1)
        return jax.lax.scan(visit, Network(first, start.output), spans)[1]

    seen = np.asarray(jax.jit(jax.vmap(one))(jnp.arange(seeds)))
    path = jax.jit(lambda now: integrate(lambda t, y: velocity(y), now, jnp.asarray(ends, float)))(start)
    return seen, np.asarray(jax.vmap(lambda now: population_loss(Erf(), now, target))(path.states))


def order(student, teacher, target, output, target_output):
    parts = [jnp.asarray(x, float) for x in (student, teacher, output, target, target_output)]
    return OrderParameters(*parts[:3]), Target(*parts[3:])


def agrees(seen, told, allowed):
    """The mean of the log loss is within the allowed distance and five standard errors."""
    gap = np.log(seen) - np.log(told)
    error = gap.std(axis=0, ddof=1) / len(gap) ** 0.5
    assert np.all(np.abs(gap.mean(axis=0)) < allowed + 5 * error), (gap.mean(axis=0), error)
    assert np.all(error < 0.02), error


def test_gradient_runs_follow_the_equations():
    """Both layers, three students and two teachers, label noise; the card: within 1.6 % at N = 250."""
    start, target = order(
        np.diag([0.3, 0.25, 0.2]), [[0.3, 0.1], [0.1, 0.3], [0, 0.2]], np.eye(2), [1, 1, -0.5], [1, 1]
    )
    law = GradientStep(Erf(), Constant(), 0.5, 0.5, 0.1)
    motion = Motion(0.5, 0.5, 0.1, 0.05, 1.0)
    seen, told = both(law, lambda y: gradient_velocity(Erf(), y, target, motion), start, target, 256, [2, 8], 24, 0.05)
    agrees(seen, told, 0.016)


def test_natural_runs_follow_the_equations():
    """From a specialised start, with damping and decay."""
    start, target = order(0.95 * np.eye(2) + 0.01, 0.6 * np.eye(2) + 0.1, np.eye(2), [1, 1], [1, 1])
    law = NaturalStep(Erf(), Constant(), 0.1, 0.1, 0.01)
    motion = Motion(0.1, 0.0, 0.1, 0.1, 1.0)
    seen, told = both(
        law, lambda y: natural_velocity(Erf(), y, target, motion, 0.01), start, target, 256, [2, 8], 12, 0.1
    )
    agrees(seen, told, 0.03)
