"""Bad input: one sentence that says what was given, what is allowed and what to do."""

import numpy as np
import optax
import pytest

import thalweg as tw
from thalweg.running.request import given, seed_list, time_axis
from thalweg.systems.quadratic_network.starts import FactorLaw
from thalweg.words.fields import Parametrised, vary

SMALL = tw.LinearClassifier(dimension=6, samples=9)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dimension": 0}, "dimension = 0 is not allowed; give a whole number >= 1"),
        ({"samples": -3}, "samples = -3"),
        ({"samples": 2.5}, "whole number"),
        ({"mean_norm": float("nan")}, "mean_norm = nan is not allowed; give a finite number >= 0"),
        ({"mean_norm": -1}, "mean_norm"),
        ({"init_variance": float("inf")}, "init_variance"),
        ({"label_flip": 0.6}, "<= 0.5"),
        ({"correlation": 1.0}, "< 1"),
        ({"mean_norm": "two"}, "'two' is not a number"),
        ({"mean_nrom": 1.0}, "did you mean 'mean_norm'"),
        ({"rule.tolerence": 1.0}, "did you mean 'tolerance'"),
    ],
)
def test_fields(changes, words):
    with pytest.raises(ValueError, match=r"LinearClassifier|GradientFlow") as caught:
        vary(SMALL, changes)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([0, 2, 1], "increasing; entry 2 is 1"),
        ([0, 1, 1], "increasing"),
        ([-1, 0], "entry 0 is -1"),
        ([0, np.nan], "finite"),
        ([], "list of numbers"),
        (["now"], "list of numbers"),
    ],
)
def test_times(times, words):
    with pytest.raises(ValueError, match="times") as caught:
        tw.train(SMALL, times)
    assert words in str(caught.value)


def test_whole_steps():
    descent = vary(SMALL, {"rule": tw.GradientDescent(0.1)})
    with pytest.raises(ValueError, match=r"time 2.4 is no whole step of GradientDescent .* the nearest is 2\."):
        tw.predict(descent, [0, 2.4])
    np.testing.assert_array_equal(time_axis(descent, [0, 2 + 1e-12]), [0, 2])


def test_seeds():
    assert seed_list(3) == [0, 1, 2]
    assert seed_list([4, 2]) == [4, 2]
    for bad in (0, -1, [1, 1], [0.5], "many", True):
        with pytest.raises(ValueError, match="seeds"):
            seed_list(bad)


def test_theory_names():
    with pytest.raises(ValueError, match="did you mean 'MarchenkoPastur'"):
        tw.predict(SMALL, theory="MarchenkoPaster")
    with pytest.raises(ValueError, match=r"says nothing about LinearClassifier; theories that do: .*Eigenmodes"):
        tw.predict(SMALL, theory=tw.LeaveOneOut())
    with pytest.raises(ValueError, match="problem"):
        given("LinearClassifier", None, None)


def test_a_rule_without_filter_has_no_theory_here():
    problem = vary(SMALL, {"rule": tw.Optax(optax.adam, 0.01)})
    table = tw.theories(problem)
    assert not table.applies.any()
    assert np.isinf(table.strain).all()
    # the table prints as a page: every theory, and why it cannot speak
    assert str(table).count("why not: The rule must") == len(table)
    assert all(name in repr(table) for name in table.theory)
    with pytest.raises(ValueError, match="linear rule"):
        tw.predict(problem, theory=tw.Eigenmodes())
    with pytest.raises(ValueError, match="no theory applies"):
        tw.predict(problem)


def test_given_data_and_start():
    with pytest.raises(ValueError, match=r"start has shape \(5,\); 6 finite numbers"):
        tw.train(SMALL, start=np.ones(5))
    with pytest.raises(ValueError, match=r"data.inputs has shape \(4, 6\); \(9, 6\)"):
        tw.train(SMALL, data=(np.ones((4, 6)), np.ones(9), np.ones(6)))
    with pytest.raises(ValueError, match=r"\+1 and -1"):
        tw.train(SMALL, data=(np.ones((9, 6)), np.arange(9.0), np.ones(6)))


