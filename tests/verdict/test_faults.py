"""Predictions that no number can save are never confirmed: not finite, not positive, events that one side alone has."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.words.events import Crossing

SEEDS = 24


class _Cooling(tw.Problem):
    """w(t) = w(0) exp(-t), w(0) near 1; `warmth` is w^2, `glow` the same on a logarithmic scale."""

    spread: float = tw.scalar("standard deviation of the start", default=0.01, low=0.0)
    rule: tw.Rule = tw.GradientFlow()

    observables: ClassVar = (
        tw.Observable("warmth", "w squared", low=0.0),
        tw.Observable("glow", "w squared again", log=True),
        tw.Observable("width", "w, and its negative", dims=("side",)),
    )
    events: ClassVar = (
        tw.Event("cold", "time at which warmth is 0.3", Crossing("warmth", 0.3, -1.0), "it stays warm"),
        tw.Event("frozen", "time at which warmth is 1e-9", Crossing("warmth", 1e-9, -1.0), "it stays warm"),
        tw.Event("rate", "rate at the end", Crossing("warmth", 1e-9, -1.0), "it is lost", unit="", may_be_lost=True),
        tw.Event("tepid", "time at which warmth is 0.0183", Crossing("warmth", 0.0183, -1.0), "it stays warm"),
    )
    random: ClassVar = {"draw": lambda problem: False, "start": lambda problem: problem.spread > 0}

    def draw(self, key):
        return jnp.zeros(1)

    def initial(self, key, data):
        return 1.0 + self.spread * jax.random.normal(key, (1,))

    def objective(self, params, data):
        return 0.5 * jnp.sum(params**2)

    def observe(self, params, data):
        w = params[0]
        return {"warmth": w**2, "glow": w**2, "width": jnp.stack([w, -w])}

    def horizon(self):
        return np.linspace(0.0, 2.0, 41)

    def as_data(self, raw):
        return np.asarray(raw, dtype=float)

    def as_start(self, raw):
        return np.asarray(raw, dtype=float).reshape(1)


class _Law(tw.Theory[_Cooling]):
    """The truth in the mean, changed by `change`."""

    change: str = ""

    of: ClassVar = (_Cooling,)
    source: ClassVar = (tw.Source("LiaoCouillet2018"),)
    conditions_on: ClassVar = ()
    speaks_of: ClassVar = ("warmth", "glow", "width", "cold", "frozen", "rate", "tepid")
    assumptions: ClassVar = ()

    def prepare(self, problem, times):
        return self

    def predict(self, problem, data, start, times):
        mean = (1 + problem.spread**2) * jnp.exp(-2 * times)
        told = {
            "warmth": mean,
            "glow": jnp.exp(-2 * times - problem.spread**2),
            "width": jnp.outer(jnp.exp(-times), jnp.array([1.0, -1.0])),
            "cold": jnp.log(1 / 0.3) / 2,
            "frozen": jnp.asarray(jnp.nan),
            "rate": jnp.asarray(jnp.nan),
            "tepid": jnp.asarray(jnp.nan),
        }
        return CHANGES[self.change](told)

    def finite_size(self, problem):
        return {}


class _Silent(_Law):
    """Says nothing of `cold` where it would be told as NaN."""

    unsaid: ClassVar = {"cold": "the room is too small"}


def at(name, place, value):
    return lambda told: {**told, name: told[name].at[place].set(value)}


CHANGES = {
    "": lambda told: told,
    "one time": at("warmth", 7, jnp.nan),
    "the end": at("warmth", -1, jnp.inf),
    "one part": at("width", (3, 1), jnp.nan),
    "a whole curve": lambda told: {**told, "glow": jnp.full_like(told["glow"], jnp.nan)},
    "negative where it must not be": at("glow", 20, -1e-3),
    "nothing but NaN": lambda told: {name: jnp.full_like(jnp.asarray(v), jnp.nan) for name, v in told.items()},
    "an event nobody has": lambda told: {**told, "frozen": jnp.asarray(1.5)},
    "an event after the end": lambda told: {**told, "frozen": jnp.asarray(10.4)},
    "a rate that runs have lost": lambda told: {**told, "rate": jnp.asarray(2.0)},
    "an event denied": lambda told: {**told, "cold": jnp.asarray(jnp.nan)},
    "an event of half the runs": lambda told: {**told, "tepid": jnp.asarray(1.9)},
}
FAULTS = {
    "one time": "predicted warmth is not finite at time 0.35",
    "the end": "predicted warmth is not finite at time 2,",
    "one part": "predicted width is not finite at time 0.15",
    "a whole curve": "predicted glow is not finite and positive, as its logarithm asks, at time 0",
    "negative where it must not be": "predicted glow is not finite and positive, as its logarithm asks, at time 1",
    "nothing but NaN": "is not finite",
    "an event nobody has": "frozen is predicted (1.5), and none of 24 runs has it",
    "an event denied": "cold is predicted not to happen, and 24 of 24 runs have it",
}


def test_the_truth_is_confirmed():
    result = tw.compare(_Cooling(), theory=_Law(), seeds=SEEDS)
    assert result.attrs["verdict"] == "confirmed"
    assert result.attrs["remarks"] == "[]"


@pytest.mark.parametrize("change", ["an event after the end", "a rate that runs have lost"])
def test_an_event_that_runs_cannot_show_is_no_fault(change):
    result = tw.compare(_Cooling(), theory=_Law(change), seeds=SEEDS)
    assert result.attrs["verdict"] == "confirmed", result.attrs["sentence"]


@pytest.mark.parametrize("change", FAULTS)
def test_what_no_number_can_save_is_contradicted(change):
    result = tw.compare(_Cooling(), theory=_Law(change), seeds=SEEDS)
    assert result.attrs["verdict"] == "contradicted"
    assert FAULTS[change] in result.attrs["sentence"]


@pytest.mark.parametrize("change", ["the end", "nothing but NaN", "an event denied"])
def test_files_pictures_and_pages_take_it(change, tmp_path):
    result = tw.compare(_Cooling(), theory=_Law(change), seeds=SEEDS)
    tw.save(result, tmp_path / "run.nc")
    tw.plot(tw.load(tmp_path / "run.nc"), tmp_path / "run.png")
    tw.report(result, tmp_path / "run.html")


def test_an_event_of_some_runs_is_left_out_and_said():
    """Where half of the runs have an event, the mean of these is no mean."""
    result = tw.compare(_Cooling(spread=0.05), theory=_Law("an event of half the runs"), seeds=SEEDS)
    seen = np.isfinite(result["training"].tepid.values).sum()
    assert 0 < seen < 0.9 * SEEDS
    told = f"tepid: event is there in {seen} of {SEEDS} runs alone; it is left out."
    assert told in result.attrs["remarks"]


def test_a_bad_theory_beside_a_good_one_spoils_nothing(tmp_path):
    class _Other(_Law):
        """Another name, since two theories of one name are refused."""

    result = tw.compare(_Cooling(), theory=[_Law(), _Other("nothing but NaN")], seeds=SEEDS)
    assert result.attrs["verdict"] == "confirmed"
    assert result["theory/_Other"].attrs["verdict"] == "contradicted"
    tw.plot(result, tmp_path / "run.png")
    tw.report(result, tmp_path / "run.html")


def test_an_approach_beyond_all_measure_proves_nothing():
    """A limit that may be anywhere cannot be met."""

    class _Somewhere(_Law):
        speaks_of: ClassVar = ("warmth",)
        claims: ClassVar = {"warmth": tw.Claim("limit", approach=lambda setting: 1e9)}

        def predict(self, problem, data, start, times):
            return {"warmth": jnp.full(times.shape, 0.01)}

    result = tw.compare(_Cooling(), theory=_Somewhere(), seeds=SEEDS)
    assert result.attrs["verdict"] == "inconclusive"


def test_a_half_time_is_compared_with_that_of_the_mean_curve():
    """Wide starts shift the mean half-time of nothing, but the law of a sum of exponentials would: here both agree."""
    result = tw.compare(_Cooling(spread=0.3), theory=_Law(), times=np.linspace(0, 4, 81), seeds=200)
    row = result["budget"].sel(functional="warmth: half-time")
    assert float(row.predicted) == pytest.approx(np.log(2 / (1 + np.exp(-8))) / 2, rel=1e-2)
    assert abs(float(row.gap)) <= float(row.allowance + row.error)


def test_the_numbers_of_a_row_add_up():
    """Gap = measured - predicted, for means and for the run that decides."""
    problems = (tw.LinearClassifier(dimension=8, samples=16), tw.DeepLinear())
    for problem in (_Cooling(), *problems):
        result = tw.compare(problem, theory=_Law() if isinstance(problem, _Cooling) else None, seeds=4)
        budget = result["budget"]
        np.testing.assert_allclose(budget.gap, budget.measured - budget.predicted, rtol=1e-9, atol=1e-14)


def test_what_is_left_unsaid_is_no_fault():
    result = tw.compare(_Cooling(), theory=_Silent("an event denied"), seeds=SEEDS)
    assert result.attrs["verdict"] == "confirmed"
    assert "cold is not predicted: the room is too small." in result.attrs["remarks"]
    assert tw.compare(_Cooling(), theory=_Silent(), seeds=SEEDS).attrs["verdict"] == "confirmed"


class _Rate(_Law):
    """The slope of log glow is -2, told within `holes` (start, end) as NaN."""

    holes: tuple[float, float] = (5.0, 5.0)

    speaks_of: ClassVar = ("glow",)
    claims: ClassVar = {"glow": tw.Claim("rate", window=lambda problem, times: (1.0, 2.0))}

    def predict(self, problem, data, start, times):
        hole = (times >= self.holes[0]) & (times <= self.holes[1])
        return {"glow": jnp.where(hole, jnp.nan, jnp.exp(-2 * times))}


@pytest.mark.parametrize("holes", [(1.2, 1.3), (0.0, 2.0), (2.0, 2.0)], ids=["some times", "all", "the end"])
def test_a_rate_without_a_number_in_its_window_is_at_fault(holes):
    result = tw.compare(_Cooling(), theory=_Rate(holes=holes), seeds=SEEDS)
    assert result.attrs["verdict"] == "contradicted"
    first = max(holes[0], 1.0)
    assert (
        f"predicted glow is not finite and positive, as its logarithm asks, at time {first:g}"
        in result.attrs["sentence"]
    )


def test_a_rate_is_judged_in_its_window_whatever_it_says_before():
    result = tw.compare(_Cooling(), theory=_Rate(holes=(0.0, 0.5)), seeds=SEEDS)
    assert result.attrs["verdict"] == "confirmed"
    assert "glow: slope" in result["budget"].functional.values


class _Blinking(_Cooling):
    """Warmth has no number at the start."""

    def observe(self, params, data):
        told = super().observe(params, data)
        return {**told, "warmth": jnp.where(told["warmth"] > 0.95, jnp.nan, told["warmth"])}


class _Blind(_Law):
    of: ClassVar = (_Blinking,)

    def predict(self, problem, data, start, times):
        told = super().predict(problem, data, start, times)
        return {**told, "warmth": jnp.where(times < 0.04, jnp.nan, told["warmth"])}


def test_what_neither_side_has_is_said():
    result = tw.compare(_Blinking(spread=0.001), theory=_Blind(), seeds=SEEDS)
    assert (
        "warmth is not finite at time 0 in prediction and runs alike; such curves are left out."
        in result.attrs["remarks"]
    )
    assert not any(str(name).startswith("warmth: e") for name in result["budget"].functional.values)
    assert result.attrs["verdict"] == "confirmed"


class _Reticent(_Law):
    def predict(self, problem, data, start, times):
        return {name: v for name, v in super().predict(problem, data, start, times).items() if name != "width"}


class _Garrulous(_Law):
    speaks_of: ClassVar = ("warmth", "glow", "cold")


def test_a_theory_returns_what_it_names_and_nothing_else():
    with pytest.raises(ValueError, match=r"_Reticent does not return width, of which it speaks; return it"):
        tw.compare(_Cooling(), theory=_Reticent(), seeds=SEEDS)
    with pytest.raises(
        ValueError, match=r"_Garrulous returns frozen, rate, tepid, width, of which it does not speak; name it in"
    ):
        tw.compare(_Cooling(), theory=_Garrulous(), seeds=SEEDS)
