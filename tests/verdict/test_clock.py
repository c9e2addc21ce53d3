"""Clock and amplitude of whole curves, and the clock that all curves share."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.verdict.fitted import AMPLITUDE, CLOCK, fitted

TIMES = np.linspace(0, 6, 61)


def decay(time):
    return 0.2 + 0.8 * np.exp(-time)


def by_name(curve=None):
    curve = decay(TIMES) if curve is None else curve
    return {one.measure: one for one in fitted("loss", curve, TIMES, (), 1.0)}


@pytest.mark.parametrize("share", [-0.02, 0.01, 0.03])
def test_they_read_a_faster_clock_and_a_longer_way(share):
    clock, amplitude = by_name()[CLOCK], by_name()[AMPLITUDE]
    faster = decay(TIMES * (1 + share))
    assert clock.offset + clock.weights @ faster == pytest.approx(1 + share, abs=0.1 * abs(share))
    assert amplitude.offset + amplitude.weights @ faster == pytest.approx(1, abs=0.1 * abs(share))
    further = 1 - (1 + share) * (1 - decay(TIMES))
    assert amplitude.offset + amplitude.weights @ further == pytest.approx(1 + share, rel=1e-9)
    assert clock.offset + clock.weights @ further == pytest.approx(1, abs=1e-9)


def test_contrasts_see_neither():
    moved = TIMES * np.gradient(decay(TIMES), TIMES) + 0.3 * (decay(TIMES) - 1)
    assert np.abs(by_name()[CLOCK].contrasts @ moved).max() < 1e-12


def test_a_line_and_a_flat_curve_have_none():
    assert by_name(TIMES) == {}
    assert by_name(np.ones_like(TIMES)) == {}


class _Slow(tw.MarchenkoPastur):
    """The same with a clock that is slow by a twelfth."""

    def predict(self, problem, data, start, times):
        return super().predict(problem, data, start, times / (1 + 1 / 12))


def test_one_clock_of_all_curves_sees_what_single_rows_do_not():
    problem = tw.LinearClassifier(dimension=128, samples=256)
    right, wrong = (tw.compare(problem, theory=one, seeds=192) for one in (tw.MarchenkoPastur(), _Slow()))
    assert right.attrs["verdict"] == "confirmed"
    assert wrong.attrs["verdict"] == "contradicted"
    row = wrong["budget"].to_dataset().sel(functional="all curves: clock")
    # measured is relative to what was predicted: the runs are faster than the wrong theory
    assert float(row["measured"]) == pytest.approx(13 / 12, abs=0.03)


def test_counts_have_no_clock_and_may_jump_a_moment_later():
    result = tw.compare(tw.OrthogonalReLU(), theory=tw.EventFlow(), seeds=3)
    rows = result["budget"].to_dataset().to_dataframe()
    rows = rows[rows["variable"] == "active_patterns"].set_index("measure")
    assert set(rows.index) == {"start", "end", "area"}
    times = result["training"]["time"].values
    assert rows.loc["area", "allowance"] >= np.diff(times).max() / (times[-1] - times[0])
