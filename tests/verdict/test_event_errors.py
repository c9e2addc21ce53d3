"""How far a time may move that is read from a curve which is known to some digits."""

import numpy as np
import pytest

from thalweg.verdict.event_errors import _of_one
from thalweg.words.events import Crossing, Extremum

TIMES = np.linspace(0.0, 4.0, 401)


@pytest.mark.parametrize("error", [1e-4, 1e-8])
@pytest.mark.parametrize(("bend", "when", "sign"), [(1.0, 1.3, 1.0), (0.02, 2.5, 1.0), (30.0, 0.7, -1.0)])
def test_a_best_time_moves_as_far_as_its_curve_is_flat(error, bend, when, sign):
    """c = bend (t - t0)^2 / 2 is within 2 e of its best up to sqrt(4 e / bend) from it."""
    curve = 5.0 + sign * bend * (TIMES - when) ** 2 / 2
    found = _of_one(Extremum("c", sign), TIMES, curve, when, error)
    assert found == pytest.approx(np.sqrt(4 * error / bend), rel=0.3)
    # curves this far apart: their best times are
    other = curve + error * np.sin(TIMES / np.sqrt(error / bend))
    assert abs(TIMES[np.argmin(sign * other)] - when) <= found + TIMES[1]


def test_a_tail_that_is_flat_to_the_last_digit_has_no_best_time():
    curve = 1 + np.exp(-12 * TIMES)
    assert _of_one(Extremum("c"), TIMES, curve, 3.1, 1e-11) > 0.8


@pytest.mark.parametrize("rate", [0.5, 3.0])
def test_a_crossing_moves_by_the_error_over_the_slope(rate):
    curve = np.exp(-rate * TIMES)
    found = _of_one(Crossing("c", 0.4, -1.0), TIMES, curve, np.log(2.5) / rate, 1e-6)
    assert found == pytest.approx(1e-6 / (0.4 * rate), rel=1e-2)
