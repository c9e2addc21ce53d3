"""Every registered theory keeps the contract; so does the skeleton that contributors copy."""

import re
from pathlib import Path

import pytest
from breaking import BREAKING
from contract_cases import OWN_CASES, PROBLEMS

import thalweg as tw
from thalweg.catalogue import registry
from thalweg.testing.contract import check_problem, check_theory
from thalweg.words.theory import Theory

KINDS = {n: k for n, k in registry.everything(Theory).items() if k.__module__.startswith("thalweg.")}
EXTENDING = Path(__file__).parents[2] / "docs/extending.md"


def test_every_theory_is_broken_somewhere():
    assert set(KINDS) == set(BREAKING), "name in breaking.py, for each assumption, a problem that breaks it"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_contract(name):
    problem = OWN_CASES[name] if name in OWN_CASES else PROBLEMS[KINDS[name].of[0].__name__][0]
    check_theory(KINDS[name], problem, breaking=BREAKING[name])


def test_an_assumption_that_nothing_breaks_is_noticed():
    problem, broken = PROBLEMS["LinearClassifier"][0], BREAKING["MarchenkoPastur"]
    with pytest.raises(AssertionError, match="isotropic inputs"):
        check_theory(KINDS["MarchenkoPastur"], problem, breaking={**broken, "isotropic inputs": problem})
    with pytest.raises(AssertionError, match="stable step"):
        check_theory(KINDS["MarchenkoPastur"], problem, breaking={"linear rule": broken["linear rule"]})


def test_the_skeleton_for_contributors_keeps_the_contract():
    """Its classes alone, as docs/extending.md has them; that the whole block runs is tested with the documents."""
    text = re.search(r"```python\n(.*?)```", EXTENDING.read_text(encoding="utf-8"), re.DOTALL)[1]
    space: dict = {"__name__": "skeleton"}
    exec(compile(text.split("\nresult = ")[0], str(EXTENDING), "exec"), space)
    check_problem(space["NoisyMean"])
    breaking = {"gradient flow": space["NoisyMean"](rule=tw.GradientDescent(learning_rate=0.1))}
    check_theory(space["Relaxation"], breaking=breaking)
