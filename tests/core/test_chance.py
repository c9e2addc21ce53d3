"""A seed gives the same numbers whatever the caller set in JAX, and another seed gives others."""

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg.running.request import seed_list

PROBLEM = tw.LinearClassifier(dimension=6, samples=9, rule=tw.SGD(0.05, batch=3))
TIMES = [0, 4]


def ends(seeds):
    return tw.train(PROBLEM, TIMES, seeds=seeds).test_loss.isel(time=-1).values


@pytest.fixture(scope="module")
def usual():
    return ends([0, 1])


@pytest.mark.parametrize(
    "setting",
    [
        lambda: jax.default_prng_impl("rbg"),
        lambda: jax.threefry_partitionable(False),
        lambda: jax.enable_x64(False),
        lambda: jax.debug_nans(True),
        lambda: jax.debug_infs(True),
    ],
)
def test_settings_of_the_caller_change_nothing(setting, usual):
    with setting():
        np.testing.assert_array_equal(ends([0, 1]), usual)


def test_nan_of_a_healthy_problem_stops_nobody():
    """An event that does not happen is NaN."""
    with jax.debug_nans(True):
        seen = tw.train(tw.LinearClassifier(dimension=4, samples=8), [0.0, 0.01])
    assert np.isnan(seen.best_time_loss).all()


def test_every_whole_number_is_a_seed_of_its_own():
    numbers = [0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**40, 2**63 - 1]
    found = ends(numbers)
    assert len(set(found.tolist())) == len(numbers)
    np.testing.assert_array_equal(found[0], ends([0])[0])


@pytest.mark.parametrize("seed", [2**63, -1, 2**70])
def test_numbers_beyond_are_refused(seed):
    with pytest.raises(ValueError, match=r"give a number >= 1, or different whole numbers from 0 to 2\^63 - 1"):
        tw.train(PROBLEM, TIMES, seeds=[seed])


def test_a_word_that_is_no_number_of_seeds_names_the_one_that_is():
    with pytest.raises(ValueError, match=r"seeds = 'many' is not allowed; .*\(\"enough\" is for compare\)\."):
        seed_list("many")


def test_nor_in_a_comparison():
    """Nothing that a theory or a verdict computes on its way is stopped by the caller's switch."""
    with jax.debug_nans(True), jax.debug_infs(True):
        result = tw.compare(
            tw.LinearClassifier(dimension=6, samples=9), [0.0, 0.01, 0.02], seeds=2, theory="Eigenmodes"
        )
    assert result.attrs["verdict"] == "confirmed"
