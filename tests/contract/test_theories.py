"""Every registered theory keeps the contract; so does the skeleton that contributors copy."""

import dataclasses
import math
import re
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from thalweg.catalogue import registry
from thalweg.faces.page import render
from thalweg.testing import check_problem, check_theory
from thalweg.testing.tried_values import short_axis
from thalweg.verbs.comparison import compare
from thalweg.words.theory import Setting, Theory, TheoryWarning

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


LAPACK = ("svd", "eigh", "eig", "lu", "geqrf", "cholesky", "schur")


def batched(program):
    """Decompositions of more than one matrix at a time in a program, at any depth."""
    for line in program.eqns:
        shape = line.invars[0].aval.shape if line.primitive.name in LAPACK else ()
        if math.prod(shape[:-2]) > 1:
            yield line.primitive.name, shape
        for held in line.params.values():
            for part in held if isinstance(held, tuple | list) else (held,):
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from batched(inner)


@pytest.mark.parametrize("name", ["AlignmentInvariance", "DecoupledModes", "GramFlow", "TwoLayerRiccati"])
def test_decompositions_are_made_one_by_one(name):
    """A batch of them waits for threads that other seeds hold, and these for it (`computing.one_by_one`)."""
    check_one_by_one(name)


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(KINDS))
def test_decompositions_are_made_one_by_one_in_every_theory(name):
    check_one_by_one(name)


def check_one_by_one(name):
    theory, problem = KINDS[name](), KINDS[name].example()
    axis, setting = short_axis(problem), Setting(problem)
    ready = theory.prepare(problem, axis)
    program = jax.make_jaxpr(lambda data, start: ready.predict(problem, data, start, jnp.asarray(axis)))
    assert not set(batched(program(setting.data, setting.start).jaxpr))
