"""Theories are right all over their regime, not at their defaults alone."""

import itertools

import numpy as np
import pytest

import thalweg as tw
from thalweg.catalogue import registry
from thalweg.testing.random_problems import bases, changed, claims_values, random_case, within
from thalweg.words.theory import Theory

KINDS = {n: k for n, k in registry.everything(Theory).items() if k.__module__.startswith("thalweg.")}
CLAIMING = sorted(n for n, k in KINDS.items() if claims_values(k))
RANDOM, EXACT = 20, 4
FRESH = 1_000_000


@pytest.mark.parametrize("name", ["Eigenmodes", "RiccatiFlow"])
def test_the_same_seed_gives_the_same_legal_problem_inside_the_regime(name):
    cases = [random_case(KINDS[name], seed) for seed in range(8)]
    again = [random_case(KINDS[name], seed) for seed in range(8)]
    for one, other in zip(cases, again, strict=True):
        assert str(one.problem) == str(other.problem)
        assert np.array_equal(one.times, other.times)
        assert within(one.theory, one.problem, one.times)
    assert all(str(a.problem) != str(b.problem) for a, b in itertools.combinations(cases, 2))


def test_most_numbers_change_and_stay_legal():
    random = np.random.default_rng(0)
    problem = tw.LinearClassifier(dimension=6, samples=9, label_flip=0.4, rule=tw.HeavyBall(0.05, 0.6))
    found = [changed(problem, random, 1.0) for _ in range(50)]
    for name in ("mean_norm", "init_variance", "label_flip", "correlation"):
        assert len({getattr(one, name) for one in found}) == 50, name
    assert len({one.rule.momentum for one in found}) == 50


def test_theories_have_problems_of_several_shapes_and_rules():
    """The cheap ones; the nightly test asks all."""
    for name in ("Eigenmodes", "RegressionModes", "GramFlow", "RiccatiFlow"):
        assert len(bases(KINDS[name])) >= 3


@pytest.mark.nightly
@pytest.mark.parametrize("name", CLAIMING)
def test_no_random_problem_inside_the_regime_contradicts_its_theory(name):
    """On 20 random legal problems each; what chance did is not there again on fresh seeds."""
    wrong = []
    for case in (random_case(KINDS[name], seed) for seed in range(RANDOM)):
        seeds = EXACT if set(case.theory.conditions_on) == {"start", "draw"} else 24
        result = tw.compare(case.problem, case.times, theory=case.theory, seeds=seeds)
        if result.attrs["verdict"] == "contradicted":
            fresh = range(FRESH, FRESH + 4 * seeds)
            result = tw.compare(case.problem, case.times, theory=case.theory, seeds=fresh)
        if result.attrs["verdict"] == "contradicted":
            wrong.append((str(case.problem), result.attrs["sentence"]))
    assert not wrong
