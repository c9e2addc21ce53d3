"""A prepared prediction says what `predict` says; theories are asked in order, and strains measured once."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from axis_cases import SOURCE, Bowl

import thalweg as tw
from thalweg.catalogue import choice
from thalweg.words.fields import vary
from thalweg.words.theory import Setting

SMALL = tw.LinearClassifier(dimension=6, samples=9)
TIMES = [0.0, 0.5, 2.0]


def same(found, wanted):
    xr.testing.assert_allclose(found, wanted, rtol=1e-12)
    for name in (*wanted.data_vars, *wanted.coords):
        assert found[name].attrs == wanted[name].attrs
    assert list(found.indexes) == list(wanted.indexes)
    assert {**wanted.attrs, **found.attrs} == wanted.attrs
    assert set(wanted.attrs) - set(found.attrs) <= {"strains"}


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


class Hillside(Bowl):
    """A bowl of which the loss alone is looked at."""

    observables: ClassVar = Bowl.observables[:1]
    margins: ClassVar = {}


class Slide(tw.Theory[Hillside]):
    """Follows any rule: loss = exp(-2 rate t)/2."""

    of: ClassVar = (Hillside,)
    source: ClassVar = SOURCE
    conditions_on: ClassVar = ()
    speaks_of: ClassVar = ("loss",)
    assumptions: ClassVar = ()

    def prepare(self, problem, times):
        return self

    def predict(self, problem, data, start, times):
        return {"loss": 0.5 * jnp.exp(-2 * problem.rule.learning_rate * times)}

    def finite_size(self, problem):
        return {}


def test_scalars_inside_composed_rules():
    """Rates that agree at time 1 have other flow times later: a schedule moves with the clock."""
    problem = Hillside(rule=tw.Scheduled(tw.Nesterov(0.03, 0.5), tw.InverseTime(6.0)))
    fast = tw.predictor(problem, [0, 3, 11], theory=Slide())
    assert {"rule.rule.learning_rate", "rule.schedule.start"} <= set(fast.scalars)
    for changes in ({}, {"rule.schedule.start": 2.0}, {"rule.rule.learning_rate": 0.07, "rule.schedule.start": 4.0}):
        same(fast(changes), tw.predict(vary(problem, changes), [0, 3, 11], theory=Slide()))
    np.testing.assert_allclose(fast({"rule.schedule.start": 2.0}).flow_time[1], 0.03 * 2 * (1 + np.log(1.5)))
    deep = vary(problem, {"rule": tw.Averaged(problem.rule, 2.0)})
    at = {"rule.rule.rule.learning_rate": 0.2, "rule.since": 5.0}
    same(tw.predictor(deep, [0, 7], theory=Slide())(at), tw.predict(vary(deep, at), [0, 7], theory=Slide()))
    with pytest.raises(ValueError, match=r"learning_rate = -0[.]2 is not allowed"):
        fast({"rule.rule.learning_rate": -0.2})


def test_remarks_are_those_of_the_scalars_at_hand():
    fast = tw.predictor(SMALL, TIMES, theory=tw.MarchenkoPastur())
    for at in ({"init_variance": 0.0}, {"init_variance": 0.3}):
        told = fast(at).attrs["remarks"]
        assert told == tw.predict(vary(SMALL, at), TIMES, theory=tw.MarchenkoPastur()).attrs["remarks"]
        assert ("The start is zero" in told) == (at["init_variance"] == 0)


def test_answers_do_not_share_their_labels():
    fast = tw.predictor(SMALL, TIMES, theory=tw.MarchenkoPastur())
    one, words = fast(mean_norm=1.5), fast().test_loss.attrs["long_name"]
    one.test_loss.attrs["long_name"] = one.time.attrs["long_name"] = one.attrs["theory"] = "mine"
    one.flow_time.values[:] = -1.0
    other = fast(mean_norm=1.5)
    assert other.test_loss.attrs["long_name"] == words
    assert other.time.attrs["long_name"] == "flow time"
    assert other.attrs["theory"] == "MarchenkoPastur"
    np.testing.assert_array_equal(other.flow_time, TIMES)


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
    real = choice.strains
    monkeypatch.setattr(
        choice, "strains", lambda theory, *given, **more: asked.append(theory) or real(theory, *given, **more)
    )
    assert tw.predict(SMALL, TIMES).attrs["theory"] == "MarchenkoPastur"
    assert len(asked) == 1


def test_strains_of_what_cannot_be_taken_end_at_the_first_that_is_broken():
    theory, setting = tw.DecoupledModes(), Setting(tw.DeepLinear(widths=(3, 6, 2)))
    whole, brief = choice.strains(theory, setting), choice.strains(theory, setting, most=1.0)
    names = list(whole)
    first = next(i for i, name in enumerate(names) if whole[name] > 1)
    assert first < len(names) - 1
    assert [brief[name] for name in names[: first + 1]] == [whole[name] for name in names[: first + 1]]
    assert all(np.isnan(brief[name]) and np.isfinite(whole[name]) for name in names[first + 1 :])


def test_a_smaller_declared_error_comes_before_more_words():
    said = [kind for kind in (tw.LeaveOneOut, tw.MeasuredMixture)]
    assert len(said[0].speaks_of) < len(said[1].speaks_of)
    assert said[0].declared_error < said[1].declared_error
    chosen = choice.choose(tw.DigitsClassifier(samples=60))
    assert type(chosen.theory) is tw.LeaveOneOut
