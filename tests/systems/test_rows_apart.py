"""Rows that hang together, and answers that can be carried out: scikit-learn's refits of every group, estimators."""

import numpy as np
import pandas
import pytest
from sklearn.datasets import load_wine
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

import thalweg as tw
from thalweg.systems.own_data.held_out_ridge import STRENGTHS
from thalweg.systems.own_data.rows_apart import group_sets, held_apart, order_sets
from thalweg.systems.shared.least_squares import TrainingPart


@pytest.mark.parametrize("features", [3, 40])
def test_groups_are_scikit_learns_refits(features):
    rng = np.random.default_rng(features)
    groups = np.repeat(np.arange(5), [4, 9, 3, 8, 6])
    x = rng.normal(size=(30, features)) + rng.normal(size=(5, features))[groups]
    y = x[:, 0] + rng.normal(size=5)[groups] + 0.3 * rng.normal(size=30)
    times = np.array([0.0, 0.7, 20.0])
    found = held_apart(TrainingPart(x, y), group_sets(groups), times)
    for at in (40, 60):
        total = 0.0
        for kept, out in LeaveOneGroupOut().split(x, y, groups):
            model = Ridge(alpha=len(kept) * STRENGTHS[at]).fit(x[kept], y[kept])
            total += 0.5 * np.sum((y[out] - model.predict(x[out])) ** 2)
        assert found.ridge[at] == pytest.approx(total / 30, rel=1e-8)
    # the flow by small steps
    total = 0.0
    for kept, out in LeaveOneGroupOut().split(x, y, groups):
        a, b, w = x[kept] - x[kept].mean(axis=0), y[kept] - y[kept].mean(), np.zeros(features)
        for _ in range(7000):
            w += 1e-4 * a.T @ (b - a @ w) / len(b)
        total += 0.5 * np.sum((y[out] - y[kept].mean() - (x[out] - x[kept].mean(axis=0)) @ w) ** 2)
    assert found.flow[1] == pytest.approx(total / 30, rel=5e-3)


def test_later_rows_are_foretold_from_earlier_ones_alone():
    order = np.random.default_rng(0).permutation(30)
    for kept, out in order_sets(order):
        assert order[kept].max() < order[out].min()


def schools(rows=120):
    """A column that tells the school apart, of which the level is part: single rows held out know their school."""
    rng = np.random.default_rng(4)
    school = rng.integers(0, 12, rows)
    marks, level = rng.normal(size=(12, 6)), 3.0 * rng.normal(size=12)
    frame = pandas.DataFrame(marks[school] + 0.01 * rng.normal(size=(rows, 6)), columns=list("abcdef"))
    hours = rng.normal(size=rows)
    return frame.assign(
        hours=hours, school=[f"s{i}" for i in school], mark=hours + level[school] + rng.normal(size=rows)
    )


def test_new_groups_are_told_apart_from_new_rows():
    table = tw.read_table(schools(), "mark", groups="school")
    advice = tw.advise(table)
    new = advice["test_loss_of_new_groups"]
    assert new.value > 1.3 * advice["test_loss"].value
    assert "For rows of new groups: RMSE" in str(advice)
    x, y = table.frame, table.targets
    model = advice.estimator()
    seen = cross_val_predict(model, x, y, groups=table.groups, cv=LeaveOneGroupOut())
    assert 0.5 * np.mean((y - seen) ** 2) == pytest.approx(new.value, rel=0.35)
    assert "looks like" not in str(advice)
    with pytest.raises(ValueError, match="leave weights out"):
        tw.advise(weighted())


def weighted():
    frame = schools().drop(columns="school")
    return tw.read_table(frame.assign(hours=np.abs(frame["hours"])), "mark", weights="hours")


def test_estimators_take_the_table_as_it_comes():
    frame = schools().assign(mark=lambda f: np.where(f["mark"] > 0, "good", "bad"))
    frame.loc[::7, "a"] = np.nan
    advice = tw.advise(frame, target="mark")
    model = advice.estimator().fit(frame, frame["mark"])
    assert model.score(frame, frame["mark"]) > advice["held_out_accuracy"].value - 0.05
    lines = str(advice).split("Advice for")[0]
    assert "the commonest class alone has" in lines
    assert "advice.estimator()" in lines
    assert "<table" in advice._repr_html_()
    x, y = load_wine(return_X_y=True)
    other = tw.advise(tw.DatasetClasses(inputs=x, labels=y, samples=100))
    assert other.estimator().fit(x, y).score(x, y) > 0.95
    assert other["held_out_accuracy"].value > 0.9
    with pytest.raises(ValueError, match="no estimator for advice about LinearClassifier"):
        tw.advise(tw.LinearClassifier()).estimator()


def test_what_is_held_out_is_said_in_the_users_units():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 3))
    y = x @ [2.0, 1.0, 0.0] + rng.normal(size=80)
    y[3] += 60
    told = tw.advise(tw.DatasetRegression(inputs=x, targets=y, samples=64))
    root = told["root_mean_squared_error"].value
    assert root == pytest.approx(np.sqrt(2 * told["test_loss"].value), rel=0.01)
    assert told["r_squared"].value == pytest.approx(
        1 - (root / told["root_mean_squared_error"].evidence["of the mean alone"]) ** 2
    )
    floor = told["test_loss_with_twice_the_points"].evidence["floor, noise^2 / 2"]
    assert floor <= told["test_loss"].value
    wide = tw.advise(tw.DatasetRegression(inputs=rng.normal(size=(34, 300)), targets=rng.normal(size=34), samples=30))
    assert np.isnan(wide["noise"].value) or wide["noise"].value <= np.sqrt(2 * wide["test_loss"].value) * 1.0001
