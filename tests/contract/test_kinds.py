"""Kinds of theory: they bring what they fix, the contract notices what they rule out, and lists show them."""

from typing import ClassVar

import numpy as np
import pytest

import thalweg as tw
from thalweg.catalogue import registry
from thalweg.catalogue.index import index
from thalweg.testing.declared import check_kind

OWN = {k.__name__: k for k in registry.classes(tw.Theory).values() if k.__module__.startswith("thalweg.")}


class _Settling(tw.Problem):
    """x(t) = x(0) exp(-t), seen as `level` and as `span`."""

    rule: tw.Rule = tw.GradientFlow()
    observables: ClassVar = (tw.Observable("level", "level"), tw.Observable("span", "twice the level"))

    def draw(self, key):
        return None

    def initial(self, key, data):
        return np.ones(1)

    def objective(self, params, data):
        return 0.5 * (params @ params)

    def observe(self, params, data):
        return {"level": params[0], "span": 2 * params[0]}

    def horizon(self):
        return np.linspace(0.0, 2.0, 5)

    def as_data(self, raw):
        return raw

    def as_start(self, raw):
        return np.asarray(raw, dtype=float)


def declaring(kind: type, **declared) -> tw.Theory:
    """A theory of this kind with some declarations of its own; asked for nothing but these."""
    plain = {
        "of": (_Settling,), "source": (tw.Source("Nobody1999"),), "assumptions": (), "conditions_on": ("draw",),
        "speaks_of": ("level", "span"), "predict": lambda self, problem, data, start, times: {},
    }  # fmt: skip
    return type(kind)("_Declared", (kind,), {"__module__": __name__, **plain, **declared})()


BOUND, LATE = tw.Claim("upper"), tw.Claim("limit")
TERM = {"finite_size": lambda self, problem: {"level": tw.FiniteSize(0.25, 1.0)}}


@pytest.mark.parametrize(
    ("kind", "declared", "sentence"),
    [
        (tw.Exact, TERM, r"finite-size term for \['level'\]; inherit Limit"),
        (tw.Exact, {"estimates": True}, "inherit Estimate"),
        (tw.Limit, {"finite_size": lambda self, problem: {"depth": tw.FiniteSize(0.5, 2.0)}}, r"\['depth'\], of which"),
        (tw.Estimate, {"conditions_on": ("start",)}, "not `estimates` from the draw"),
        (tw.Estimate, {"estimates": False}, "not `estimates` from the draw"),
        (tw.Certificate, {"claims": {"level": BOUND}}, r"claims the values of \['span'\]; claim bounds"),
        (tw.Certificate, {"claims": {"level": (tw.Claim(), BOUND), "span": BOUND}}, r"values of \['level'\]"),
        (tw.Certificate, {"claims": {"level": LATE, "span": LATE}}, "bounds nothing"),
        (tw.Asymptote, {"claims": {"span": LATE}}, r"values of \['level'\]; claim limits or rates"),
    ],
)
def test_a_kind_that_promises_more_than_is_declared_is_noticed(kind, declared, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_kind(declaring(kind, **declared), _Settling())


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        (tw.Exact, {}),
        (tw.Limit, TERM),
        (tw.Estimate, {}),
        (tw.Estimate, TERM),
        (tw.Certificate, {"claims": {"level": BOUND, "span": LATE}}),
        (tw.Asymptote, {"claims": {"level": LATE, "span": tw.Claim("rate")}}),
        (tw.Theory, TERM),
    ],
)
def test_a_kind_brings_what_it_fixes(kind, declared):
    theory = declaring(kind, **declared)
    check_kind(theory, _Settling())
    assert theory.prepare(_Settling(), np.arange(3.0)) is theory
    assert set(theory.finite_size(_Settling())) == ({"level"} if declared is TERM else set())
    assert theory.estimates == (kind is tw.Estimate)


def test_a_limit_must_say_what_it_leaves_out():
    with pytest.raises(TypeError, match="finite_size"):
        declaring(tw.Limit)


def test_every_theory_of_the_package_has_one_kind():
    kinds = (tw.Exact, tw.Limit, tw.Estimate, tw.Certificate, tw.Asymptote)
    assert [n for n, k in OWN.items() if sum(issubclass(k, kind) for kind in kinds) != 1] == []


def test_lists_show_the_kind():
    assert {n: index().theories[n].standing for n in OWN} == {n: k.standing for n, k in OWN.items()}
    shipped = sorted(key for key in registry.classes(tw.Problem) if key.startswith("thalweg.systems."))
    for problem in [registry.classes(tw.Problem)[key].examples()[0] for key in shipped[:3]]:
        table = tw.theories(problem)
        # classes that other tests made are listed, too
        told = {n: kind for n, kind in zip(table["theory"], table["kind"], strict=True) if n in OWN}
        assert told.items() <= {n: k.standing for n, k in OWN.items()}.items()
        assert all(kind in str(table) for kind in table["kind"])
