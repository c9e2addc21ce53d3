"""One notion of identity: class by module and name, fields, arrays; ambiguity names both; files bring nothing else."""

import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.results.serial import digest, from_json, identity, to_json

# in a process of its own: a second class of this name would be found by every other test
NAMESAKE = """
import numpy as np, thalweg as tw
from thalweg.catalogue import registry
from thalweg.rules import Schedule
from thalweg.results.serial import from_json, identity, to_json
library = tw.Constant

class Constant(Schedule):
    def factor(self, t):
        return 0.5
    def integral(self, times):
        return 0.5 * np.asarray(times)

own, theirs = tw.OnePassSGD(0.1, schedule=Constant()), tw.OnePassSGD(0.1, schedule=library())
assert type(from_json(*to_json(own)).schedule) is Constant
assert type(from_json(*to_json(theirs)).schedule) is library
assert identity(own) != identity(theirs)
assert registry.find("__main__:Constant") is Constant
try:
    registry.find("Constant")
except ValueError as refused:
    print(refused)
class Constant(Schedule):
    factor, integral = Constant.factor, Constant.integral
assert type(from_json(*to_json(own)).schedule) is Constant
"""


def test_a_class_of_the_same_name_never_takes_the_place_of_another():
    """Of two classes one name is refused, with both; a class written again replaces its former self."""
    done = subprocess.run([sys.executable, "-c", NAMESAKE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 classes are called Constant: __main__:Constant and thalweg.rules.schedules:Constant" in done.stdout


def test_a_class_that_is_not_there_is_named():
    text, arrays = to_json(tw.OnePassSGD(0.1, schedule=tw.Constant()))
    told = json.loads(text)
    told["fields"]["schedule"]["module"] = "my_rules"
    with pytest.raises(ValueError, match=r"my_rules:Constant, which is not imported; import it first.*thalweg"):
        from_json(json.dumps(told), arrays)
    told["fields"]["schedule"]["module"] = "thalweg.somewhere_else"
    # a class of the library is found where it stands by now
    assert type(from_json(json.dumps(told), arrays).schedule) is tw.Constant


def test_identity_knows_every_field_and_array():
    table = np.arange(40.0).reshape(20, 2) ** 1.5
    problems = [
        tw.DatasetRegression(inputs=table, targets=table[:, 0], samples=10),
        tw.DatasetRegression(inputs=table + 1e-9, targets=table[:, 0], samples=10),
        tw.DatasetRegression(inputs=table, targets=table[:, 0], samples=11),
        tw.DatasetRegression(inputs=table, targets=table[:, 0], samples=10, rule=tw.GradientDescent(0.1)),
    ]
    assert len({identity(p) for p in problems}) == 4
    assert identity(problems[0]) == identity(tw.DatasetRegression(inputs=table.copy(), targets=table[:, 0], samples=10))


def test_digests_tell_types_shapes_and_borders_apart():
    parts = [("ab", "c"), ("a", "bc"), (np.zeros(2),), (np.zeros((2, 1)),), (np.zeros(2, int),), (jnp.ones(2),)]
    assert len({digest(*p) for p in parts}) == len(parts)
    assert digest(np.ones(2)) == digest(np.ones((4,))[::2])
