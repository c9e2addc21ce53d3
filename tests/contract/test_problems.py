"""Every registered problem keeps the contract."""

import dataclasses

import jax
import numpy as np
import pytest
from contract_cases import PROBLEMS
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg.catalogue import registry
from thalweg.testing.contract import check_problem, differing
from thalweg.words.fields import Parameter, parameters, vary
from thalweg.words.problem import random_parts
from thalweg.words.theory import Setting

KINDS = sorted(name for name, kind in registry.problems().items() if kind.__module__.startswith("thalweg."))
CASES = [(name, i) for name in KINDS for i in range(len(PROBLEMS.get(name, (None, (None,)))[1]))]


def test_every_problem_has_a_case():
    assert set(KINDS) == set(PROBLEMS), "give each problem a small case and two sets of sizes in contract_cases.py"


@pytest.mark.parametrize(("name", "index"), CASES)
def test_contract(name, index):
    problem, sizes = PROBLEMS[name]
    check_problem(problem, (sizes[index],))


@pytest.mark.parametrize(("name", "index"), CASES)
def test_what_differs_from_seed_to_seed_is_declared_sharply(name, index):
    problem, sizes = PROBLEMS[name]
    one = vary(problem, sizes[index])
    assert random_parts(one) == differing(one)


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


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_builds_anywhere_in_its_ranges(name, data):
    problem, sizes = PROBLEMS[name]
    values = {n: data.draw(legal(p), label=n) for n, p in parameters(type(problem)).items() if p.kind == "scalar"}
    built = vary(problem, {**data.draw(st.sampled_from(sizes)), **values})
    assert all(getattr(built, n) == v for n, v in values.items())
    assert dataclasses.replace(built) is not built
    # moderate values must give a finite start; at 1e300 a float64 may overflow
    if all(abs(v) < 1e6 for v in values.values()):
        with jax.enable_x64():
            leaves = jax.tree.leaves((Setting(built).data, Setting(built).start))
        assert all(np.all(np.isfinite(leaf)) for leaf in leaves)


def test_the_check_catches_a_bad_problem():
    """A problem whose observable leaves its declared bounds."""
    good = PROBLEMS["LinearClassifier"][0]
    check = pytest.raises(AssertionError)
    with check as caught:
        check_problem(_Careless(rule=good.rule))
    assert "share" in str(caught.value)


class _Careless(tw.Problem):
    """Declares a share in [0, 1] and returns 2."""

    rule: tw.Rule = tw.GradientFlow()
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
