"""A user's data and starts as any pytree: flattened by their paths, revived, and compared with what is wanted."""

import dataclasses
from collections import namedtuple
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import thalweg as tw
from thalweg.computing.tree_paths import fitting, flatten, unflatten

Pair = namedtuple("Pair", "left right")


@dataclasses.dataclass
class Sample:
    inputs: object
    extra: object = None


NESTED = {
    "layers": (Pair(np.ones(2), None), [np.arange(6.0).reshape(2, 3), (), 3.0]),
    "rates": {0: np.ones(1), 12: np.full(2, 2.0)},
    "mlp/~/linear.0": {"0": np.ones(3), "[": np.ones(1), "": np.ones(4), "50%": np.zeros(())},
    "sample": Sample(np.ones((3, 2))),
    "empty": {},
}
# what comes back: a module or dataclass as a dictionary, a list as a tuple
PLAIN = {
    "layers": ({"left": np.ones(2), "right": None}, (np.arange(6.0).reshape(2, 3), (), np.asarray(3.0))),
    "rates": {0: np.ones(1), 12: np.full(2, 2.0)},
    "mlp/~/linear.0": {"0": np.ones(3), "[": np.ones(1), "": np.ones(4), "50%": np.zeros(())},
    "sample": {"inputs": np.ones((3, 2)), "extra": None},
    "empty": {},
}


def test_paths_name_the_way_to_each_leaf():
    found = flatten({"layers": [{"weights": np.ones(2)}, {"weights": np.ones(3)}]}, "start")
    assert {path: leaf.shape for path, leaf in found.items()} == {
        "start.layers.0.weights": (2,),
        "start.layers.1.weights": (3,),
    }
    assert flatten(None, "start") == {}
    assert list(flatten(np.ones(3), "start")) == ["start"]


def test_a_tree_comes_back():
    stored = flatten(NESTED, "data")
    assert not any("/" in path for path in stored)
    found = unflatten(stored, "data")
    left, right = (jax.tree.flatten(tree) for tree in (found, PLAIN))
    assert left[1] == right[1]
    for one, other in zip(left[0], right[0], strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    assert unflatten(stored, "start") is None


def test_a_module_comes_back_by_what_is_wanted():
    network = eqx.nn.MLP(2, 1, 4, 2, key=jax.random.key(0))
    stored = flatten(network, "start")
    assert {"start.layers.0.weight", "start.layers.2.bias"} < set(stored)
    again = fitting(unflatten(stored, "start"), network, "start")
    assert eqx.tree_equal(again, network)
    # functions between arrays leave their place
    np.testing.assert_array_equal(unflatten(flatten((jnp.tanh, np.ones(2)), "start"), "start")[1], np.ones(2))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"a": np.ones((2, 3))}, r"start\.b\.0 is missing; an array of shape \(2,\)"),
        ({"a": np.ones((2, 3)), "b": [np.ones(3)]}, r"start\.b\.0 has shape \(3,\); \(2,\) is wanted"),
        (
            {"a": np.ones((2, 3)), "b": [np.ones(2)], "c": 1.0},
            r"start\.c is not wanted.*consists of start\.a",
        ),
        ({"a": np.full((2, 3), np.nan), "b": [np.ones(2)]}, r"start\.a is not finite"),
        ({"a": np.full((2, 3), 1e300), "b": [np.ones(2)]}, r"start\.a is not finite throughout in float32"),
        ({"a": "text", "b": [np.ones(2)]}, r"start\.a is a str"),
        (np.ones(3), r"start\.a is missing"),
        ({("a", 1): np.ones(3)}, r"keys of start must be text or whole numbers"),
    ],
)
def test_the_path_of_the_first_misfit_is_named(raw, told):
    like = jax.eval_shape(lambda: {"a": jnp.ones((2, 3), jnp.float32), "b": [jnp.ones(2, jnp.float32)]})
    with pytest.raises(ValueError, match=told):
        fitting(raw, like, "start")


