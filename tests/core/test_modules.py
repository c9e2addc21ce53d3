"""Modules made anew, and their methods, are those that equinox makes."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg.computing.modules import Module, replaced
from thalweg.words.fields import Parametrised, vary


class Theirs(eqx.Module):
    rate: float
    table: np.ndarray

    def scaled(self, x: float) -> float:
        """A method."""
        return self.rate * x


class Ours(Module):
    rate: float
    table: np.ndarray
    scaled = Theirs.scaled


class Counted(Parametrised):
    """One that makes a field of another."""

    size: float = tw.scalar("size", default=2.0, low=0.0)
    square: float = eqx.field(default=0.0, metadata={"derived": True})

    def __post_init__(self):
        self.square = self.size**2


def test_a_method_is_what_equinox_makes_of_it():
    table = np.arange(3.0)
    theirs, ours = Theirs(2.0, table).scaled, Ours(2.0, table).scaled
    again = Ours(3.0, table).scaled
    assert type(ours) is type(theirs) is type(again)
    assert again(5.0) == 15.0
    assert ours(5.0) == theirs(5.0) == jax.jit(lambda method: method(5.0))(ours) == 10.0
    assert (ours.__name__, ours.__doc__) == (theirs.__name__, theirs.__doc__)
    assert len(jax.tree.leaves(ours)) == len(jax.tree.leaves(theirs)) == 2
    assert jax.tree.structure(ours) == jax.tree.structure(again)


def test_a_module_made_anew_is_converted_and_checked():
    problem = tw.LinearClassifier(dimension=4, samples=7)
    made, wanted = (f(problem, mean_norm=np.float32(1.5)) for f in (_ours, dataclasses.replace))
    assert type(made.mean_norm) is type(wanted.mean_norm) is float
    assert eqx.tree_equal(made, wanted)
    assert jax.tree.structure(made) == jax.tree.structure(wanted)
    assert problem.mean_norm != 1.5
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.mean_norm = 2.0
    with pytest.raises(ValueError, match=r"mean_norm = -2[.]0 is not allowed"):
        vary(problem, {"mean_norm": -2})
    with pytest.raises(ValueError, match="exponent = nan is not allowed"):
        vary(tw.Scheduled(schedule=tw.PowerLaw(0.5)), {"schedule.exponent": np.nan})


def test_what_construction_makes_of_other_fields_is_made_again():
    assert Counted(3.0).square == 9.0
    assert vary(Counted(3.0), {"size": 5}).square == 25.0


def _ours(module, **changes):
    return replaced(module, changes)
