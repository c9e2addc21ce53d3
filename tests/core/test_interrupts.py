"""Ctrl-C at any moment: the whole, or `Interrupted` with all that was finished; nothing poisoned."""

import signal

import numpy as np
import pytest
import xarray as xr

import thalweg as tw
from thalweg.computing import parallel
from thalweg.computing.interrupts import patient, pressed

SMALL = tw.LinearClassifier(dimension=6, samples=9)
TIMES = [0.0, 0.5, 2.0]


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard(monkeypatch):
    """Jobs in the background inherit that it is ignored; batches are reported one by one, however slow the machine."""

    def one_by_one(*args, **options):
        ended, waiting = real(*args, **options)
        return set(list(ended)[:1]), waiting

    real = parallel.wait
    monkeypatch.setattr(parallel, "wait", one_by_one)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press(after):
    """Progress that presses Ctrl-C at the `after`-th report."""
    count = [0]

    def progress(done, total):
        count[0] += 1
        if count[0] == after:
            signal.raise_signal(signal.SIGINT)

    return progress


@pytest.mark.parametrize("after", [1, 2, 3])
def test_train_keeps_the_seeds_that_ended(after):
    with pytest.raises(tw.Interrupted, match=r"seeds are in `.finished`; train\(\.\.\., seeds=") as caught:
        tw.train(SMALL, TIMES, seeds=60, progress=press(after))
    part = caught.value.finished
    assert 0 < part.sizes["seed"] < 60
    rest = [s for s in range(60) if s not in part.seed]
    whole = xr.concat([part, tw.train(SMALL, TIMES, seeds=rest)], "seed", combine_attrs="drop").sortby("seed")
    np.testing.assert_array_equal(whole.test_loss, tw.train(SMALL, TIMES, seeds=60).test_loss)


def test_predict_never_returns_less_than_was_asked():
    with pytest.raises(tw.Interrupted, match=r"predict\(\.\.\., seeds=") as caught:
        tw.predict(SMALL, TIMES, theory=tw.Eigenmodes(), seeds=60, progress=press(2))
    assert 0 < caught.value.finished.sizes["seed"] < 60
    assert caught.value.finished.attrs["verb"] == "predict"


def test_compare_keeps_finished_training():
    with pytest.raises(tw.Interrupted, match=r"training of .* seeds is in `\.finished`") as caught:
        tw.compare(SMALL, TIMES, theory=tw.Eigenmodes(), seeds=16, progress=press(1))
    part = caught.value.finished
    assert part.attrs["verb"] == "train"
    np.testing.assert_array_equal(part.test_loss, tw.train(SMALL, TIMES, seeds=16).sel(seed=part.seed).test_loss)


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_sweep_goes_on_from_what_was_finished(after, tmp_path):
    over = {"mean_norm": [0.5, 1.0, 2.0]}
    with pytest.raises(tw.Interrupted, match="goes on from those") as caught:
        tw.sweep(SMALL, over, TIMES, theory=tw.Eigenmodes(), seeds=2, out=tmp_path, progress=press(after))
    part = caught.value.finished
    ended = sum(
        int((np.asarray(node.outcome) == "ok").all(axis=-1).sum())
        if node.outcome.ndim > 1
        else int((node.outcome == "ok").sum())
        for node in part.children.values()
    )
    assert ended >= after
    assert len(list(tmp_path.glob("*.nc"))) == ended
    whole = tw.sweep(SMALL, over, TIMES, theory=tw.Eigenmodes(), seeds=2, out=tmp_path)
    xr.testing.assert_identical(whole, tw.sweep(SMALL, over, TIMES, theory=tw.Eigenmodes(), seeds=2))


def test_a_second_press_is_raised_at_once():
    with patient():
        signal.raise_signal(signal.SIGINT)
        assert pressed()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert not pressed()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_press_after_all_is_done_still_interrupts_with_the_whole():
    """Otherwise a user's loop over calls could not be stopped."""
    calls = []

    def last(done, total):
        calls.append(done)
        if done == total:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(tw.Interrupted, match="the whole of train") as caught:
        tw.train(SMALL, TIMES, seeds=4, progress=last)
    assert caught.value.finished.sizes["seed"] == 4
