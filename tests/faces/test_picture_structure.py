"""What stands in a picture and where: nothing lies over anything else, and what is shown is what was judged."""

import itertools

import numpy as np
import pytest
import xarray as xr

import thalweg as tw
from thalweg.faces.components import APART, MOST, shown, spread
from thalweg.faces.gap_panel import in_budgets, judged
from thalweg.faces.picture import plot
from thalweg.faces.reading import Comparison, title_of

from .conftest import TIMES


def boxes(figure):
    """Header lines, legend and every panel with its labels, as they stand in print."""
    figure.draw_without_rendering()
    axes = [one.get_tightbbox() for one in figure.axes]
    return (
        [text.get_window_extent() for text in figure.texts],
        [one.get_window_extent() for one in figure.legends],
        axes,
    )


def overlapping(parts, room=-1.0):
    """Pairs of boxes that share more than a pixel."""
    return [(a, b) for a, b in itertools.combinations(parts, 2) if a.padded(room).overlaps(b)]


def names(axes, gid):
    return [text for text in axes.texts if text.get_gid() == gid]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((40, 4))
    return tw.DatasetRegression(inputs=inputs, targets=inputs @ np.ones(4) + rng.standard_normal(40), samples=24)


@pytest.fixture(scope="module")
def layers():
    return tw.compare(tw.DeepLinear(), seeds=2)


@pytest.mark.parametrize("columns", [3, 1])
def test_nothing_lies_over_the_curves_of_a_table(table, columns):
    for result in (tw.compare(table, seeds=4), tw.predict(table, seeds=4)):
        figure = plot(result, columns=columns)
        texts, legends, axes = boxes(figure)
        assert len(figure.axes) == (2 if "verdict" in result.attrs else 1)
        assert not overlapping([*texts, *legends, *axes[:1]])
        edge = figure.bbox.padded(1.0)
        assert all(edge.containsx(b.x0) and edge.containsx(b.x1) for b in [*texts, *legends, *axes])
        assert figure.axes[0].get_window_extent().height > 150


@pytest.mark.parametrize("dark", [False, True])
def test_panels_header_and_names_keep_apart(compared, layers, dark):
    for result in (compared, layers):
        figure = plot(result, dark=dark)
        texts, legends, axes = boxes(figure)
        # a curve and its gap touch
        assert not overlapping([*texts, *legends, *axes[::2]])
        for panel in figure.axes[::2]:
            inside = [text.get_window_extent() for text in names(panel, "event")]
            assert not overlapping(inside)
            assert all(panel.get_window_extent().padded(2.0).containsx(b.x1) for b in inside)
        assert (figure.get_facecolor()[0] < 0.5) == dark


def test_the_band_is_the_budget_that_was_judged(compared, layers):
    for result in (compared, layers):
        for part in Comparison(result).theories:
            for name in (n for n in map(str, part.gap.data_vars) if f"{n}_error" in part.gap):
                ratio = in_budgets(part, name).transpose("time", ...).values
                rows = {(row["measure"], row["part"]): row for row in judged(part, name)}
                for (measure, place), row in rows.items():
                    index = tuple(map(int, place.split(","))) if place else ()
                    if measure in ("start", "end"):
                        at = ratio[(0 if measure == "start" else -1, *index)]
                        np.testing.assert_allclose(at, row["ratio"], rtol=1e-6, atol=1e-9)


def test_a_confirmed_exact_theory_stays_inside_its_band(layers):
    (part,) = Comparison(layers).theories
    assert part.verdict == "confirmed"
    for name in (n for n in map(str, part.gap.data_vars) if f"{n}_error" in part.gap):
        assert np.nanmax(np.abs(in_budgets(part, name).values)) <= 1


def test_components_have_colours_and_names_and_what_is_left_out_is_said(layers):
    figure = plot(layers, ["singular_values"])
    upper = figure.axes[0]
    assert [text.get_text() for text in names(upper, "curve")] == ["mode 0", "mode 1", "mode 2"]
    assert len({text.get_color() for text in names(upper, "curve")}) == 3
    many = xr.DataArray(np.zeros((5, 60)), dims=("time", "unit"), coords={"unit": np.arange(60)})
    chosen = shown(many, first=[17])
    assert chosen.left_out == "8 of 60 units shown"
    assert len(chosen.places) <= MOST
    assert 17 in chosen.places
    assert {0, 59} <= set(chosen.places)


def test_names_at_the_ends_of_curves_keep_their_distance():
    for wanted in ([0.5, 0.5, 0.5], [0.99, 1.0, 0.98, 0.97], [0.0, 0.0], [1.2], []):
        found = spread(wanted)
        assert all(b - a > APART - 1e-9 for a, b in itertools.pairwise(sorted(found)))
        assert max(found, default=0.0) <= 1.0


