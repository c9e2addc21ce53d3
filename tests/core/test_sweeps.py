"""Sweeps: equal to single calls, batched, over parts and tied sizes; points that fail; files that keep them."""

import warnings

import numpy as np
import pytest
import xarray as xr

import thalweg as tw
from thalweg.running import training
from thalweg.verbs import points
from thalweg.words.fields import vary

SMALL = tw.LinearClassifier(dimension=6, samples=9)
TIMES = [0.0, 0.5, 2.0]


def never(*_args, **_options):
    raise AssertionError("a finished point was computed again")


def test_a_sweep_equals_single_calls_and_resumes(tmp_path, monkeypatch):
    over = {"mean_norm": [0.5, 2.0], "init_variance": [0.1, 0.2, 0.4]}
    result = tw.sweep(SMALL, over, TIMES, theory=tw.MarchenkoPastur(), seeds=2, out=tmp_path / "points")
    assert result["theory"].test_loss.dims == ("mean_norm", "init_variance", "time")
    assert result["training"].test_loss.dims == ("mean_norm", "init_variance", "seed", "time")
    assert np.all(result["theory"].outcome == "ok")
    assert np.all(result["training"].outcome == "ok")
    at = {"mean_norm": 2.0, "init_variance": 0.2}
    one = tw.predict(vary(SMALL, at), TIMES, theory=tw.MarchenkoPastur())
    np.testing.assert_allclose(result["theory"].test_loss.sel(at), one.test_loss, rtol=1e-12)
    seen = tw.train(vary(SMALL, at), TIMES, seeds=2)
    np.testing.assert_array_equal(result["training"].test_loss.sel(at), seen.test_loss)
    monkeypatch.setattr(training, "run", never)
    monkeypatch.setattr(points, "_predict_points", never)
    again = tw.sweep(SMALL, over, TIMES, theory=tw.MarchenkoPastur(), seeds=2, out=tmp_path / "points")
    xr.testing.assert_identical(again, result)


def test_files_belong_to_one_theory_and_training_to_none(tmp_path, monkeypatch):
    """The same theory with other parameters reads nothing of the old one; its training is found."""
    problem, over, out = vary(SMALL, {"rule": tw.GradientDescent(0.1)}), {"mean_norm": [0.5, 2.0]}, tmp_path / "points"
    tw.sweep(problem, over, [0, 4], theory=tw.Eigenmodes(), seeds=2, out=out)
    monkeypatch.setattr(training, "run", never)
    limit = tw.sweep(problem, over, [0, 4], theory=tw.MarchenkoPastur(), seeds=2, out=out)
    assert "seed" not in limit["theory"].test_loss.dims
    with pytest.raises(AssertionError, match="computed again"):
        tw.sweep(problem, over, [0, 4], theory=tw.MarchenkoPastur(), seeds=3, out=out)
    with pytest.raises(AssertionError, match="computed again"):
        tw.sweep(problem, over, [0, 8], theory=tw.MarchenkoPastur(), seeds=2, out=out)
    assert len(list(out.glob("training-*.nc"))) == 2


def test_theories_of_other_parameters_have_other_files(tmp_path):
    problem = tw.DeepLinear(widths=(3, 5, 2), init_scale=0.3)
    counts = []
    for tolerance in (1e-6, 1e-9):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tw.TheoryWarning)
            tw.sweep(problem, {"init_scale": [0.3]}, TIMES, theory=tw.GramFlow(tolerance=tolerance), out=tmp_path)
        counts.append(len(list(tmp_path.glob("theory-*.nc"))))
    assert counts == [1, 2]


def test_parts_and_tied_sizes():
    rules = {"rule": ["GradientFlow", tw.GradientDescent(learning_rate=0.2)]}
    result = tw.sweep(SMALL, rules, [0, 5, 10], theory=tw.Eigenmodes(), seeds=2)
    assert list(result["theory"].rule.values) == ["GradientFlow()", "GradientDescent(learning_rate=0.2)"]
    np.testing.assert_allclose(result["theory"].train_loss, result["training"].train_loss, rtol=1e-6)
    np.testing.assert_allclose(result["theory"].flow_time, [[0, 5, 10], [0, 1, 2]])
    assert result["theory"].time.attrs["units"] == "flow time or steps"
    tied = tw.sweep(SMALL, {("dimension", "samples"): [(4, 8), (6, 12)]}, TIMES, theory=tw.MarchenkoPastur())
    assert tied["theory"].test_loss.dims == ("dimension", "time")
    assert tied["theory"].samples.dims == ("dimension",)
    xr.testing.assert_identical(tw.rerun(tied), tied)
    xr.testing.assert_identical(tw.rerun(result), result)


