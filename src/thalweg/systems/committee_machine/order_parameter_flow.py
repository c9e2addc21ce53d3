"""The law of motion of order parameters for a problem and its rule, and its solution with events."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...mathematics.watched_flow import WatchedFlow, watched_flow
from ...rules.demands import one_pass
from .natural_gradient import natural_velocity
from .order_parameters import Motion, Scalar, State, Target, gradient_velocity, population_loss
from .overlaps import Overlaps, measured_overlaps
from .problem import LEAVING, SPECIALISED, CommitteeMachine, by_fisher
from .specialisation import specialisation

CURVES = ("test_loss", "student_overlap", "teacher_overlap", "output_weights")
EVENTS = ("plateau_loss", "exit_time", "final_loss")


def begun(data: Any, start: Any) -> tuple[State, Target]:
    """Order parameters of a macrostate, or of weights."""
    if isinstance(start, Overlaps):
        return start.split()
    return measured_overlaps(start.hidden, start.output, data.hidden, data.output)


def motion(problem: CommitteeMachine, t: Scalar, second_order: Scalar) -> Motion:
    """The rates of the problem's rule at time t."""
    rule: Any = problem.rule
    factor = rule.schedule.factor(t)
    return Motion(
        learning_rate=factor * rule.learning_rate,
        output_learning_rate=factor * rule.learning_rate * problem.output_rate,
        weight_decay=problem.weight_decay,
        noise=problem.noise,
        second_order=second_order,
    )


def velocity(problem: CommitteeMachine, now: State, target: Target, t: Scalar, second_order: Scalar) -> State:
    """d(Q, R, v)/dt under the problem's one-pass rule."""
    averages, rates = problem.averages(), motion(problem, t, second_order)
    rule: Any = problem.rule
    if by_fisher(rule):
        return natural_velocity(averages, now, target, rates, rule.damping)
    return gradient_velocity(averages, now, target, rates)


def follow(
    problem: CommitteeMachine, start: State, target: Target, times: Array, tolerance: Scalar, second_order: Scalar
) -> dict[str, Array]:
    """All curves at the times, and the events of the run, by one integration of the order parameters."""
    averages, lengths = problem.averages(), jnp.diagonal(target.overlap)

    def observe(now: State) -> dict[str, Array]:
        loss = population_loss(averages, now, target)
        return dict(zip(CURVES, (loss, now.student, now.teacher, now.output), strict=True))

    def watch(now: State) -> Float[Array, " 2"]:
        done = specialisation(jnp.diagonal(now.student), now.teacher, lengths)
        return jnp.stack([LEAVING - done, SPECIALISED - done])

    run: WatchedFlow = watched_flow(
        lambda t, now: velocity(problem, now, target, t, second_order), start, times, observe, watch, tolerance
    )
    leaving, left = watch(start) <= 0
    return {
        **run.observed,
        "plateau_loss": jnp.where(leaving, jnp.nan, run.there["test_loss"][0]),
        "exit_time": jnp.where(left, 0.0, run.roots[1]),
        "final_loss": run.observed["test_loss"][-1],
    }


def follows(rule: Any) -> bool:
    """Whether order parameters have a law of motion under this rule."""
    return one_pass(rule) or by_fisher(rule)


def at(problem: CommitteeMachine, start: State, target: Target, times: Array) -> State:
    """Order parameters at the times, at a tolerance that serves a strain."""
    run = watched_flow(
        lambda t, now: velocity(problem, now, target, t, 1.0),
        start,
        times,
        lambda now: now,
        tolerance=1e-6,
    )
    return run.observed
