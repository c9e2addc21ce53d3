"""The catalogue, which is read without importing anything, says what the classes themselves say."""

import dataclasses
import inspect
import typing

import equinox as eqx
import numpy as np
import pytest

from thalweg.catalogue import registry
from thalweg.catalogue.__main__ import texts
from thalweg.catalogue.index import index, made_of
from thalweg.catalogue.stored import stored, written
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
        assert (entry.seeds, entry.theories) == (preset.seeds, preset.theories)
        taken = inspect.signature(preset.build).parameters
        assert [f.name for f in entry.fields] == list(taken)
        for field in entry.fields:
            default = taken[field.name].default
            assert field.required == (default is inspect.Parameter.empty)
            assert field.required or field.default == default
        assert entry.returns in index().problems


def test_what_is_collected_is_up_to_date():
    """After a system was added or changed: `make catalogue`."""
    for path, text in texts().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale; run `make catalogue`"


def test_the_file_keeps_every_entry():
    classes, presets = stored()
    assert written(classes, presets) == written(*map(reversed, (classes, presets)))
    assert any(f.high is not None for e in classes for f in e.fields)


def test_two_classes_of_one_name_go_by_their_modules():
    """The heirs of one are not offered for the other."""
    classes, presets = stored()
    namesake = "elsewhere.laws:Schedule"
    law = next(e for e in classes if e.name == "Schedule")
    heir = next(e for e in classes if e.name == "PowerLaw")
    more = [
        dataclasses.replace(law, module="elsewhere.laws"),
        dataclasses.replace(heir, name="Own", module="elsewhere.laws", qualname="Own", ancestors=(namesake,)),
    ]
    problem = next(e for e in classes if e.name == "CommitteeMachine")
    field = dataclasses.replace(problem.fields[0], name="law", kind="module", family=namesake)
    mine = dataclasses.replace(problem, name="Mine", module="elsewhere", qualname="Mine", fields=(field,))
    found = made_of([*classes, *more, mine], presets)
    assert list(found.members(namesake)) == ["Own"]
    assert "Own" not in found.members("thalweg.rules.schedules:Schedule")
