"""As many seeds as decide: looked at again and again, at an error level that is spent over the looks."""

import json

import numpy as np
import pytest

import thalweg as tw
from thalweg.verbs import comparison

from .test_faults import _Cooling, _Law


class _Off(_Law):
    """The time of an event alone is wrong, by a twentieth."""

    speaks_of = ("cold",)

    def predict(self, problem, data, start, times):
        return {"cold": 1.05 * super().predict(problem, data, start, times)["cold"]}


@pytest.mark.parametrize(("spread", "law", "verdict"), [(0.15, _Law, "confirmed"), (0.15, _Off, "contradicted")])
def test_more_seeds_decide(spread, law, verdict):
    few = tw.compare(_Cooling(spread=spread), theory=law(), seeds=24, resolution=0.05)
    assert few.attrs["verdict"] == "inconclusive"
    result = tw.compare(_Cooling(spread=spread), theory=law(), seeds="enough", resolution=0.05)
    assert result.attrs["verdict"] == verdict
    count = len(json.loads(result.attrs["seeds"]))
    assert count == comparison.LOOKS[int(result.attrs["looks"]) - 1] > 24
    assert result["training"].sizes["seed"] == count
    # the runs are those of a plain comparison
    plain = tw.train(_Cooling(spread=spread), seeds=count, strict=False)
    np.testing.assert_array_equal(result["training"]["warmth"].values, plain["warmth"].values)


def test_what_is_decided_at_once_takes_24():
    result = tw.compare(_Cooling(spread=0.01), theory=_Law(), seeds="enough")
    assert result.attrs["verdict"] == "confirmed"
    assert result.attrs["looks"] == 1
    assert result["training"].sizes["seed"] == 24


def test_no_seeds_are_spent_where_none_would_decide():
    """The need is guessed from the first look: 100 000 seeds are beyond all reach."""
    result = tw.compare(_Cooling(spread=0.5), theory=_Law(), seeds="enough", resolution=0.001)
    assert result.attrs["verdict"] == "inconclusive"
    assert result.attrs["looks"] == 1
    assert "seeds would decide" in result.attrs["sentence"]


def test_it_runs_again_from_its_file(tmp_path):
    problem = tw.LinearClassifier(dimension=16, samples=32)
    result = tw.compare(problem, [0, 1, 2], theory="MarchenkoPastur", seeds="enough", resolution=0.2)
    again = tw.rerun(tw.load(tw.save(result, tmp_path / "run.nc")))
    assert again.attrs["sentence"] == result.attrs["sentence"]
    assert again.attrs["seeds"] == result.attrs["seeds"]


@pytest.mark.nightly
def test_the_level_is_kept_over_the_looks(monkeypatch):
    """Of 2000 right theories at most 1 % are contradicted, however often one looks (binomial, three deviations)."""
    monkeypatch.setattr(comparison, "LOOKS", (8, 16, 32, 64))
    wrong = 0
    for number in range(400):
        problem = _Cooling(spread=0.2 + 0.0005 * number)
        result = tw.compare(problem, theory=_Law(), seeds="enough", resolution=0.02)
        wrong += result.attrs["verdict"] == "contradicted"
    assert wrong <= 4 + 3 * 2
