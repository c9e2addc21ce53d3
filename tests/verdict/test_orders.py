"""The order of a gap in the size: fits of known powers, a theory of known order, and what may go wrong."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.faces.summary import lines
from thalweg.verbs.orders import fitted

from .test_faults import _Cooling, _Law

SIZES = np.array([10.0, 30.0, 100.0, 300.0])


@pytest.mark.parametrize(("order", "amount"), [(1.0, 0.3), (0.5, -0.2), (2.0, 5.0)])
def test_a_known_power_is_found(order, amount):
    fit = fitted(SIZES, amount * SIZES**-order, np.full(4, 1e-6))
    assert fit.order == pytest.approx(order, abs=1e-3)
    assert fit.at(50.0) == pytest.approx(amount * 50.0**-order, rel=1e-3)
    assert fit.size_for(0.01) == pytest.approx((abs(amount) / 0.01) ** (1 / order), rel=1e-2)


def test_the_error_of_an_order_is_its_scatter():
    """Over many draws of the errors the fitted orders scatter by what each fit says."""
    rng = np.random.default_rng(5)
    errors = 0.05 * 0.3 / SIZES
    fits = [fitted(SIZES, 0.3 / SIZES + errors * rng.standard_normal(4), errors) for _ in range(400)]
    orders, said = (np.array([getattr(f, n) for f in fits]) for n in ("order", "order_error"))
    assert np.mean(orders) == pytest.approx(1.0, abs=0.01)
    # one fit in a few scatters by more than its errors and says so, hence a little more
    assert np.std(orders) / np.median(said) == pytest.approx(1.0, abs=0.2)


def test_chance_has_no_order():
    rng = np.random.default_rng(7)
    fits = [fitted(SIZES, 0.01 * rng.standard_normal(4), np.full(4, 0.01)) for _ in range(100)]
    assert np.mean([np.isnan(f.order) for f in fits]) > 0.95


class _Sized(_Cooling):
    """A problem with a size that its runs do not see."""

    size: int = tw.size("a size", symbol="n", default=10)


class _Off(_Law):
    """Off by 0.2/n."""

    of: ClassVar = (_Sized,)
    speaks_of: ClassVar = ("warmth",)
    conditions_on: ClassVar = ("start",)

    def predict(self, problem, data, start, times):
        return {"warmth": start[0] ** 2 * jnp.exp(-2 * times) - 0.2 / problem.size}

    def finite_size(self, problem):
        return {"warmth": tw.FiniteSize(0.2 / problem.size, 1.0)}


@pytest.fixture(scope="module")
def study():
    return tw.order_study(_Sized(), {"size": [10, 20, 40, 80]}, theory=_Off(), seeds=3)


def test_a_theory_of_known_order(study, tmp_path):
    one = study.sel(functional="warmth: end")
    # the scale of the curve itself hangs on the size a little
    assert float(one.order) == pytest.approx(1.0, abs=0.02)
    assert float(one.declared_order) == 1.0
    # measured minus predicted, over a scale of about 1
    np.testing.assert_allclose(one.gap, 0.2 / one["size"], rtol=0.05)
    assert float(one.good_to_1_percent) == pytest.approx(20.0, rel=0.05)
    assert "warmth: end: order 1.01" in "\n".join(lines(study))
    back = tw.load(tw.save(study, tmp_path / "orders.nc"))
    assert back.identical(study)
    tw.plot(back, tmp_path / "orders.png", observables="warmth")
    with pytest.raises(ValueError, match="no report of what order_study returns"):
        tw.report(study, tmp_path / "orders.html")


def test_a_table_as_the_documents_show_it(study):
    table = study.order.to_dataframe()
    assert {"order", "order_error", "declared_order", "good_to_5_percent", "good_to_1_percent"} <= set(table.columns)


@pytest.mark.parametrize(
    "over",
    [
        {"size": [10, 20]},
        {"rule": ["GradientFlow", "GradientDescent", "HeavyBall"]},
        {"size": [1, 2, 3], "spread": [1]},
    ],
)
def test_what_is_no_row_of_sizes(over):
    with pytest.raises(ValueError, match="give one size, or several tied to each other, at three values or more"):
        tw.order_study(_Sized(), over, theory=_Off())


def test_a_study_runs_again():
    problem = tw.LinearClassifier()
    over = {("dimension", "samples"): [(6, 12), (12, 24), (24, 48)]}
    first = tw.order_study(problem, over, [0, 1, 2], theory=tw.MarchenkoPastur(), seeds=4)
    assert tw.rerun(first).equals(first)


def test_sources_of_a_result(tmp_path):
    problem = tw.LinearClassifier(dimension=6, samples=9)
    result = tw.predict(problem, [0, 1], theory="MarchenkoPastur")
    told = tw.cite(tw.save(result, tmp_path / "run.nc"))
    assert "{LiaoCouillet2018," in told
    assert "@software{thalweg" in told
    # each source once, however many theories name it
    both = tw.compare(problem, [0, 1], theory=["MarchenkoPastur", "Eigenmodes"], seeds=2)
    assert tw.cite(both).count("{LiaoCouillet2018,") == 1
