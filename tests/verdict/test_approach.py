"""How far a run may be from a limit: declared for the problem, the times, and each seed's draw and start."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw

from .test_faults import SEEDS, _Cooling, _Law

TIMES = np.linspace(0.0, 1.0, 21)


class _Cold(_Law):
    """Warmth falls to 0: a law of this start where it is told, of all where it is not."""

    speaks_of: ClassVar = ("warmth",)

    def predict(self, problem, data, start, times):
        return {"warmth": jnp.zeros(times.shape)}


def left(setting):
    """(w exp(-t))^2 of this very start."""
    return float(setting.start[0] ** 2 * np.exp(-2 * setting.times[-1]))


class _Mean(_Cold):
    claims: ClassVar = {"warmth": tw.Claim("limit", approach=left)}


class _EveryRun(_Mean):
    conditions_on: ClassVar = ("start",)


def budget(theory, **more):
    result = tw.compare(_Cooling(spread=0.2), TIMES, theory=theory, seeds=SEEDS, **more)
    return result, result["budget"].to_dataset().sel(functional="warmth: end")


def test_a_mean_is_as_far_as_runs_are_in_the_mean_and_every_run_as_the_furthest():
    (mean, row), (every, furthest) = budget(_Mean()), budget(_EveryRun())
    ends = mean["training"].warmth.values[:, -1]
    np.testing.assert_allclose(row.allowance - row.tolerance, ends.mean(), rtol=1e-6)
    np.testing.assert_allclose(furthest.allowance - furthest.tolerance, ends.max(), rtol=1e-6)
    assert mean.attrs["verdict"] == every.attrs["verdict"] == "consistent"


def test_it_sees_the_times():
    class _Early(_Cold):
        claims: ClassVar = {"warmth": tw.Claim("limit", approach=lambda setting: 0.2 * np.exp(-2 * setting.times[-1]))}

    assert budget(_Early())[0].attrs["verdict"] == "contradicted"
    assert float(budget(_Early())[1].allowance) == pytest.approx(0.2 * np.exp(-2), rel=1e-6)


def test_a_given_start_is_the_start():
    _, row = budget(_Mean(), start=[0.5])
    assert float(row.allowance) == pytest.approx(0.25 * np.exp(-2), rel=1e-6)
