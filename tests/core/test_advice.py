"""Advice: what an adviser says reaches the user whole, by name, as text and as a table."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw


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
