"""A prepared prediction says what `predict` says; theories are asked in order, and strains measured once."""

import numpy as np
import pytest
import xarray as xr

import thalweg as tw
from thalweg.catalogue import choice as audit
from thalweg.words.fields import vary

SMALL = tw.LinearClassifier(dimension=6, samples=9)
TIMES = [0.0, 0.5, 2.0]


def same(found, wanted):
    xr.testing.assert_allclose(found, wanted, rtol=1e-12)
    for name in wanted.data_vars:
        assert found[name].attrs == wanted[name].attrs
    assert found.attrs["problem"] == wanted.attrs["problem"]
    assert found.attrs["theory"] == wanted.attrs["theory"]


@pytest.mark.parametrize(
    "changes", [{}, {"mean_norm": 1.7}, {"mean_norm": 0.4, "label_flip": 0.2}, {"rule.tolerance": 1e-5}]
)
def test_a_predictor_says_what_predict_says(changes):
    fast = tw.predictor(SMALL, TIMES, theory=tw.MarchenkoPastur())
    fast(mean_norm=9.0)
    same(fast(changes), tw.predict(vary(SMALL, changes), TIMES, theory=tw.MarchenkoPastur()))


def test_other_times_seeds_and_rates():
    problem = vary(SMALL, {"rule": tw.GradientDescent(0.1)})
    fast = tw.predictor(problem, [0, 4], theory=tw.Eigenmodes(), seeds=3)
    at = {"rule.learning_rate": 0.3, "mean_norm": 2.0}
    for times in ([0, 4], [0, 1, 9], [0, 4]):
        found = fast(at, times=times)
        same(found, tw.predict(vary(problem, at), times, theory=tw.Eigenmodes(), seeds=3))
        np.testing.assert_allclose(found.flow_time, 0.3 * np.asarray(times))


def test_answers_do_not_share_their_numbers():
    fast = tw.predictor(SMALL, TIMES, theory=tw.MarchenkoPastur())
    one = fast(mean_norm=1.5)
    kept = one.test_loss.values.copy()
    fast(mean_norm=3.0)
    np.testing.assert_array_equal(one.test_loss, kept)


def test_strains_of_other_scalars_are_measured_when_asked_for():
    fast = tw.predictor(SMALL, TIMES, theory=tw.MarchenkoPastur())
    assert "strains" in fast().attrs
    assert "strains" not in fast(correlation=0.5).attrs
    assert max(fast.strains(correlation=0.9).values()) > 1 > max(fast.strains().values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mean_nrom": 1.0}, "did you mean 'mean_norm'"),
        ({"samples": 12}, "It is no scalar: make another predictor"),
        ({"mean_norm": -1.0}, "mean_norm = -1.0 is not allowed"),
    ],
)
def test_bad_scalars(changes, words):
    with pytest.raises(ValueError, match=words):
        tw.predictor(SMALL, TIMES, theory=tw.MarchenkoPastur())(changes)


def test_the_default_measures_the_winner_once_and_no_other(monkeypatch):
    asked = []
    real = audit.strains
    monkeypatch.setattr(
        audit, "strains", lambda theory, *given, **more: asked.append(theory) or real(theory, *given, **more)
    )
    assert tw.predict(SMALL, TIMES).attrs["theory"] == "MarchenkoPastur"
    assert len(asked) == 1


def test_a_smaller_declared_error_comes_before_more_words():
    said = [kind for kind in (tw.LeaveOneOut, tw.MeasuredMixture)]
    assert len(said[0].speaks_of) < len(said[1].speaks_of)
    assert said[0].declared_error < said[1].declared_error
    chosen = audit.choose(tw.DigitsClassifier(samples=60))
    assert type(chosen.theory) is tw.LeaveOneOut
