"""Results: saved, loaded, run again, replayed; sweeps; seeds; precision; what happens when a run fails."""

import re
import subprocess
import sys

import jax
import numpy as np
import optax
import pytest
import xarray as xr

import thalweg as tw
from thalweg.running import evaluation, training
from thalweg.words import draws
from thalweg.words.fields import vary

SMALL = tw.LinearClassifier(dimension=6, samples=9)
TIMES = np.array([0.0, 0.5, 2.0])


@pytest.fixture(scope="module")
def seen():
    return tw.train(SMALL, TIMES, seeds=3)


def test_schema(seen):
    assert seen.test_loss.dims == ("seed", "time")
    assert seen.best_time_loss.dims == ("seed",)
    assert seen.test_loss.dtype == np.float64
    assert list(seen.outcome.values) == ["ok"] * 3
    np.testing.assert_array_equal(seen.flow_time, TIMES)
    assert "train_accuracy_flipped" not in seen


def test_save_and_load(seen, tmp_path):
    tw.save(seen, tmp_path / "train.nc")
    xr.testing.assert_identical(tw.load(tmp_path / "train.nc"), seen)


def test_compare_saved_and_run_again(tmp_path):
    data = tw.MixtureSample(
        inputs=np.linspace(-1, 1, 54).reshape(9, 6), labels=np.tile([1.0, -1, 1], 3), mean=np.ones(6)
    )
    result = tw.compare(SMALL, TIMES, theory=[tw.Eigenmodes(), tw.MarchenkoPastur()], seeds=3, data=data)
    tw.save(result, tmp_path / "run.nc")
    loaded = tw.load(tmp_path / "run.nc")
    again = tw.rerun(tmp_path / "run.nc")
    for one in (loaded, again):
        assert one.attrs["verdict"] == result.attrs["verdict"]
        xr.testing.assert_identical(one["training"].to_dataset(), result["training"].to_dataset())
        xr.testing.assert_identical(one["budget/Eigenmodes"].to_dataset(), result["budget/Eigenmodes"].to_dataset())
    # Eigenmodes speaks of this very data set: each start is its own, the data are the given ones
    assert result["theory/Eigenmodes"].attrs["verdict"] == "confirmed"


def test_rerun_of_each_verb(seen, tmp_path):
    told = tw.predict(SMALL, TIMES, theory=tw.Eigenmodes(), seeds=[2, 5])
    for result in (seen, told, tw.sweep(SMALL, {"mean_norm": [0.5, 1.0]}, TIMES, theory=tw.MarchenkoPastur())):
        tw.save(result, tmp_path / "one.nc")
        again = tw.rerun(tmp_path / "one.nc")
        xr.testing.assert_identical(again, result)


def test_replay(seen):
    weights = tw.replay(SMALL, TIMES, seed=2)
    assert float(seen.squared_norm.sel(seed=2)[-1]) == pytest.approx(float(weights @ weights), rel=1e-12)


def test_any_set_of_seeds_gives_the_same_runs(seen):
    one = tw.train(SMALL, TIMES, seeds=[2])
    np.testing.assert_allclose(one.test_loss.sel(seed=2), seen.test_loss.sel(seed=2), rtol=1e-12)


def test_events_do_not_depend_on_the_times(seen):
    other = tw.train(SMALL, [0.0, 0.3, 1.1, 2.0], seeds=3)
    np.testing.assert_allclose(other.best_time_loss, seen.best_time_loss, rtol=1e-6)


def test_best_times_of_training_are_those_of_the_exact_solution():
    """An interior optimum by root finding along the integrated flow against the root of the closed form."""
    problem = tw.LinearClassifier(dimension=12, samples=20)
    seen = tw.train(problem, [0.0, 20.0], seeds=6)
    told = tw.predict(problem, [0.0, 20.0], theory=tw.Eigenmodes(), seeds=6)
    for name in ("best_time_loss", "best_time_accuracy"):
        assert np.isfinite(told[name]).sum() >= 4
        np.testing.assert_allclose(seen[name], told[name], rtol=2e-5, err_msg=name)