@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        (np.ones((30, 2)), np.ones(30), "two classes"),
        (np.ones((30, 2)), np.arange(30), "two classes"),
        (np.full((30, 2), np.nan), np.arange(30) % 2, "missing or infinite entry at (0, 0)"),
        ([["a", "b"]] * 30, np.arange(30) % 2, "not numbers"),
        (np.ones((30, 2)), np.arange(20) % 2, "one label a point"),
        (np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2, "30 points (15 and 15 a class) cannot give"),
    ],
)
def test_data_sets(inputs, labels, words):
    with pytest.raises(ValueError, match="DatasetClassifier") as caught:
        tw.DatasetClassifier(inputs=inputs, labels=labels, samples=25)
    assert words in str(caught.value)


def test_digit_groups():
    for bad in ((3, 3), "3", (3, 12), ((0, 1), (1, 2)), "three,eight"):
        with pytest.raises(ValueError, match="groups"):
            tw.DigitsClassifier(groups=bad)


def test_optax_by_name():
    assert tw.Optax(optax.adam).maker == "optax.adam"
    with pytest.raises(ValueError, match="not a public function of optax"):
        tw.Optax(lambda rate: optax.adam(rate))
    with pytest.raises(ValueError, match="not a function of optax"):
        tw.Optax("os.system")


def test_resolution():
    with pytest.raises(ValueError, match="resolution"):
        tw.compare(SMALL, resolution=2.0)


def test_files(tmp_path):
    seen = tw.train(SMALL, [0.0, 1.0], seeds=2)
    with pytest.raises(ValueError, match="does not exist"):
        tw.save(seen, tmp_path / "nowhere" / "run.nc")
    with pytest.raises(ValueError, match="is a folder"):
        tw.save(seen, tmp_path)
    broken = tmp_path / "broken.nc"
    broken.write_bytes(b"CDF nonsense")
    with pytest.raises(ValueError, match="corrupt or no netCDF file"):
        tw.load(broken)
    with pytest.raises(ValueError, match="does not exist"):
        tw.load(tmp_path / "missing.nc")
    foreign = tmp_path / "foreign.nc"
    seen[["test_loss"]].drop_attrs().to_netcdf(foreign, engine="h5netcdf")
    with pytest.raises(ValueError, match="no thalweg result"):
        tw.load(foreign)
    cut = tmp_path / "cut.nc"
    tw.save(seen, cut)
    cut.write_bytes(cut.read_bytes()[:200])
    with pytest.raises(ValueError, match="corrupt"):
        tw.rerun(cut)
    assert not list(tmp_path.glob(".*")), "something half-written was left behind"


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    from thalweg.results.storage import write_aside

    target = tmp_path / "run.nc"
    target.write_text("old")

    def full(name):
        with open(name, "w") as file:
            file.write("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match="No space left"):
        write_aside(target, full)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["run.nc"]


class _Box(Parametrised):
    """Holds a rule; a class of the package would be refused by the suite's own check of types before."""

    rule: tw.Rule
    law: FactorLaw | None = None


@pytest.mark.parametrize("value", ["SGD", 0.1, tw.DeepLinear])
@pytest.mark.parametrize(("field", "noun"), [("rule", "Rule"), ("law", "FactorLaw")])
def test_what_is_no_part_of_its_kind_is_refused_where_it_is_given(field, noun, value):
    with pytest.raises(
        ValueError, match=rf"_Box: {field} = .* is no {noun}; give (one of those that `thalweg list|the thing itself)"
    ):
        _Box(**{"rule": tw.GradientFlow(), field: value})


def test_a_class_in_place_of_a_part_is_called():
    with pytest.raises(ValueError, match=r"rule = .* is no Rule; call it: HeavyBall\(\)"):
        _Box(rule=tw.HeavyBall)
    assert _Box(rule=tw.HeavyBall()).law is None
