"""Axes with coordinates, curves of two times, claims of several kinds, and claims without time."""

import json
from typing import ClassVar

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
import xarray as xr
from axis_cases import MODE, Bowl, BowlBounds, BowlFlow, BowlMean, BowlTheory

import thalweg as tw
from thalweg.faces.picture import drawn
from thalweg.faces.summary import lines, summary
from thalweg.testing.contract import check_problem, check_theory

TIMES = np.linspace(0.0, 2.0, 9)
BREAKING = {"gradient flow": Bowl(rule=tw.GradientDescent(learning_rate=0.1))}


@pytest.fixture(scope="module")
def compared():
    with np.errstate(all="raise"):
        return tw.compare(Bowl(), TIMES, theory=[BowlFlow(), BowlBounds()], seeds=3)


def rows(result, theory, variable):
    table = result[f"budget/{theory}"].to_dataset().to_dataframe()
    return table[table["variable"] == variable]


def test_coordinates_stand_on_the_data():
    told = tw.predict(Bowl(steep=3.0), TIMES, theory=BowlFlow(), seeds=2)
    np.testing.assert_allclose(told.mode, [1.0, 2.5, 4.0])
    assert told.mode.attrs == {"long_name": "curvature of the mode", "units": "1/time"}
    # read off a declared list, a function of the problem, and what the theory returned beside its variables
    assert told.slow_time.sel(level=0.1).values == pytest.approx(np.log(10) / 2)
    np.testing.assert_allclose(told.grid, [0.25, 0.625, 1.0])
    assert "grid" not in told.data_vars
    np.testing.assert_array_equal(told.weights.sel(mode=2.5, time=0.0), told.start_at.sel(grid=0.625))
    assert told.weights.attrs["claim"] == "value"
    seen = tw.train(Bowl(steep=3.0), TIMES, seeds=2)
    np.testing.assert_allclose(seen.weights.sel(mode=4.0), told.weights.sel(mode=4.0), atol=1e-6)


def test_a_coordinate_that_moves_in_a_sweep():
    told = tw.sweep(Bowl(), {"steep": [1.0, 3.0]}, TIMES, theory=BowlFlow())["theory"].to_dataset()
    assert told.weights.dims == ("steep", "seed", "time", "mode_index")
    np.testing.assert_allclose(told.coords["mode"].sel(steep=3.0), [1.0, 2.5, 4.0])
    assert told.slow_time.dims == ("steep", "seed", "level")


def test_bounds_at_many_points():
    """One program for all points of a sweep, and a predictor, against single predictions."""
    steep = [0.5, 1.0, 3.0]
    told = tw.sweep(Bowl(), {"steep": steep}, TIMES, theory=BowlMean())["theory"].to_dataset()
    assert told.weights.dims == ("steep", "claim", "time", "mode_index")
    fast = tw.predictor(Bowl(), TIMES, theory=BowlMean())
    for value in steep:
        one = tw.predict(Bowl(steep=value), TIMES, theory=BowlMean())
        xr.testing.assert_identical(fast(steep=value).drop_attrs(), one.drop_attrs())
        np.testing.assert_allclose(told.weights.sel(steep=value), one.weights, atol=1e-12)
        np.testing.assert_array_equal(told.coords["mode"].sel(steep=value), one.mode)
    mean = np.exp(-Bowl().curvatures() * TIMES[:, None])
    np.testing.assert_allclose(told.weights.sel(steep=1.0, claim="upper"), mean + 1, rtol=1e-12)


def test_plain_names_are_plain_indices():
    told = tw.predict(tw.HeldOutRidge.of[1](**table()), [0.0], theory=tw.HeldOutRidge())
    assert told.ridge_loss.dims == ("seed", "ridge")
    assert told.learning_loss.dims == ("seed", "learning_samples")
    assert told.ridge.values[[0, -1]].tolist() == pytest.approx([1e-6, 1e6])
    assert told.learning_loss.sel(learning_samples=40).size == 1
    relu = tw.predict(tw.OrthogonalReLU(), [0.0, 1.0], theory=tw.AlignedGroup())
    assert relu.full_units.sel(sign="negative").size == 1
    plain = _labelled(dims=("sample",))
    assert plain["values"].dims == ("seed", "time", "sample")
    assert plain.sample.values.tolist() == [0, 1]


def table():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((30, 3))
    return {"inputs": inputs, "targets": inputs[:, 0] + 0.1 * rng.standard_normal(30), "samples": 20}


