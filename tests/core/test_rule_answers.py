"""What rules say of themselves: flow time, stable rates and filters, against recursions in NumPy and real runs."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.integrate import quad

import thalweg as tw
from thalweg.words.fields import vary

CURVATURES = np.asarray([0.0, 1e-9, 0.3, 2.5])
PULL = 0.7


class _Bowl(tw.Problem):
    """(1/2) curvature w^2, from w = 1."""

    curvature: float = tw.scalar("curvature", default=4.0)
    rule: tw.Rule = tw.GradientDescent()
    observables: ClassVar = (tw.Observable("place", "the parameter"),)

    def draw(self, key: Any) -> Any:
        return jnp.zeros(1)

    def initial(self, key: Any, data: Any) -> Any:
        return jnp.ones(())

    def objective(self, params: Any, data: Any) -> Any:
        return 0.5 * self.curvature * params**2

    def observe(self, params: Any, data: Any) -> dict[str, Any]:
        return {"place": params}

    def horizon(self) -> np.ndarray:
        return np.arange(5.0)

    def as_data(self, raw: Any) -> Any:
        return np.asarray(raw, float)

    def as_start(self, raw: Any) -> Any:
        return np.asarray(raw, float)


def steps(rule: Any, slope: Any, count: int) -> list[Any]:
    """The recursions as their sources write them, from w = 1: an independent loop."""
    before, now, found = np.ones_like(CURVATURES), np.ones_like(CURVATURES), [np.ones_like(CURVATURES)]
    beta = getattr(rule, "momentum", 0.0)
    for _ in range(count):
        ahead = now + beta * (now - before)
        at = ahead if isinstance(rule, tw.Nesterov) else now
        before, now = now, ahead - rule.learning_rate * slope(at)
        found.append(now)
    return found


PLAIN = [tw.GradientDescent(0.3), tw.HeavyBall(0.3, 0.6), tw.Nesterov(0.3, 0.6)]


@pytest.mark.parametrize("rule", PLAIN, ids=lambda rule: type(rule).__name__)
def test_the_filter_is_what_the_recursion_does(rule):
    times = np.asarray([0, 1, 2, 7, 40])
    whole = np.asarray(steps(rule, lambda w: CURVATURES * w - PULL, 40))[times]
    from_zero = steps(rule, lambda w: CURVATURES * w, 40)
    with jax.enable_x64():
        f, g = rule.filter(jnp.asarray(CURVATURES), jnp.asarray(times, float))
    np.testing.assert_allclose(f, np.asarray(from_zero)[times], atol=1e-12)
    np.testing.assert_allclose(f + PULL * g, whole, atol=1e-12)


def test_the_filter_of_a_flow_solves_its_equation():
    times = np.asarray([0.0, 0.01, 3.0, 40.0])
    with jax.enable_x64():
        f, g = tw.GradientFlow().filter(jnp.asarray(CURVATURES), jnp.asarray(times))
    for i, t in enumerate(times):
        for j, u in enumerate(CURVATURES):
            assert float(f[i, j]) == pytest.approx(math.exp(-u * t), rel=1e-13)
            assert float(g[i, j]) == pytest.approx(quad(lambda s, u=u: math.exp(-u * s), 0, t)[0], rel=1e-9)


RULES = [
    *PLAIN,
    tw.Optax(optax.sgd, 0.3),
    tw.Optax(optax.sgd, 0.3, {"momentum": 0.6, "nesterov": True}),
    tw.Averaged(tw.HeavyBall(0.3, 0.6)),
    tw.Scheduled(tw.Nesterov(0.3, 0.6), tw.Constant()),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.title())
def test_inside_the_stable_rate_runs_fall_and_outside_they_grow(rule):
    edge = float(rule.stable_rate(4.0))
    assert float(rule.stable_rate(jnp.asarray(8.0))) == pytest.approx(edge / 2)
    far = {}
    for factor in (0.98, 1.02):
        problem = _Bowl(rule=rule.at_rate(factor * edge))
        far[factor] = abs(float(tw.train(problem, [0, 800], strict=False).place[0, -1]))
    assert far[0.98] < 0.05
    assert far[1.02] > 1e3


def test_curvatures_that_set_no_limit_and_rules_of_which_none_is_known():
    np.testing.assert_array_equal(tw.GradientDescent().stable_rate(np.asarray([4.0, 0.0, -1.0])), [0.5, np.inf, np.inf])
    assert tw.GradientFlow().stable_rate(4.0) == 0.5
    assert np.isnan(tw.GradientDescent().stable_rate(math.nan))
    unknown = (tw.SGD(), tw.Optax(optax.adam), tw.Minibatches(), tw.OnePassSGD(), tw.LeafRates())
    for rule in (*unknown, tw.Scheduled(tw.SGD())):
        assert np.isnan(rule.stable_rate(4.0))
        assert not rule.filtered
        with pytest.raises(ValueError, match="no spectral filter; use one of"):
            rule.filter(jnp.ones(1), jnp.ones(1))
    # SGD has none of its own, but its mean has that of descent
    assert tw.SGD(0.2).mean().stable_rate(4.0) == 0.5
    # the derivative exists where the limit does not
    assert float(jax.grad(lambda u: jnp.sum(jnp.minimum(tw.HeavyBall().stable_rate(u), 9.0)))(jnp.zeros(1))[0]) == 0


@pytest.mark.parametrize("rule", PLAIN, ids=lambda rule: type(rule).__name__)
def test_the_pace_of_slow_motion(rule):
    """On a slope of 1 a rule moves by its effective pace in every unit of the clock, and flow by 1 in a unit."""
    path = steps(rule, lambda w: -np.ones_like(w), 400)
    assert rule.effective_pace() == pytest.approx((path[-1] - path[-2])[0], rel=1e-12)
    assert rule.pace() == rule.learning_rate


def test_flow_time_is_the_sum_of_learning_rates():
    problem, times = _Bowl(), np.asarray([0.0, 3.0, 8.0])
    for rule in (tw.GradientDescent(0.3), tw.HeavyBall(0.3), tw.SGD(0.3), tw.Minibatches(tw.Nesterov(0.3))):
        np.testing.assert_allclose(rule.flow_time(problem, times), [0, 0.9, 2.4])
    assert (tw.GradientFlow().pace(), tw.GradientFlow().effective_pace()) == (1.0, 1.0)
    np.testing.assert_array_equal(tw.GradientFlow().flow_time(problem, times), times)
    assert math.isnan(tw.Optax(optax.adam).pace())
    assert np.all(np.isnan(tw.Scheduled(tw.Optax(optax.adam), tw.PowerLaw()).flow_time(problem, times)))
    falling = tw.OnePassSGD(0.3, schedule=tw.InverseTime(2.0))
    np.testing.assert_allclose(falling.flow_time(problem, times), 0.3 * tw.InverseTime(2.0).integral(times))
    # of two schedules, one inside the other, no integral is known, unless one of them is constant
    twice = tw.Scheduled(falling, tw.PowerLaw())
    assert np.all(np.isnan(twice.flow_time(problem, times)))
    once = vary(twice, {"schedule": tw.Constant()})
    np.testing.assert_array_equal(once.flow_time(problem, times), falling.flow_time(problem, times))


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.0 + 1e-9, 2.5])
def test_a_power_law(exponent):
    schedule, times = tw.PowerLaw(exponent=exponent), np.asarray([0.0, 0.5, 4.0, 1000.0])
    told = [float(schedule.factor(t)) for t in times]
    np.testing.assert_allclose(told, (1 + times) ** -exponent, rtol=1e-6)
    truth = [quad(lambda t: (1 + t) ** -exponent, 0, t, epsabs=1e-12, limit=200)[0] for t in times]
    np.testing.assert_allclose(schedule.integral(times), truth, rtol=1e-8, atol=1e-12)
    with pytest.raises(ValueError, match=r"exponent = -0\.1 is not allowed"):
        tw.PowerLaw(exponent=-0.1)


def test_what_a_rule_says_of_itself():
    assert [r.descends() for r in (tw.GradientFlow(), tw.GradientDescent(), tw.HeavyBall(), tw.SGD())] == [
        *(True, True),
        *(False, False),
    ]
    shuffled = tw.SGD(batch=4, replacement=False)
    assert (shuffled.descends(4), shuffled.descends(8)) == (True, False)
    assert tw.GradientFlow().continuous
    assert not tw.Scheduled(tw.SGD()).continuous
    random = (tw.SGD(), tw.Minibatches(order="drawn"), tw.Minibatches(order="shuffled"), tw.OnePassSGD())
    for rule in (*random, *map(tw.Scheduled, random), *map(tw.Averaged, random)):
        assert rule.random
        assert rule.fresh == isinstance(rule.core, tw.OnePassSGD)
    for rule in (
        tw.GradientFlow(),
        tw.GradientDescent(),
        tw.Minibatches(),
        tw.Scheduled(),
        tw.Averaged(),
        tw.Optax("optax.sgd"),
    ):
        assert not rule.random
    assert (tw.SGD().title(), tw.Averaged(shuffled).title()) == ("SGD", "Averaged(SGD without replacement)")
    assert tw.Scheduled(tw.OnePassSGD()).clock == tw.OnePassSGD().clock == "steps / dimension"


def test_a_run_that_does_not_end_well_says_what_to_do():
    slow = tw.LinearClassifier(dimension=3, samples=6, rule=tw.GradientFlow(step_ceiling=3))
    with pytest.raises(FloatingPointError, match="Raise the step ceiling; where the gradient jumps"):
        tw.train(slow, [0.0, 50.0])
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        tw.train(_Bowl(rule=tw.HeavyBall(5.0)), [0, 5000])
