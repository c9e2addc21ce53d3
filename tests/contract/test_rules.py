"""Rules keep their contract; a rule that says of itself what is not so is caught."""

import jax
import jax.numpy as jnp
import optax
import pytest

import thalweg as tw
from thalweg.rules import DiscreteRule, Step, Whole
from thalweg.testing.rule_contract import check_rule

RULES = [
    tw.GradientFlow(),
    tw.Nesterov(0.1, 0.6),
    tw.SGD(0.2, 4, replacement=False),
    tw.Optax(optax.adam, 0.1),
    tw.OnePassSGD(0.2, schedule=tw.InverseTime(3.0)),
    tw.OnePassNaturalGradient(0.1, damping=0.5),
    tw.Scheduled(tw.Minibatches(tw.HeavyBall(0.1, 0.5), "shuffled", 3), tw.PowerLaw(1.0)),
    tw.Scheduled(tw.Averaged(tw.HeavyBall(0.1, 0.5), 2.0)),
    tw.LeafRates(tw.OnePassSGD(0.2)),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.title())
def test_contract(rule):
    check_rule(rule)


class Hasty(DiscreteRule):
    """Descent that says too much of itself."""

    learning_rate: float = tw.scalar("factor of the gradient", default=0.2)
    edge: float = 2.0
    told: float = 1.0
    filtered = True

    @property
    def source(self) -> Whole:
        return Whole()

    def pace(self) -> float:
        return -self.learning_rate if self.told == 0 else self.learning_rate

    def begin(self, params):
        return ()

    def move(self, params, memory, step: Step):
        rates = step.rates(params, self.learning_rate)
        return jax.tree.map(lambda w, g, rate: w - rate * g, params, step.slope(params), rates), memory

    def stable_rate(self, curvature):
        return self.edge / curvature

    def filter(self, curvature, times):
        return tw.GradientDescent(self.told * self.learning_rate).filter(curvature, jnp.asarray(times))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"edge": 2.2}, "just inside its stable rate, 0.55 at curvature 4, a run ends at"),
        ({"edge": 1.8}, "just outside its stable rate"),
        ({"told": 1.1}, "its filter is .* off what it does"),
        ({"told": 0.0}, "its flow time is"),
    ],
)
def test_a_rule_that_is_not_as_it_says(change, words):
    check_rule(Hasty())
    with pytest.raises(AssertionError, match=f"Hasty: {words}"):
        check_rule(Hasty(**change))
