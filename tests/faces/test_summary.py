"""What a command prints, and how values of several components are drawn: a result made by hand has both."""

import json
import warnings

import numpy as np
import pytest
import xarray as xr

import thalweg as tw
from thalweg.faces.picture import plot
from thalweg.faces.summary import lines
from thalweg.results.schema import FORMAT
from thalweg.results.serial import to_json

PROBLEM = to_json(tw.DeepLinear(widths=(2, 2, 2), start=tw.BalancedLayers()))[0]
HALF_TIMES = np.array([[1.0, np.nan], [1.0, 3.0]])


@pytest.fixture
def swept():
    """A sweep over the rank: a loss that is 0 throughout, and a time for each of two modes."""
    loss = {"long_name": "training loss", "scale": "log", "units": ""}
    content = {
        "train_loss": (("start.rank", "time"), np.zeros((2, 3)), loss),
        "half_time": (("start.rank", "mode"), HALF_TIMES, {"long_name": "half time", "units": "flow time"}),
        "sizes": (("start.rank", "unit"), np.arange(20.0).reshape(2, 10), {"long_name": "sizes", "units": ""}),
    }
    axis = ("time", [0.0, 1.0, 2.0], {"long_name": "flow time", "units": "flow time"})
    theory = xr.Dataset(content, {"time": axis, "start.rank": [1.0, 2.0]}, {"theory": "TwoLayerRiccati"})
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), "theory": theory})
    tree.attrs = {"format": FORMAT, "verb": "sweep", "problem": PROBLEM, "over": json.dumps({"start.rank": [1.0, 2.0]})}
    return tree


def test_a_sweep_is_told_in_lines(swept):
    said = lines(swept)
    assert said[1:3] == ["  start.rank = 1, 2", "theory: TwoLayerRiccati"]
    assert "  half_time (event): (1, did not happen), (1, 3) flow time" in said
    assert "  sizes (event): (10 values, from 0 to 9), (10 values, from 10 to 19)" in said


def test_a_limit_without_time_is_told_and_drawn_beside_curves(swept):
    seen = swept["theory"].to_dataset()[["train_loss"]]
    limit = seen.isel(time=-1, drop=True).assign_coords(time=seen["time"]) + 0.5
    limit["train_loss"].attrs = seen["train_loss"].attrs
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), "theory": limit, "training": seen})
    tree.attrs = swept.attrs
    assert "  train_loss (limit): 0.5, 0.5" in lines(tree)
    np.testing.assert_array_equal(plot(tree).axes[0].lines[0].get_ydata(), [0.5, 0.5, 0.5])


def test_components_have_lines_of_their_own_on_an_axis_in_words(swept):
    with warnings.catch_warnings():
        # a loss of 0 has no logarithm
        warnings.simplefilter("error")
        figure = plot(swept)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    drawn = [line.get_ydata() for line in panels["Half time"].lines]
    np.testing.assert_array_equal(drawn, HALF_TIMES.T)
    assert panels["Half time"].get_xlabel() == "rank of every layer r"
    assert panels["Training loss"].get_yscale() == "linear"
    swept["theory"] = xr.DataTree(swept["theory"].to_dataset().drop_vars("train_loss"))
    assert len(plot(swept).axes) == 2, "numbers without any curve"
