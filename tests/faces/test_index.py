"""The index, read from the source text, says what the classes themselves say."""

import dataclasses
import inspect
import typing

import equinox as eqx
import numpy as np
import pytest

from thalweg.catalogue import registry
from thalweg.catalogue.index import index, read
from thalweg.words import fields
from thalweg.words.problem import Problem, Rule
from thalweg.words.theory import Theory

PARTS = ("kind", "words", "symbol", "unit", "low", "high", "above", "below", "log")


def real(kind):
    return {n: c for n, c in registry.everything(kind).items() if c.__module__.startswith("thalweg.")}


def pairs():
    known = {**real(Problem), **real(Theory), **real(fields.Parametrised)}
    told = {**index().problems, **index().parts, **index().theories}
    return [(known[name], told[name]) for name in sorted(known.keys() & told.keys())]


def test_the_same_names():
    assert index().problems.keys() == real(Problem).keys()
    assert index().rules.keys() == real(Rule).keys()
    assert index().theories.keys() == real(Theory).keys()
    assert index().presets.keys() == registry.presets().keys()


@pytest.mark.parametrize(("kind", "entry"), pairs(), ids=lambda one: getattr(one, "__name__", ""))
def test_the_same_fields(kind, entry):
    declared = {f.name: f for f in dataclasses.fields(kind) if not f.metadata.get("derived")}
    assert [f.name for f in entry.fields] == list(declared)
    for name, parameter in fields.parameters(kind).items():
        told = next(f for f in entry.fields if f.name == name)
        assert {p: getattr(told, p) for p in PARTS} == {p: getattr(parameter, p) for p in PARTS}
    for told in entry.fields:
        default = declared[told.name].default
        assert told.required == (default is dataclasses.MISSING)
        if told.kind == "module" and told.default is not None:
            assert eqx.tree_equal(eval(told.default, registry.everything(fields.Parametrised)), default)
        elif told.kind == "function" and not told.required:
            assert told.default == default.__name__
        elif not told.required:
            assert np.array_equal(told.default, default)
    assert entry.doc == inspect.getdoc(kind)


def test_every_field_that_holds_a_module_has_its_family():
    """Whatever base class a field names, its heirs can be chosen: rules, schedules, starts, laws of inputs."""
    assert {"Rule", "Schedule", "LayerLaw", "FactorLaw", "InputLaw"} <= index().families.keys()
    known = real(fields.Parametrised)
    for family in index().families:
        heirs = {n for n, c in known.items() if family in (k.__name__ for k in c.__mro__)}
        assert index().members(family).keys() == heirs
    for kind, entry in pairs():
        for field in entry.fields:
            held = [a for a in typing.get_args(kind.__annotations__.get(field.name)) or () if a is not type(None)]
            named = held[0] if len(held) == 1 else kind.__annotations__.get(field.name)
            module = isinstance(named, type) and issubclass(named, fields.Parametrised)
            assert not module or field.family == named.__name__


def test_theories_say_what_they_speak_about():
    for name, kind in real(Theory).items():
        entry = index().theories[name]
        assert entry.of == tuple(k.__name__ for k in kind.of)
        assert entry.source == tuple(str(s) for s in kind.source)
        assert entry.conditions_on == kind.conditions_on


def test_presets_have_the_parameters_of_their_functions():
    for name, preset in registry.presets().items():
        entry = index().presets[name]
        assert (entry.words, entry.source, entry.recalled) == (preset.words, preset.source, preset.recalled)
        assert (entry.seeds or 24, entry.theories) == (preset.seeds, preset.theories)
        taken = inspect.signature(preset.build).parameters
        assert [f.name for f in entry.fields] == list(taken)
        for field in entry.fields:
            default = taken[field.name].default
            assert field.required == (default is inspect.Parameter.empty)
            assert field.required or field.default == default
        assert entry.returns in index().problems


def test_a_package_of_the_readers_own(tmp_path):
    """Inheritance, abstract classes, constants and presets, in a folder that has no thalweg in it."""
    for folder in ("rules", "systems/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "problem.py").write_text(
        "class Rule:\n @abc.abstractmethod\n def go(self): ...\nclass Problem:\n pass\n"
    )
    (tmp_path / "theory.py").write_text("class Theory:\n pass\n")
    (tmp_path / "rules/all.py").write_text(
        "class Base(Rule):\n eta: float = scalar('rate', **OPEN)\nclass Step(Base):\n"
        ' "Walk."\n def go(self): ...\nOPEN = {"above": 0.0}\n'
    )
    (tmp_path / "systems/deep/net.py").write_text(
        "class Net(Problem):\n '''Deep. More.'''\n width: int = size('units', low=2)\n rule: Rule = Step()\n"
        "class Paper2020:\n @preset('a figure', source='Paper2020')\n @staticmethod\n"
        " def figure(width: int = 4, *, path: str) -> Net: ...\n"
        "class Limit(Theory[Net]):\n of = (Net,)\n source = (Source('Paper2020', 'theorem 1'),)\n"
    )
    found = read(tmp_path)
    assert list(found.rules) == ["Step"]
    assert found.rules["Step"].fields[0].above == 0.0
    assert found.problems["Net"].words == "Deep"
    assert [(f.name, f.required, f.kind) for f in found.problems["Net"].fields] == [
        ("width", True, "size"),
        ("rule", False, "module"),
    ]
    assert [f.family for f in found.problems["Net"].fields] == ["", "Rule"]
    figure = found.presets["Paper2020.figure"]
    assert [(f.name, f.required, f.low) for f in figure.fields] == [("width", False, 2), ("path", True, None)]
    assert found.theories["Limit"].source == ("Paper2020, theorem 1",)