def test_rates_in_one_program_have_a_flow_time_each():
    problem = vary(SMALL, {"rule": tw.GradientDescent(0.1)})
    rates = [0.02, 0.3, 0.11]
    told = tw.sweep(problem, {"rule.learning_rate": rates}, [0, 2, 5], theory=tw.MarchenkoPastur())["theory"]
    assert told.flow_time.dims == ("rule.learning_rate", "time")
    for i, rate in enumerate(rates):
        one = tw.predict(vary(problem, {"rule.learning_rate": rate}), [0, 2, 5], theory=tw.MarchenkoPastur())
        for name in (*one.data_vars, "flow_time"):
            np.testing.assert_allclose(told[name].values[i], one[name].values, rtol=1e-12)
            assert told[name].attrs == one[name].attrs


def test_remarks_and_curves_that_some_points_lack():
    over = {"init_variance": [0.2, 0.0, 0.5], "label_flip": [0.0, 0.1]}
    told = tw.sweep(SMALL, over, TIMES, theory=tw.MarchenkoPastur())["theory"]
    assert "The start is zero" in told.attrs["remarks"]
    for i, variance in enumerate(over["init_variance"]):
        for k, flip in enumerate(over["label_flip"]):
            at = {"init_variance": variance, "label_flip": flip}
            one = tw.predict(vary(SMALL, at), TIMES, theory=tw.MarchenkoPastur())
            for name in told.data_vars:
                if name in one:
                    np.testing.assert_allclose(told[name].values[i, k], one[name].values, rtol=1e-12)
                elif told[name].dtype.kind == "f" and name != "strain":
                    assert np.all(np.isnan(told[name].values[i, k]))


