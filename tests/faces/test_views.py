"""A problem's own pictures: they show the numbers of one run, and stand in plot and report."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.faces.page import render
from thalweg.faces.picture import plot
from thalweg.words.views import Growth, Matrices, Paths

RATES = np.array([0.5, 1.0, 1.5])


class Sprouts(tw.Problem):
    """Three numbers that grow at rates of their own: the flow of -(1/2) sum rate w^2."""

    rule: tw.Rule = tw.GradientFlow()

    observables: ClassVar = (
        tw.Observable("size", "size of a unit", "w", dims=("unit",), low=0.0, log=True),
        tw.Observable("cosine", "cosine of a unit", dims=("unit",), low=-1.0, high=1.0),
        tw.Observable("product", "products of units", "Q", dims=("unit", "unit2")),
    )
    views: ClassVar = (
        Growth("growth", "size of every unit", of="size"),
        Paths("paths", "units in the plane", radius="size", cosine="cosine"),
        Matrices("matrices", "products in time", of=("product",)),
        Growth("absent", "needs what is not there", of="nothing"),
    )

    def draw(self, key):
        return jnp.zeros(1)

    def initial(self, key, data):
        return 1e-3 * jnp.ones(3)

    def objective(self, params, data):
        return -0.5 * jnp.sum(RATES * params**2)

    def observe(self, params, data):
        along = jnp.tanh(jnp.log(params / 1e-3))
        return {"size": params, "cosine": along, "product": params[:, None] * params[None, :]}

    def horizon(self):
        return np.linspace(0.0, 5.0, 21)

    def as_data(self, raw):
        return raw

    def as_start(self, raw):
        return raw


class Exponentials(tw.Theory[Sprouts]):
    """w_j(t) = w_j(0) exp(rate_j t)."""

    of: ClassVar = (Sprouts,)
    source: ClassVar = (tw.Source("LiaoCouillet2018"),)
    conditions_on: ClassVar = ()
    speaks_of: ClassVar = ("size", "product")
    assumptions: ClassVar = ()

    def prepare(self, problem, times):
        return self

    def predict(self, problem, data, start, times):
        grown = 1e-3 * jnp.exp(times[:, None] * RATES[None])
        return {"size": grown, "product": grown[:, :, None] * grown[:, None, :]}

    def finite_size(self, problem):
        return {}


@pytest.fixture(scope="module")
def result():
    return tw.compare(Sprouts(), theory=Exponentials(), seeds=2)


def test_growth_shows_every_unit_of_one_run_beside_its_theory(result, tmp_path):
    figure = plot(result, tmp_path / "growth.png", view="growth")
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    curves = np.array([line.get_ydata() for line in axes.lines])
    assert curves.shape == (6, 21)
    # an exponential is a straight line whose slope is the rate
    slopes = np.polyfit(np.linspace(0, 5, 21), np.log(curves).T, 1)[0]
    np.testing.assert_allclose(slopes, np.tile(RATES, 2), rtol=1e-6)


def test_paths_go_outwards_at_the_angle_of_the_cosine(result, tmp_path):
    figure = plot(result, tmp_path / "paths.png", view="paths")
    (axes,) = figure.axes
    angle, height = axes.lines[0].get_data()
    np.testing.assert_allclose(height[-1], 0.5 * 5 / np.log(10), rtol=1e-6)
    np.testing.assert_allclose(np.cos(angle[-1]), np.tanh(2.5), rtol=1e-6)


def test_matrices_stand_in_rows_of_training_and_theory(result, tmp_path):
    figure = plot(result, tmp_path / "matrices.png", view="matrices")
    images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(images) == 10
    np.testing.assert_allclose(images[4], images[9], rtol=1e-6)


def test_views_stand_in_the_report_and_a_wrong_name_is_answered(result):
    page = render(result)
    # beside one of each curve for narrow screens
    assert page.count("<svg") - page.count('class="single"') == 4
    with pytest.raises(ValueError, match="did you mean 'growth'"):
        plot(result, view="grwth")
    with pytest.raises(ValueError, match="no views"):
        plot(tw.predict(tw.LinearClassifier(dimension=6, samples=9)), view="growth")
