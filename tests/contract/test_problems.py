"""Every registered problem keeps the contract."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg.catalogue import registry
from thalweg.testing.contract import check_problem, differing
from thalweg.words.fields import Parameter, parameters, vary
from thalweg.words.problem import random_parts
from thalweg.words.theory import Setting

KINDS = {n: k for n, k in registry.problems().items() if k.__module__.startswith("thalweg.")}
CASES = [pytest.param(one, id=f"{name}-{i}") for name in sorted(KINDS) for i, one in enumerate(KINDS[name].examples())]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_problem_has_examples_of_several_kinds(name):
    """Of several sizes, one of them under a rule of whole steps."""
    examples = KINDS[name].examples()
    assert all(type(one) is KINDS[name] for one in examples)
    assert len(examples) > 1
    assert any(not one.rule.continuous for one in examples)


@pytest.mark.parametrize("problem", CASES)
def test_contract(problem):
    check_problem(problem)


@pytest.mark.parametrize("problem", CASES)
def test_what_differs_from_seed_to_seed_is_declared_sharply(problem):
    assert random_parts(problem) == differing(problem)


def legal(parameter: Parameter) -> st.SearchStrategy:
    """Any value of the declared range of a scalar."""
    low = parameter.low if parameter.low is not None else parameter.above
    high = parameter.high if parameter.high is not None else parameter.below
    return st.floats(
        low,
        high,
        exclude_min=parameter.low is None and low is not None,
        exclude_max=parameter.high is None and high is not None,
        allow_nan=False,
        allow_infinity=False,
    )


@pytest.mark.parametrize("name", sorted(KINDS))
@given(data=st.data())
def test_builds_anywhere_in_its_ranges(name, data):
    values = {n: data.draw(legal(p), label=n) for n, p in parameters(KINDS[name]).items() if p.kind == "scalar"}
    built = vary(data.draw(st.sampled_from(KINDS[name].examples())), values)
    assert all(getattr(built, n) == v for n, v in values.items())
    assert dataclasses.replace(built) is not built
    # moderate values must give a finite start; at 1e300 a float64 may overflow
    if all(abs(v) < 1e6 for v in values.values()):
        with jax.enable_x64():
            leaves = jax.tree.leaves((Setting(built).data, Setting(built).start))
        assert all(np.all(np.isfinite(leaf)) for leaf in leaves)


def test_the_check_catches_a_bad_problem():
    """A problem whose observable leaves its declared bounds."""
    with pytest.raises(AssertionError, match="share"):
        check_problem(_Careless)


def test_a_class_that_cannot_be_made_says_what_it_needs():
    with pytest.raises(ValueError, match=r"_Demanding cannot be made without rule; .*examples\(\)"):
        check_problem(_Demanding)
    with pytest.raises(AssertionError, match="share"):
        check_problem(_Demanding(rule=tw.GradientFlow(tolerance=1e-7)))


class _Demanding(tw.Problem):
    """Declares a share in [0, 1] and returns 2; wants to be told its rule."""

    rule: tw.Rule
    observables = (tw.Observable("share", "a share", low=0.0, high=1.0),)

    def draw(self, key):
        return np.zeros(1)

    def initial(self, key, data):
        return jax.numpy.zeros(1)

    def objective(self, params, data):
        return jax.numpy.sum(params**2)

    def observe(self, params, data):
        return {"share": 2.0 + jax.numpy.sum(params)}

    def horizon(self):
        return np.linspace(0.0, 1.0, 5)

    def as_data(self, raw):
        return raw

    def as_start(self, raw):
        return raw


class _Careless(_Demanding):
    """The same, with a rule of its own."""

    rule: tw.Rule = tw.GradientFlow()