def test_two_times_against_the_closed_form(compared, tmp_path):
    seen = compared["training"].memory
    assert seen.dims == ("seed", "time", "time2")
    start = compared["training"].weights.sel(time=0.0).values
    rates = Bowl().curvatures()
    truth = np.einsum("sm,mt,mu->stu", start**2, np.exp(-rates[:, None] * TIMES), np.exp(-rates[:, None] * TIMES))
    np.testing.assert_allclose(seen, truth, atol=1e-6)
    np.testing.assert_allclose(compared["theory/BowlFlow"].memory, truth, atol=1e-12)
    measures = rows(compared, "BowlFlow", "memory")
    assert measures["measure"].tolist() == ["start", "end", "area", "last against first"]
    corner = measures.set_index("measure").loc["last against first"]
    # a theory that answers for every run is judged by the run that is off by most
    assert np.min(np.abs(truth[:, -1, 0] - corner["measured"])) < 1e-6
    assert corner["gap"] == pytest.approx(corner["measured"] - corner["predicted"], abs=1e-15)
    assert compared["theory/BowlFlow"].attrs["verdict"] == "confirmed"
    back = tw.load(tw.save(compared, tmp_path / "run.nc"))
    xr.testing.assert_identical(back["training"].to_dataset(), compared["training"].to_dataset())
    xr.testing.assert_identical(back["theory/BowlBounds"].ds.loss, compared["theory/BowlBounds"].ds.loss)


def test_a_memory_that_fades_too_fast_is_contradicted():
    result = tw.compare(Bowl(), TIMES, theory=BowlFlow(fading=1.1), seeds=3)
    assert result.attrs["verdict"] == "contradicted"
    assert "memory" in result.attrs["sentence"]


def test_bounds_from_both_sides(compared):
    told = compared["theory/BowlBounds"]
    assert told.loss.dims == ("seed", "claim", "time")
    assert told.claim.values.tolist() == ["lower", "upper"]
    assert told.loss.attrs["claim"] == "lower, upper"
    assert bool((told.loss.sel(claim="lower") <= compared["training"].loss + 1e-9).all())
    kept = rows(compared, "BowlBounds", "loss")
    assert set(kept["claim"]) == {"lower", "upper"}
    assert kept["agrees"].all()
    assert "loss: area (upper)" in kept.index
    assert "loss: area (lower)" in kept.index
    # the lower bound is far below, and no gap counts that lies on its good side
    assert kept.loc["loss: area (lower)", "gap"] > 1e-3
    assert told.attrs["verdict"] == "confirmed"
    broken = tw.compare(Bowl(), TIMES, theory=BowlBounds(height=0.5), seeds=3)
    judged = rows_of_one(broken, "loss")
    # half the bound fails at the start; at the end the loss, (1/2) c_min w^2 of the slowest mode alone, lies below it
    assert judged["agrees"].tolist() == [1, 1, 1, 0, 1, 0]
    assert broken.attrs["verdict"] == "contradicted"
    assert "(upper)" in broken.attrs["sentence"]


def rows_of_one(result, variable):
    table = result["budget"].to_dataset().to_dataframe()
    return table[table["variable"] == variable]


def test_a_claim_without_time(compared):
    assert compared["theory/BowlBounds"].weights.dims == ("seed", "mode")
    assert rows(compared, "BowlBounds", "weights")["measure"].tolist() == ["end"] * 3


def test_the_table_of_theories_lists_both_kinds():
    table = tw.theories(Bowl()).set_index("theory")
    assert table.loc["BowlBounds", "claims"] == "lower, upper"
    assert table.index.get_loc("BowlFlow") < table.index.get_loc("BowlBounds")


def test_summaries_name_sides_and_times(compared):
    told = summary(compared)["theories"]
    assert set(told[1]["end"]["loss"]) == {"lower", "upper"}
    assert told[0]["end"]["memory"].keys() == {"equal times", "last against first"}
    json.dumps(told)
    said = "\n".join(lines(tw.predict(Bowl(), TIMES, theory=BowlBounds())))
    assert "loss (at the end): lower " in said
    assert "weights (lower)" in said


