"""What chance leaves open: the level of error that is kept over skewed laws, what controls gain, ties."""

import math

import numpy as np
import pytest
from scipy import stats

from thalweg.verdict.chance import Chance, count_error, held_mean_gap, independent, mean_gap, student

ALONE = Chance(1, 0.01, False)
LAWS = {
    "normal": (lambda random, size: 5 + random.standard_normal(size), 5.0),
    "squared normal (skewness 2.8)": (lambda random, size: random.standard_normal(size) ** 2, 1.0),
    "gamma (skewness 4.5)": (lambda random, size: random.gamma(0.2, size=size), 0.2),
    "lognormal (skewness 6.2)": (lambda random, size: np.exp(random.standard_normal(size)), math.exp(0.5)),
    "lognormal (skewness 20)": (
        lambda random, size: np.exp(1.37 * random.standard_normal(size)),
        math.exp(1.37**2 / 2),
    ),
    "short of a bound": (lambda random, size: 1 - 0.1 * random.gamma(0.5, size=size), 0.95),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("count", [8, 24, 64])
def test_the_level_is_kept_for_skewed_laws(law, count):
    draw, mean = LAWS[law]
    random = np.random.default_rng(3)
    trials = 1500
    wrong = 0
    for values in draw(random, (trials, count)):
        distances = (values, 1 - values) if law == "short of a bound" else (values, -values)
        found = mean_gap(values - mean, ALONE, distances)
        wrong += not -found.below <= found.gap <= found.above
    # 1 % of 1500 is 15; 2 % with the chance of the count itself is 45, and Student's interval alone has up to 17 %
    assert wrong <= 45


def test_a_normal_mean_has_the_interval_of_student():
    values = 3 + np.random.default_rng(5).standard_normal(20_000)
    found = mean_gap(values, ALONE)
    assert found.width == pytest.approx(student(20_000, 1) * values.std(ddof=1) / math.sqrt(20_000), rel=0.01)


def test_controls_take_the_known_chance_off():
    random = np.random.default_rng(7)
    start = random.standard_normal((24, 1))
    gaps = 0.4 + 3 * start[:, 0] + 0.01 * random.standard_normal(24)
    plain, held = mean_gap(gaps, ALONE), held_mean_gap(gaps, start, ALONE)
    assert held is not None
    assert held.gap == pytest.approx(0.4, abs=0.02)
    assert held.width < plain.width / 50
    # the intercept of a regression and its standard error, from another library's formulas
    fit = stats.linregress(start[:, 0], gaps)
    assert held.gap == pytest.approx(fit.intercept, rel=1e-9)
    assert held.width >= stats.t.ppf(0.995, 22) * fit.intercept_stderr * (1 - 1e-9)


def test_controls_that_explain_nothing_are_left_alone():
    random = np.random.default_rng(8)
    assert held_mean_gap(random.standard_normal(24), random.standard_normal((24, 1)), ALONE) is None
    assert held_mean_gap(random.standard_normal(24), np.ones((24, 1)), ALONE) is None
    # too few runs for so many
    assert held_mean_gap(np.arange(8.0), np.arange(16.0).reshape(8, 2), ALONE) is None


def test_controls_keep_the_level():
    random = np.random.default_rng(9)
    wrong = 0
    for _ in range(3000):
        controls = random.standard_normal((10, 1))
        found = held_mean_gap(2 * controls[:, 0] + random.standard_normal(10), controls, ALONE)
        wrong += found is not None and not -found.below <= found.gap <= found.above
    assert wrong <= 60


@pytest.mark.parametrize("alike", [1, 5, 40])
def test_a_family_counts_as_its_independent_members(alike):
    """Copies count once; independent ones as many as they are; never more than there are."""
    random = np.random.default_rng(10)
    rest = np.repeat(random.standard_normal((6, 200)), alike, axis=0)
    rest -= rest.mean(1, keepdims=True)
    assert 5.0 <= independent(rest, 0.01) <= min(6.6, 6 * alike)


def test_runs_that_count_alike_still_have_the_width_of_a_count():
    """All of 24 runs of 100 points right: a theory of 99.9 % is no wrong theory; one of 98 % is."""
    cases = 24 * 100
    assert 0.001 < count_error(0.999, cases, ALONE) < 0.02
    assert count_error(0.98, cases, ALONE) < 0.02
    # the normal part is that of a binomial
    assert count_error(0.5, 1e6, ALONE) == pytest.approx(stats.norm.ppf(0.995) * 0.5 / 1e3, rel=0.01)


def test_controls_that_are_nearly_one_count_as_one():
    """What is left between them is an integrator's error, of which no gap may be made."""
    random = np.random.default_rng(4)
    luck, error = random.standard_normal(24), 1e-7 * random.standard_normal(24)
    gaps = 2 * luck + 0.3 * (luck**2 - 1)
    one = held_mean_gap(gaps, luck[:, None], ALONE)
    two = held_mean_gap(gaps, np.stack([luck, 3 * luck + error + 1e-6], axis=1), ALONE)
    assert one is not None
    assert two is not None
    assert two.gap == pytest.approx(one.gap, abs=1e-5)
    assert np.abs(two.shares).max() < 10
    assert abs(two.gap) < two.error
