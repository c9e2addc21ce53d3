"""Public names: families as namespaces, what `dir` shows, and that a name imports only what it names."""

import subprocess
import sys

import pytest

import thalweg as tw
from thalweg.catalogue import registry
from thalweg.catalogue.names import exports, families
from thalweg.words.problem import Problem
from thalweg.words.theory import Theory

ALONE = """
import sys
import thalweg as tw
tw.predict({})
families = {{m.split(".")[2] for m in sys.modules if m.startswith("thalweg.systems.")}}
print(*sorted(families), *sorted({{"matplotlib", "sklearn", "diffrax", "optax", "torch"}} & set(sys.modules)))
# what only tests and pages ask for
print(*(m for m in sys.modules if m.startswith("thalweg.") and m.endswith((".examples", ".conventions"))), end="")
"""


@pytest.mark.parametrize("family", families())
def test_a_family_is_a_namespace(family):
    namespace = getattr(tw, family)
    assert dir(namespace) == exports(family)
    for name in exports(family):
        # what a family exports goes by the same name in the package
        assert getattr(namespace, name) is getattr(tw, name)


def test_every_problem_and_theory_is_exported_by_its_family():
    for kind in (Problem, Theory):
        for found in registry.classes(kind).values():
            place = found.__module__.split(".")
            if place[:2] == ["thalweg", "systems"]:
                assert found.__name__ in exports(place[2])


def test_dir_shows_verbs_words_rules_problems_and_families():
    shown = dir(tw)
    assert {"predict", "compare", "Assumption", "SGD", "DeepLinear", "deep_linear", "own_data"} <= set(shown)
    hidden = {found.__name__ for found in registry.classes(Theory).values()}
    assert not hidden & set(shown)
    assert not set(registry.presets()) & set(shown)
    assert all(hasattr(tw, name) for name in shown)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no_such_family"):
        tw.no_such_family  # noqa: B018


@pytest.mark.parametrize(
    ("problem", "loaded"),
    [
        ("tw.LinearClassifier(dimension=8, samples=12)", "linear_classifier linear_regression own_data shared"),
        ("tw.DeepLinear(target=[[1.0]], widths=(1, 2, 1)), theory='GramFlow'", "deep_linear"),
    ],
)
def test_a_prediction_imports_its_own_family(problem, loaded):
    """No other system is read, no library of training or pictures either (some speak of any square loss)."""
    done = subprocess.run([sys.executable, "-c", ALONE.format(problem)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