def test_pictures(compared, tmp_path):
    figure = tw.plot(compared, tmp_path / "bowl.png")
    images = [axes for axes in figure.axes if any(map(_is_image, axes.collections))]
    titles = [axes.get_title(loc="left") for axes in images if axes.get_title(loc="left")]
    assert len(titles) == 2
    assert "theory: BowlFlow" in titles[0]
    assert titles[1] == "training"
    shown = images[0].collections[0].get_array()
    np.testing.assert_allclose(shown, compared["theory/BowlFlow"].memory.mean("seed").values.T, rtol=1e-12)
    bars = [axes for axes in figure.axes if axes.get_ylabel() == "C (weights squared)"]
    assert len(bars) == 1
    loss = next(axes for axes in figure.axes if axes.get_title(loc="left") == "Training loss")
    heights = [line.get_ydata() for line in loss.lines]
    for kind in ("lower", "upper"):
        bound = compared["theory/BowlBounds"].loss.sel(claim=kind).mean("seed").values
        assert any(len(one) == len(bound) and np.allclose(one, bound) for one in heights)
    for result in (
        tw.predict(Bowl(), TIMES, theory=BowlFlow(), seeds=2),
        tw.predict(Bowl(), TIMES, theory=BowlBounds()),
        tw.sweep(Bowl(), {"steep": [0.5, 1.0]}, TIMES, theory=BowlBounds(), seeds=2),
    ):
        drawn(result)
    assert "last against first" in tw.report(compared, tmp_path / "bowl.html").read_text()


def _is_image(collection):
    return isinstance(collection, matplotlib.collections.QuadMesh)


def test_the_contract_holds():
    check_problem(Bowl)
    check_theory(BowlFlow, breaking=BREAKING)
    check_theory(BowlBounds, breaking=BREAKING)


class Flat(BowlTheory):
    """One number for a curve, and nothing said about it."""

    speaks_of = ("loss",)

    def predict(self, problem, data, start, times):
        return {"loss": jnp.sum(start)}


class OneSided(BowlBounds):
    """An array where two sides are claimed."""

    speaks_of = ("loss",)
    claims: ClassVar = {"loss": BowlBounds.claims["loss"]}

    def predict(self, problem, data, start, times):
        return {"loss": jnp.sum(start) + 0 * times}


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"Flat gives loss the shape \(1,\).*seed: 1, time: 9.*time=False"):
        tw.predict(Bowl(), TIMES, theory=Flat())
    with pytest.raises(ValueError, match="OneSided claims several kinds of loss"):
        tw.predict(Bowl(), TIMES, theory=OneSided())
    with pytest.raises(AssertionError, match="Flat gives loss the shape"):
        check_theory(Flat, breaking=BREAKING)
    with pytest.raises(ValueError, match=r"weights the shape \(1, 9, 5\).*mode: 3"):
        _labelled(values=np.zeros((1, 9, 5)))
    with pytest.raises(ValueError, match="cannot be called 'time2'"):
        tw.Axis("time2")


def _labelled(dims=None, values=None):
    """A made-up result of the bowl: weights (3 modes), or a curve `values` with 2 components along these dims."""
    from thalweg.results.labels import label

    if dims is None:
        return label(Bowl(), {"weights": values}, TIMES, [0])
    kind = type("Plain", (Bowl,), {"observables": (tw.Observable("values", "two values", dims=dims),)})
    return label(kind(), {"values": np.zeros((1, 9, 2))}, TIMES, [0])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"claims": {"loss": (tw.Claim("upper"), tw.Claim("upper"))}}, "give each once"),
        ({"claims": {"slow": tw.Claim("limit", time=False)}}, "has no time anyway"),
        ({"own": (tw.Variable("slow", "a number", dims=(tw.Axis("mode", (1.0,)),)),)}, "declared in two ways"),
    ],
)
def test_declarations_that_do_not_fit(declared, words):
    space = {"speaks_of": ("loss", "slow"), "own": (tw.Variable("slow", "a number"),), **declared}
    with pytest.raises(AssertionError, match=words):
        check_theory(type("Misfit", (BowlFlow,), space), breaking=BREAKING)


def test_axes_of_a_problem_are_checked():
    for axis, words in ((tw.Axis("place", "place"), "no theory"), (tw.Axis("place", (1.0, 1.0)), "different values")):
        kind = type("Misplaced", (Bowl,), {"observables": (tw.Observable("weights", "weights", dims=(axis,)),)})
        with pytest.raises(AssertionError, match=words):
            check_problem(kind)
    assert hash(tw.Axis("place", np.array([1.0, 2.0]))) == hash(tw.Axis("place", [1.0, 2.0]))
    assert MODE.given(Bowl()).tolist() == [1.0, 1.5, 2.0]