@pytest.mark.parametrize("count", [1, 64, 65, 130, 200, 1001])
def test_few_points_of_a_chunk_are_computed_twice(count):
    size = points.chunk_of(count)
    assert size <= points.CHUNK
    assert -(-count // size) * size <= 1.25 * count


def test_all_points_of_several_chunks_are_there():
    values = np.linspace(0.5, 1.5, 71)
    told = tw.sweep(SMALL, {"mean_norm": values}, TIMES, theory=tw.MarchenkoPastur())["theory"]
    for i in (0, 39, 40, 69, 70):
        one = tw.predict(vary(SMALL, {"mean_norm": values[i]}), TIMES, theory=tw.MarchenkoPastur())
        np.testing.assert_allclose(told.test_loss[i], one.test_loss, rtol=1e-12)


def test_components_of_unlike_number_are_padded():
    problem = tw.DeepLinear(widths=(3, 5, 2), init_scale=0.3)
    found = tw.sweep(problem, {"widths": [(3, 5, 2), (4, 5, 4)]}, TIMES, theory=tw.GramFlow())["theory"]
    modes = [tw.predict(vary(problem, {"widths": w}), TIMES, theory=tw.GramFlow()) for w in ((3, 5, 2), (4, 5, 4))]
    for i, one in enumerate(modes):
        for name in one.data_vars:
            whole = found[name].isel(widths=i).values
            part = whole[tuple(slice(n) for n in one[name].shape)]
            np.testing.assert_allclose(part, one[name].values, rtol=1e-9, atol=1e-12)
            assert np.isfinite(whole).sum() == np.isfinite(part).sum()


def test_a_point_that_fails_loses_no_other(tmp_path):
    rules = [tw.GradientFlow(), tw.SGD(learning_rate=0.1), tw.GradientDescent(learning_rate=50.0)]
    result = tw.sweep(SMALL, {"rule": rules}, [0, 400], theory=tw.Eigenmodes(), seeds=2)
    told, seen = result["theory"], result["training"]
    assert told.outcome.values[0] == told.outcome.values[2] == "ok"
    assert "cannot speak here" in str(told.outcome.values[1])
    assert np.all(np.isnan(told.train_loss.values[1]))
    assert np.all(np.isfinite(told.train_loss.values[0]))
    assert list(seen.outcome.values[0]) == ["ok", "ok"]
    assert "left the finite numbers" in str(seen.outcome.values[2, 0])
    np.testing.assert_array_equal(np.isnan(told.strain), [False, True, False])
    with pytest.raises(ValueError, match="cannot speak here"):
        tw.sweep(SMALL, {"rule": rules[1:2]}, [0, 4], theory=tw.Eigenmodes())


def test_a_point_whose_training_refuses_loses_no_other():
    """A batch that does not divide the samples is known inside the run alone."""
    problem = vary(SMALL, {"rule": tw.SGD(0.05, batch=3, replacement=False)})
    seen = tw.sweep(problem, {"rule.batch": [4, 3]}, [0, 6], theory=False, seeds=2)["training"]
    assert np.all(np.isnan(seen.train_loss.values[0]))
    assert all("does not divide the 9 samples" in str(told) for told in seen.outcome.values[0])
    np.testing.assert_array_equal(seen.train_loss[1], tw.train(problem, [0, 6], seeds=2).train_loss)
    with pytest.raises(ValueError, match="does not divide the 9 samples"):
        tw.sweep(problem, {"rule.batch": [4, 5]}, [0, 6], theory=False, seeds=2)


def test_a_point_whose_prediction_refuses_loses_no_other(monkeypatch):
    real = tw.MarchenkoPastur.prepare

    def picky(self, problem, times):
        if problem.mean_norm > 1:
            raise ValueError("too far apart")
        return real(self, problem, times)

    monkeypatch.setattr(tw.MarchenkoPastur, "prepare", picky)
    told = tw.sweep(SMALL, {"mean_norm": [0.5, 2.0, 0.7]}, TIMES, theory=tw.MarchenkoPastur())["theory"]
    assert list(told.outcome.values) == ["ok", "too far apart", "ok"]
    np.testing.assert_array_equal(np.isnan(told.test_loss.values).all(axis=1), [False, True, False])


@pytest.mark.parametrize("spoil", ["truncated", "another", "text"])
def test_a_damaged_or_foreign_file_is_done_again(tmp_path, spoil):
    over = {"mean_norm": [0.5, 2.0]}
    first = tw.sweep(SMALL, over, TIMES, theory=tw.MarchenkoPastur(), out=tmp_path)
    one, other = sorted(tmp_path.glob("theory-*.nc"))
    content = {"truncated": one.read_bytes()[:3000], "another": other.read_bytes(), "text": b"nothing"}[spoil]
    one.write_bytes(content)
    with pytest.warns(UserWarning, match="is not used and done again"):
        again = tw.sweep(SMALL, over, TIMES, theory=tw.MarchenkoPastur(), out=tmp_path)
    np.testing.assert_allclose(again["theory"].test_loss, first["theory"].test_loss, rtol=1e-12)
    assert one.read_bytes() != content


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({}, "at least one field"),
        ("mean_norm", "give fields with their values"),
        ({"dimension": 8}, "give a list of values, such as \\[8\\]"),
        ({"rule": tw.GradientFlow()}, "give a list of values"),
        ({"mean_norm": []}, "at least one value"),
        ({"mean_norm": [1.0, 2.0, 1.0]}, "holds 1.0 twice"),
        ({"mean_norm": [1.0, float("nan")]}, "holds nan; give finite values"),
        ({"rule": ["GradientFlow", tw.GradientFlow()]}, "holds GradientFlow\\(\\) twice"),
        ({("dimension", "samples"): [(4, 8), (6,)]}, "a tuple of 2 values"),
        ({"samples": [4], ("dimension", "samples"): [(4, 8)]}, "'samples' is swept twice"),
        ({"mean_nrom": [1.0]}, "did you mean 'mean_norm'"),
        ({"mean_norm": [0.5, -1.0]}, "at mean_norm = -1.0: LinearClassifier: mean_norm = -1.0 is not allowed"),
        ({"rule": ["GradientFlaw"]}, "did you mean 'GradientFlow'"),
    ],
)
def test_bad_grids(over, words):
    with pytest.raises(ValueError, match=words):
        tw.sweep(SMALL, over, TIMES)


def test_points_far_outside_a_regime_are_told_once():
    with pytest.warns(tw.TheoryWarning, match="at 2 of 3 points: most at correlation = 0.9") as caught:
        found = tw.sweep(SMALL, {"correlation": [0.0, 0.6, 0.9]}, TIMES, theory=tw.MarchenkoPastur())
    assert len(caught) == 1
    assert np.all(np.diff(found["theory"].strain) > 0)


@pytest.mark.nightly
def test_a_sweep_on_a_cluster(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    over = {"mean_norm": [0.5, 2.0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.Client(processes=False, dashboard_address=None, n_workers=1) as client:
            far = tw.sweep(SMALL, over, TIMES, theory=tw.Eigenmodes(), seeds=2, client=client, out=tmp_path)
    here = tw.sweep(SMALL, over, TIMES, theory=tw.Eigenmodes(), seeds=2)
    xr.testing.assert_allclose(far["theory"].to_dataset(), here["theory"].to_dataset(), rtol=1e-12)
    xr.testing.assert_identical(far["training"].to_dataset(), here["training"].to_dataset())
    assert len(list(tmp_path.glob("*.nc"))) == 4
