"""Pictures show the numbers of the result, and nothing global changes."""

import matplotlib
import numpy as np
import pytest

import thalweg as tw
from thalweg.faces.picture import plot
from thalweg.faces.style import dots, spans_decades

from .conftest import TIMES


def titles(figure):
    return [a.get_title(loc="left") for a in figure.axes if a.get_title(loc="left")]


def test_a_comparison_has_a_panel_a_curve_with_its_gap_below(saved, compared, tmp_path):
    before = dict(matplotlib.rcParams)
    figure = plot(saved, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    curves = [n for n, v in compared["training"].data_vars.items() if "time" in v.dims]
    assert len(titles(figure)) == len(curves)
    assert len(figure.axes) == 2 * len(curves)
    upper, lower = figure.axes[0], figure.axes[1]
    told = compared["theory/MarchenkoPastur"]["train_loss"].values
    np.testing.assert_allclose(upper.lines[0].get_ydata(), told)
    gap = compared["gap/MarchenkoPastur"]
    budget = gap["train_loss_allowance"] + gap["train_loss_error"]
    np.testing.assert_allclose(lower.lines[0].get_ydata(), (gap["train_loss"] / budget).values)
    assert lower.get_xlabel() == "steps"
    said = " ".join(text.get_text() for text in figure.texts)
    assert "MarchenkoPastur: " in said
    assert "LinearClassifier" in said
    assert dict(matplotlib.rcParams) == before


def test_one_observable_can_be_chosen(compared):
    assert titles(plot(compared, observables=["test_loss"])) == ["Test loss, half the mean squared error"]
    with pytest.raises(ValueError, match="did you mean 'test_loss'"):
        plot(compared, observables=["test_los"])


def test_predict_train_and_sweep_have_pictures(small):
    told = tw.predict(small, TIMES, theory=tw.MarchenkoPastur())
    swept = tw.sweep(small, {"mean_norm": [0.5, 1.0]}, TIMES, theory=tw.MarchenkoPastur())
    grid = tw.sweep(small, {"mean_norm": [0.5, 1.0], "init_variance": [0.1, 1.0]}, TIMES, theory="MarchenkoPastur")
    for result in (told, tw.train(small, TIMES, seeds=2), swept, grid):
        assert titles(plot(result))[0].startswith("Training loss, half the mean squared error")
    line = plot(swept, observables="test_loss").axes[0].lines[1]
    np.testing.assert_allclose(line.get_ydata(), swept["theory"]["test_loss"].sel(mean_norm=1.0).values)


def test_bad_input_is_one_sentence(tmp_path, compared):
    with pytest.raises(ValueError, match="does not exist"):
        plot(tmp_path / "none.nc")
    with pytest.raises(ValueError, match="not a result"):
        plot({"a": 1})
    with pytest.raises(ValueError, match=r"ends in \.png"):
        plot(compared, tmp_path / "picture.doc")
    with pytest.raises(ValueError, match="does not exist"):
        plot(compared, tmp_path / "no/picture.png", "test_loss")


def test_long_times_get_a_logarithmic_axis_without_zero():
    assert not spans_decades(np.linspace(0, 10, 201))
    times = np.concatenate([[0.0], np.geomspace(1, 1000, 60)])
    assert spans_decades(times)
    assert dots(times).min() == 1
    assert dots(times).size <= 22