def test_whole_step_events():
    """The folded best step is the best of all observed steps."""
    problem = vary(tw.LinearClassifier(dimension=12, samples=20), {"rule": tw.GradientDescent(0.05)})
    seen = tw.train(problem, np.arange(0, 201), seeds=4)
    found = seen.test_loss.argmin("time")
    wanted = np.where((found == 0) | (found == 200), np.nan, found)
    np.testing.assert_array_equal(seen.best_time_loss, wanted)


def test_a_diverging_run_is_reported():
    problem = vary(SMALL, {"rule": tw.GradientDescent(30.0)})
    said = r"seed 0 left the finite numbers in \w+ at step \d+\. .*largest stable one is"
    with pytest.raises(FloatingPointError, match=said):
        tw.train(problem, [0, 2000])
    kept = tw.train(problem, [0, 2000], seeds=2)
    assert all(re.match(r"left the finite numbers in \w+ at step \d+$", line) for line in kept.outcome.values)


def test_a_rate_beyond_the_limit_warns():
    problem = vary(SMALL, {"rule": tw.GradientDescent(2.0)})
    with pytest.warns(tw.TheoryWarning, match="stable step"):
        told = tw.predict(problem, [0, 10], theory=tw.MarchenkoPastur())
    assert np.all(np.isfinite(told.test_loss))


def test_step_ceiling():
    problem = vary(SMALL, {"rule": tw.GradientFlow(step_ceiling=3)})
    with pytest.raises(FloatingPointError, match="step ceiling"):
        tw.train(problem, [0.0, 50.0])


def test_optax_rule_descends_and_comes_back(tmp_path):
    problem = vary(SMALL, {"rule": tw.Optax(optax.adam, 0.05, {"b1": 0.8})})
    seen = tw.train(problem, [0, 1, 100], seeds=2)
    assert np.all(seen.train_loss[:, -1] < seen.train_loss[:, 0])
    assert np.all(np.isnan(seen.flow_time))
    tw.save(seen, tmp_path / "adam.nc")
    xr.testing.assert_identical(tw.rerun(tmp_path / "adam.nc"), seen)


def test_a_scalar_needs_no_new_compilation():
    tw.predict(SMALL, TIMES, theory=tw.MarchenkoPastur())
    tw.train(SMALL, TIMES, seeds=2)
    before = evaluation._predict._cache_size(), training._train._cache_size(), draws._cases._cache_size()
    other = vary(SMALL, {"mean_norm": 1.7, "init_variance": 0.3, "weight_decay": 0.2, "rule.tolerance": 1e-7})
    tw.predict(other, TIMES, theory=tw.MarchenkoPastur())
    tw.train(other, TIMES, seeds=5)
    assert (evaluation._predict._cache_size(), training._train._cache_size(), draws._cases._cache_size()) == before
    # the limit does not fix shapes by its sizes
    tw.predict(vary(other, {"dimension": 7, "samples": 11}), TIMES, theory=tw.MarchenkoPastur())
    assert evaluation._predict._cache_size() == before[0]


def test_importing_changes_no_flag_and_results_are_float64():
    code = (
        "import jax, numpy as np; before = dict(jax.config.values); import thalweg as tw;"
        "p = tw.LinearClassifier(dimension=4, samples=6);"
        "s = tw.train(p, [0.0, 1.0], seeds=2); t = tw.predict(p, [0.0, 1.0], theory=tw.MarchenkoPastur());"
        "assert dict(jax.config.values) == before; assert not jax.config.jax_enable_x64;"
        "assert s.test_loss.dtype == t.test_loss.dtype == np.float64; print(repr(float(s.test_loss[0, 1])))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    with jax.enable_x64():
        here = tw.train(tw.LinearClassifier(dimension=4, samples=6), [0.0, 1.0], seeds=2)
    assert float(found) == float(here.test_loss[0, 1])


@pytest.mark.nightly
def test_several_devices_give_the_same_numbers():
    """The accelerator's path, on two pretended devices: one sharded batch."""
    code = (
        "import os; os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=2';"
        "import jax; jax.default_backend = lambda: 'pretended';"
        "import thalweg as tw; p = tw.LinearClassifier(dimension=6, samples=9);"
        "print(tw.train(p, [0.0, 0.5, 2.0], seeds=4).test_loss.values.tolist())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose(eval(found), tw.train(SMALL, TIMES, seeds=4).test_loss, rtol=1e-9)
