"""What is assumed of the draw or the start is measured on every seed of a comparison."""

import json
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw

from .test_faults import _Cooling, _Law


def _spread(setting):
    """The start's distance from 1, over 0.05."""
    return float(jnp.abs(setting.start[0] - 1) / 0.05)


class _Near(_Law):
    """Holds where the start is near 1."""

    assumptions: ClassVar = (
        tw.Assumption("near start", "1 means a start that is off by 0.05.", _spread),
        tw.Assumption("small spread", "1 means a spread of 0.1.", lambda setting: setting.problem.spread / 0.1),
    )


def test_the_worst_seed_decides():
    """Of 24 starts some are far, whatever that of seed 0 is."""
    problem = _Cooling(spread=0.04)
    result = tw.compare(problem, theory=_Near(), seeds=24)
    starts = result["training"]["width"].isel(side=0).isel(time=0).values
    told = json.loads(result["theory"].attrs["strains"])
    assert told["near start"] == pytest.approx(np.max(np.abs(starts - 1)) / 0.05)
    assert told["near start"] > 1
    assert told["small spread"] == pytest.approx(0.4)
    assert result.attrs["verdict"] in ("better than promised", "outside its regime")


@pytest.mark.parametrize("seeds", [1, [7], [3, 11]])
def test_the_seeds_that_were_asked_for(seeds):
    result = tw.compare(_Cooling(spread=0.01), theory=_Near(), seeds=seeds)
    starts = result["training"]["width"].isel(side=0).isel(time=0).values
    assert json.loads(result["theory"].attrs["strains"])["near start"] >= np.max(np.abs(starts - 1)) / 0.05 - 1e-12


def test_a_given_start_is_that_of_all():
    result = tw.compare(_Cooling(spread=0.04), theory=_Near(), seeds=3, start=[1.01])
    assert json.loads(result["theory"].attrs["strains"])["near start"] == pytest.approx(0.2)