def test_numbers_take_the_types_that_are_wanted():
    found = fitting(
        (np.array([1, 2]), {"0": np.array([3.0, 4.0])}), (np.zeros(2, np.float32), [np.zeros(2, np.int32)]), "start"
    )
    assert [leaf.dtype for leaf in jax.tree.leaves(found)] == [np.float32, np.int32]
    with pytest.raises(ValueError, match="start must hold whole numbers"):
        fitting(np.array([0.5]), np.array([1]), "start")


@pytest.mark.parametrize("leaf", ["text", jax.random.key(0), 1j, object(), np.array(["a"])])
def test_a_leaf_that_is_no_number_is_named(leaf):
    with pytest.raises(ValueError, match=r"data\.x\.0 is a .*not an array of real numbers"):
        flatten({"x": [leaf]}, "data")


class Springs(tw.Problem):
    """Weights in nested layers, pulled to the data: objective = (1/2) sum |w - target|^2 over all leaves."""

    rule: tw.Rule = tw.GradientFlow()
    start: Any = tw.array("a field of its own that is named start", default=None)
    observables: ClassVar = (tw.Observable("train_loss", "training loss", low=0.0),)

    def draw(self, key):
        return {"targets": self.initial(key, None)}

    def initial(self, key, data):
        return {"layers": ({"weights": jnp.ones((2, 3))}, {"weights": jnp.zeros(2), "bias": jnp.zeros(())})}

    def objective(self, params, data):
        gaps = jax.tree.map(lambda w, t: jnp.sum((w - t) ** 2), params, data["targets"])
        return 0.5 * sum(jax.tree.leaves(gaps))

    def observe(self, params, data):
        return {"train_loss": self.objective(params, data)}

    def horizon(self):
        return np.linspace(0.0, 1.0, 3)

    def as_data(self, raw):
        return fitting(raw, {"targets": self.initial(None, None)}, "data")

    def as_start(self, raw):
        return fitting(raw, self.initial(None, None), "start")


class Decay(tw.Theory[Springs]):
    """train_loss(t) = train_loss(0) exp(-2t), exactly."""

    of: ClassVar = (Springs,)
    source: ClassVar = (tw.Source("LiaoCouillet2018", "the case of one feature"),)
    conditions_on: ClassVar = ("draw", "start")
    speaks_of: ClassVar = ("train_loss",)
    assumptions: ClassVar = ()

    def prepare(self, problem, times):
        return self

    def predict(self, problem, data, start, times):
        return {"train_loss": problem.objective(start, data) * jnp.exp(-2 * times)}

    def finite_size(self, problem):
        return {}


def test_a_nested_start_is_saved_and_run_again(tmp_path):
    """The problem's own field `start` stays apart from the user's."""
    start = {"layers": [{"weights": np.full((2, 3), 2.0)}, {"weights": np.arange(2.0), "bias": 3.0}]}
    data = {"targets": {"layers": ({"weights": np.zeros((2, 3))}, {"weights": np.ones(2), "bias": np.float64(1.0)})}}
    problem = Springs(start=np.arange(4.0))
    result = tw.compare(problem, theory=Decay(), seeds=2, data=data, start=start)
    assert result.attrs["verdict"] == "confirmed"
    # (1/2)(6 * 4 + 1 + 0 + 4)
    np.testing.assert_allclose(result["training"].train_loss[:, 0], 14.5)
    path = tw.save(result, tmp_path / "run.nc")
    held = tw.load(path)["inputs"]
    assert set(held.data_vars) == {
        "times",
        "problem.start",
        *(f"{of}.layers.{leaf}" for of in ("start", "data.targets") for leaf in ("0.weights", "1.weights", "1.bias")),
    }
    again = tw.rerun(path)
    xr.testing.assert_identical(again["training"].to_dataset(), result["training"].to_dataset())
    xr.testing.assert_identical(again["inputs"].to_dataset(), result["inputs"].to_dataset())
    start["layers"][1]["weights"] = np.arange(3.0)
    with pytest.raises(ValueError, match=r"start\.layers\.1\.weights has shape \(3,\); \(2,\) is wanted"):
        tw.compare(problem, theory=Decay(), start=start)