def test_what_does_not_move_is_a_line_in_the_header_and_drawn_where_it_is_asked_for(small):
    result = tw.train(small, TIMES, seeds=2)
    result["test_accuracy"] = 0.0 * result["test_accuracy"] + 1e-9
    figure = plot(result)
    said = " ".join(text.get_text() for text in figure.texts)
    assert "not drawn, as they do not move: test_accuracy (0)" in said
    assert "Test accuracy" not in [axes.get_title(loc="left") for axes in figure.axes]
    assert plot(result, ["test_accuracy"]).axes[0].get_title(loc="left") == "Test accuracy"


def test_curves_are_chosen_by_a_list_and_unknown_ones_are_answered(compared):
    assert len(plot(compared, ["overlap", "test_loss"]).axes) == 4
    with pytest.raises(ValueError, match=r"did you mean 'overlap'\? Known: train_loss, test_loss"):
        plot(compared, ["overlp"])


def test_events_and_levels_carry_their_names(compared):
    figure = plot(compared, ["test_loss"])
    (name,) = names(figure.axes[0], "event")
    assert name.get_text() == "time of the least test loss"
    plateau = tw.compare(tw.CommitteeMachine(dimension=20), np.linspace(0, 20, 21), seeds=2)
    held = {"plateau_loss", "exit_time"} & set(map(str, plateau["training"].data_vars))
    marked = [text.get_text().replace("\n", " ") for text in names(plot(plateau, ["test_loss"]).axes[0], "event")]
    happened = [n for n in held if any(np.isfinite(t[n].values).any() for t in plateau.subtree if n in t.data_vars)]
    assert len(marked) <= len(happened)
    assert any("specialise" in text for text in marked) == ("plateau_loss" in happened)


def test_a_sweep_has_bars_over_seeds_a_true_title_and_says_what_has_no_line(small):
    swept = tw.sweep(small, {"mean_norm": [0.5, 1.0]}, TIMES, theory="MarchenkoPastur", seeds=3)
    axes = plot(swept, ["test_loss"]).axes[0]
    bars = axes.containers
    assert len(bars) == 2
    assert all(one.has_yerr for one in bars)
    said = swept["training"]["test_loss"].std("seed", ddof=1).isel(time=0).values / np.sqrt(3)
    drawn = [np.ptp(one.lines[2][0].get_segments()[0][:, 1]) / 2 for one in bars]
    np.testing.assert_allclose(drawn, said, rtol=1e-6)
    assert "= 0.5, 1" in title_of(swept)
    long = tw.sweep(small, {"mean_norm": np.linspace(0.5, 1.5, 20)}, TIMES, theory="MarchenkoPastur")
    figure = plot(long, ["test_loss"])
    assert len(figure.axes[0].lines) == 12
    assert "12 of 20 values" in " ".join(text.get_text() for text in figure.texts)


def test_two_theories_each_have_their_sentence(compared):
    lines = [text.get_text() for text in plot(compared).texts]
    for name in ("MarchenkoPastur", "Eigenmodes"):
        assert any(line.startswith(f"{name}: ") for line in lines)


def test_an_order_study_shows_fit_declared_order_and_where_the_theory_is_good():
    sizes, names_ = np.asarray([32.0, 64.0, 128.0]), ["a: end", "b: end"]
    gaps = np.stack([0.8 / sizes, [1e-4, -1e-4, 1e-4]], axis=1)
    coords = {
        "dimension": sizes, "functional": names_,
        "order_error": ("functional", [0.1, np.nan]), "declared_order": ("functional", [1.0, 1.0]),
        "good_to_5_percent": ("functional", [16.0, np.nan]), "good_to_1_percent": ("functional", [80.0, np.nan]),
    }  # fmt: skip
    study = xr.Dataset(
        {
            "order": ("functional", [1.0, np.nan]),
            "amount": ("functional", [0.8 / 64, np.nan]),
            "gap": (("dimension", "functional"), gaps),
            "error": (("dimension", "functional"), np.full((3, 2), 1e-3)),
        },
        coords,
        {"theory": "Some"},
    )
    from thalweg.faces.order_picture import order_picture

    figure, said, _ = order_picture(study)
    (axes,) = figure.axes
    assert axes.get_title(loc="left").split("\n") == [
        "a: end", "order 1.00 ± 0.10, declared 1", "good to 5% from 16, 1% from 80",
    ]  # fmt: skip
    assert "1 of 2 functionals have a gap beyond chance" in said[1][0]
    marks = [line for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose([line.get_xydata()[0] for line in marks], [[16, 0.05], [80, 0.01]])
    assert axes.get_xlim()[0] < 16
