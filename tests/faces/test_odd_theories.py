"""Theories of no numbers, of infinities, and limits without time: each is drawn and told, and takes nobody along."""

import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.faces.page import render
from thalweg.faces.picture import plot
from thalweg.faces.view_picture import views_in
from thalweg.words.theory import Claim

from .test_views import RATES, Exponentials, Sprouts


class AboutSprouts(tw.Theory[Sprouts]):
    """What the odd theories below share."""

    of: ClassVar = (Sprouts,)
    source: ClassVar = (tw.Source("LiaoCouillet2018"),)
    conditions_on: ClassVar = ()
    speaks_of: ClassVar = ("size", "product")
    assumptions: ClassVar = ()

    def prepare(self, problem, times):
        return self

    def finite_size(self, problem):
        return {}


class Silent(AboutSprouts):
    """NaN everywhere."""

    def predict(self, problem, data, start, times):
        return {"size": jnp.full((times.size, 3), jnp.nan), "product": jnp.full((times.size, 3, 3), jnp.nan)}


class Bursting(AboutSprouts):
    """Infinite from time 2 on, and of the wrong sign on a logarithmic axis before."""

    def predict(self, problem, data, start, times):
        grown = jnp.where(times[:, None] > 2, jnp.inf, -jnp.exp(times[:, None] * RATES[None]))
        return {"size": grown, "product": grown[:, :, None] * grown[:, None, :]}


class Settled(AboutSprouts):
    """A limit without time, of a curve that has views."""

    speaks_of: ClassVar = ("size",)
    claims: ClassVar = {"size": Claim("limit", approach=lambda problem: 2.0, time=False)}

    def predict(self, problem, data, start, times):
        return {"size": jnp.ones(3)}


ODD = ([Exponentials, Silent], [Silent], [Bursting], [Settled, Exponentials])


@functools.cache
def compared(*kinds):
    return tw.compare(Sprouts(), theory=[kind() for kind in kinds], seeds=2)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("theories", ODD, ids=lambda several: "-".join(t.__name__ for t in several))
def test_picture_views_and_report_of_odd_theories(theories):
    result = compared(*theories)
    figure = plot(result)
    assert [view.name for view in views_in(result)] == ["growth", "paths", "matrices"]
    # the report draws and renders the picture and every view
    page = render(result)
    # beside one of each curve for narrow screens
    assert page.count("<svg") - page.count('class="single"') == 4
    said = " ".join(text.get_text() for text in figure.texts)
    assert ("Silent gives no number for any curve" in said) == (Silent in theories)


def test_the_good_theory_keeps_its_lines_beside_one_of_no_number():
    alone = plot(compared(Exponentials))
    both = plot(compared(Exponentials, Silent))
    for one, other in zip(alone.axes[:2], both.axes[:2], strict=True):
        np.testing.assert_allclose(one.lines[0].get_ydata(), other.lines[0].get_ydata())
        np.testing.assert_allclose(one.get_ylim(), other.get_ylim(), rtol=0.3)


def test_a_limit_without_time_shows_its_approach_and_the_number_that_is_judged():
    figure = plot(compared(Settled))
    upper, lower = figure.axes[:2]
    assert len(upper.collections) >= 3  # a band a component
    ends = [line for line in lower.lines if line.get_marker() == "D"]
    assert [line.get_xdata()[0] for line in ends] == [5.0] * 3
    assert "approach to the limit" in figure.legends[0].get_texts()[1].get_text()
