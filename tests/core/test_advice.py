"""Advice: what an adviser says reaches the user whole, by name, as text and as a table; about a user's table, too."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pandas
import pytest
from click.testing import CliRunner

import thalweg as tw
from thalweg.faces.cli import cli


class Coin(tw.Problem):
    """A number that falls to zero, for advice about it."""

    speed: float = tw.scalar("speed", default=2.0, above=0.0)
    rule: tw.Rule = tw.GradientFlow()
    observables: ClassVar = (tw.Observable("height", "height"),)

    def draw(self, key: Any) -> Any:
        return jnp.zeros(1)

    def initial(self, key: Any, data: Any) -> Any:
        return jnp.ones(1)

    def objective(self, params: Any, data: Any) -> Any:
        return 0.5 * self.speed * params[0] ** 2

    def observe(self, params: Any, data: Any) -> dict:
        return {"height": params[0]}

    def horizon(self) -> np.ndarray:
        return np.linspace(0, 1, 5)

    def as_data(self, raw: Any) -> Any:
        return np.asarray(raw, dtype=float)

    def as_start(self, raw: Any) -> Any:
        return np.asarray(raw, dtype=float)


class CoinAdviser(tw.Adviser):
    """Twice the inverse speed is the largest stable rate."""

    of: ClassVar = (Coin,)

    def advise(self, setting: tw.Setting) -> tuple[tw.Recommendation, ...]:
        rate = 2 / setting.problem.speed
        return (
            tw.Recommendation(
                "learning_rate",
                rate,
                "Above 2 / speed each step grows.",
                0.0,
                rate,
                evidence={"speed": 2.0},
                source="LiaoCouillet2018",
            ),
            tw.Recommendation("ridge", math.nan, "There are no data to be noisy."),
            tw.Recommendation("size_of_data", float(jnp.size(setting.data)), "As many as the draw has.", level=0.9),
        )


def test_advice_reaches_the_user():
    advice = tw.advise(Coin())
    assert advice["learning_rate"].value == 1.0
    assert advice["size_of_data"].value == 1.0
    assert len(advice) == 3
    assert list(advice.table()["name"]) == ["learning_rate", "ridge", "size_of_data"]
    told = str(advice)
    assert "learning rate: 1 (0 to 1)" in told
    assert "Evidence: speed = 2." in told
    assert "ridge: no advice\n  There are no data" in told
    assert tw.advise(Coin(), data=[0.0, 1.0])["size_of_data"].value == 2.0


def test_advice_that_is_not_there():
    with pytest.raises(KeyError, match="learning_rate"):
        tw.advise(Coin())["learning_rat"]
    with pytest.raises(ValueError, match="no advice about CommitteeMachine"):
        tw.advise(tw.CommitteeMachine(dimension=8))


def harvest(rows=55):
    """A table of a user's: rain and sun make the yield, and the yield the grade."""
    rng = np.random.default_rng(12)
    rain, sun = rng.gamma(3.0, 2.0, rows), rng.normal(20.0, 4.0, rows)
    yields = 0.6 * rain - 0.2 * sun + rng.normal(0.0, 0.7, rows)
    grade = np.where(yields > np.median(yields), "premium", "feed")
    return pandas.DataFrame({"rain": rain, "sun": sun, "yield": yields, "grade": grade})


