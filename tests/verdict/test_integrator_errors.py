"""What integrators leave open: errors swing in sign, and one tighter run may happen to be off alike."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.running import training
from thalweg.running.request import tightened

CLASSIFIER = tw.LinearClassifier(
    dimension=20, samples=40, mean_norm=1.1026, init_variance=0, weight_decay=0.27476, correlation=-0.52803
)
REGRESSION = tw.LinearRegression(dimension=12, samples=18, noise=0.7, rule=tw.GradientFlow(tolerance=1e-9))
CLASSIFIER_TIMES, REGRESSION_TIMES = np.linspace(0, 10, 41), np.linspace(0, 12, 25)


def late(theory):
    """A theory whose clock is slow by one part in ten thousand."""

    class Late(theory):
        def predict(self, problem, data, start, times):
            return super().predict(problem, data, start, times * (1 - 1e-4))

    return Late()


@pytest.mark.parametrize("seeds", [24, [18], [21], [34], [59]], ids=str)
def test_best_times_of_a_classifier(seeds):
    """Each of these single runs was contradicted by its one tighter run."""
    result = tw.compare(CLASSIFIER, CLASSIFIER_TIMES, theory="Eigenmodes", seeds=seeds)
    assert result.attrs["verdict"] == "confirmed"


@pytest.mark.parametrize("tolerance", [1e-10, 1e-12])
def test_best_times_at_other_tolerances(tolerance):
    """Also where float64 leaves no room for tighter ones."""
    problem = tw.LinearClassifier(
        dimension=20,
        samples=40,
        mean_norm=1.1026,
        init_variance=0,
        weight_decay=0.27476,
        correlation=-0.52803,
        rule=tw.GradientFlow(tolerance=tolerance),
    )
    for seeds in (24, [9], [34], [37]):
        result = tw.compare(problem, CLASSIFIER_TIMES, theory="Eigenmodes", seeds=seeds)
        assert result.attrs["verdict"] == "confirmed"


@pytest.mark.parametrize("seed", [8, 10, 21, 41, 55])
def test_events_of_a_regression(seed):
    result = tw.compare(REGRESSION, REGRESSION_TIMES, theory="RegressionModes", seeds=[seed])
    assert result.attrs["verdict"] == "confirmed"


@pytest.mark.parametrize(
    ("problem", "times", "theory"),
    [(CLASSIFIER, CLASSIFIER_TIMES, tw.Eigenmodes), (REGRESSION, REGRESSION_TIMES, tw.RegressionModes)],
    ids=["classifier", "regression"],
)
def test_a_wrong_clock_is_still_seen(problem, times, theory):
    result = tw.compare(problem, times, theory=late(theory), seeds=8)
    assert result.attrs["verdict"] == "contradicted"


def test_a_tighter_run_compiles_nothing():
    tw.compare(CLASSIFIER, CLASSIFIER_TIMES, theory="Eigenmodes", seeds=2)
    count = training._train._cache_size()
    tw.compare(CLASSIFIER, CLASSIFIER_TIMES, theory="Eigenmodes", seeds=[18])
    assert training._train._cache_size() == count


def test_tolerances_stay_where_float64_meets_them():
    assert tightened(1e-8, 1000) == pytest.approx(1e-11)
    assert tightened(1e-12, 10) == pytest.approx(1e-13)
    assert tightened(1e-12, 100) == pytest.approx(1e-11)
