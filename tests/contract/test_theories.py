"""Every registered theory keeps the contract; so does the skeleton that contributors copy."""

import dataclasses
import re
import warnings
from pathlib import Path

import pytest

from thalweg.catalogue import registry
from thalweg.faces.page import render
from thalweg.testing import check_problem, check_theory
from thalweg.testing.tried_values import short_axis
from thalweg.verbs.comparison import compare
from thalweg.words.theory import Theory, TheoryWarning

KINDS = {n: k for n, k in registry.everything(Theory).items() if k.__module__.startswith("thalweg.")}
EXTENDING = Path(__file__).parents[2] / "docs/extending.md"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_contract(name):
    check_theory(KINDS[name])


@pytest.fixture(scope="module")
def skeleton():
    """Its classes alone, as docs/extending.md has them; that the whole block runs is tested with the documents."""
    text = re.search(r"```python\n(.*?)```", EXTENDING.read_text(encoding="utf-8"), re.DOTALL)[1]
    space: dict = {"__name__": "skeleton"}
    exec(compile(text.split("\nresult = ")[0], str(EXTENDING), "exec"), space)
    return space


def test_the_skeleton_for_contributors_keeps_the_contract(skeleton):
    check_problem(skeleton["NoisyMean"])
    check_theory(skeleton["Relaxation"])


def test_an_assumption_that_nothing_breaks_is_noticed(skeleton):
    kind, problem = skeleton["Relaxation"], skeleton["NoisyMean"]()
    (assumed,) = kind.assumptions
    broken = assumed.broken_by(problem)

    def breakable(by):
        return type("Relaxed", (kind,), {"assumptions": (dataclasses.replace(assumed, broken_by=by),)})

    with pytest.raises(AssertionError, match=r"nothing breaks its assumptions \['gradient flow'\]"):
        check_theory(breakable(None))
    with pytest.raises(AssertionError, match="'gradient flow' is strained to 0"):
        check_theory(breakable(lambda one: one))
    with pytest.raises(AssertionError, match="'gradient flow' is strained to 0"):
        check_theory(kind, breaking={"gradient flow": problem})
    with pytest.raises(AssertionError, match=r"`breaking` names \['small steps'\]"):
        check_theory(kind, breaking={"small steps": broken})
    check_theory(breakable(None), breaking={"gradient flow": broken})


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_theory_has_a_report_of_its_comparison(name):
    theory = KINDS[name]()
    problem = theory.example()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TheoryWarning)
        result = compare(problem, short_axis(problem), theory=theory, seeds=2)
    page = render(result)
    curves = [n for n, v in result["training"].data_vars.items() if "time" in v.dims and n in theory.speaks_of]
    assert ("<svg" in page) == bool(curves)