def test_a_table_from_python_is_a_table_on_the_command_line(tmp_path, monkeypatch):
    """The same text, from the path, a Path, a DataFrame and the problem itself; numbers and named classes."""
    monkeypatch.chdir(tmp_path)
    harvest().drop(columns="grade").to_csv("crop.csv", index=False)
    told = tw.advise("crop.csv", target="yield")
    shown = CliRunner().invoke(cli, ["advise", "crop.csv", "--target", "yield"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == f"{told}\n"
    assert told.about[0].startswith("crop.csv: 55 rows, 2 columns to predict 'yield' from; 44 rows are training")
    assert "four fifths" in told.about[0]
    frame = pandas.read_csv("crop.csv")
    own = tw.DatasetRegression(inputs=frame[["rain", "sun"]], targets=frame["yield"], samples=44)
    same = [tw.advise(tmp_path / "crop.csv", target="yield"), tw.advise(frame, target="yield"), tw.advise(own)]
    for other in same:
        assert str(other).split("Advice for")[1] == str(told).split("Advice for")[1]
    assert str(same[1]).startswith("DataFrame: 55 rows")
    assert not same[2].about


def test_a_table_of_named_classes_and_fewer_samples():
    told = tw.advise(harvest().drop(columns="yield"), target="grade", samples=31)
    assert told.subject == "DatasetClassifier"
    assert told.about == (
        "DataFrame: 55 rows, 2 columns to predict 'grade' from; 31 rows are training points.",
        "Classes of 'grade': feed = -1, premium = +1.",
    )
    assert told["test_accuracy"].value > 0.7


def test_tables_of_scikit_learn_bring_their_target():
    told = tw.advise("sklearn:wine", samples=90)
    assert told.about[0].startswith("sklearn:wine: 178 rows, 13 columns")
    assert "class_0 = output 0, class_1 = output 1" in told.about[1]
    assert told.subject == "DatasetClasses"


def test_columns_that_are_numbers_in_another_dress():
    """Categories of numbers, objects that are numbers, and whole numbers are numbers."""
    frame = harvest().drop(columns="grade")
    dressed = frame.assign(rain=frame.rain.round().astype("category"), sun=frame.sun.astype(object))
    plain = frame.assign(rain=frame.rain.round())
    assert str(tw.advise(dressed, target="yield")) == str(tw.advise(plain, target="yield"))


@pytest.mark.parametrize(
    ("subject", "more", "sentence"),
    [
        ("crops.csv", {"target": "rain"}, r"crops\.csv: there is no such file"),
        ("field.csv", {}, r"say which column is to be learned.*there are rain, sun, yield, grade\."),
        ("field.csv", {"target": "rian"}, "unknown column 'rian'.*did you mean 'rain'"),
        ("field.csv", {"target": "yield", "start": 0.0}, "start = 0.0 is not allowed here: a table is its own data"),
        ("heads.csv", {"target": "b"}, "there are 2 columns, but no row"),
        ("void.csv", {"target": "b"}, "no readable table"),
        ("farm.csv", {"target": "b"}, "farm.csv is a folder"),
        ("field.sav", {"target": "b"}, r"field\.sav: give a \.csv, \.tsv, .* file, sklearn:NAME, or a DataFrame"),
        ("field.parquet", {"target": "b"}, r"field\.parquet: there is no such file"),
        ("sklearn:diabetis", {}, "did you mean 'diabetes'"),
        ("sklearn:linnerud", {}, "has 3 targets"),
        ("sklearn:diabetes", {"target": "age"}, "brings its own target"),
        (Coin(), {"target": "speed"}, "target = 'speed' is not allowed here: a problem has its columns"),
        (Coin(), {"samples": 7}, "samples = 7 is not allowed here"),
        (pandas.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]}), {"target": "b"}, "no column beside 'b' can be used"),
        (pandas.DataFrame([[1.0, 2.0]], columns=["a", "a"]), {"target": "a"}, "two columns are called 'a'"),
        (pandas.DataFrame({"a": [1.0] * 9}), {"target": "a"}, "no column beside 'a'"),
        (np.ones((9, 3)), {"target": 0}, "it was given ndarray .*DatasetRegression"),
    ],
)
def test_tables_that_are_none_are_one_sentence(subject, more, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    harvest().to_csv("field.csv", index=False)
    (tmp_path / "heads.csv").write_text("a,b\n")
    (tmp_path / "void.csv").write_text("")
    (tmp_path / "farm.csv").mkdir()
    with pytest.raises(ValueError, match=sentence) as refused:
        tw.advise(subject, **more)
    assert "\n" not in str(refused.value)
