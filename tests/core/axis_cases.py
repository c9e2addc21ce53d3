"""A bowl with closed forms: what it remembers of its start, and bounds of its loss from both sides."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw

MODE = tw.Axis("mode", lambda problem: problem.curvatures(), "curvature of the mode", "1/time")
LEVEL = tw.Axis("level", (0.5, 0.1), "share of the loss that is left")
GRID = tw.Axis("grid", "grid", "points of the start")
SOURCE = (tw.Source("LiaoCouillet2018", "the case of one feature"),)
FLOW = tw.Assumption(
    "gradient flow",
    "The rule must be gradient flow.",
    lambda setting: 0.0 if isinstance(setting.problem.rule, tw.GradientFlow) else float("inf"),
)


def overlap(now, then):
    """w(t).w(s)."""
    return jnp.sum(now * then)


class Bowl(tw.Problem):
    """Linear regression on fixed inputs with covariance diag(c_i): loss (1/2) sum c_i w_i^2, w(0) normal.

    memory(t, s) = w(t).w(s); weights w_i. Clock: the rule's own.
    """

    dimension: int = tw.size("number of weights", default=3)
    steep: float = tw.scalar("largest curvature less 1", default=1.0, low=0.0)
    rule: tw.Rule = tw.GradientFlow()

    observables: ClassVar = (
        tw.Observable("loss", "training loss", "L", low=0.0),
        tw.Observable("memory", "overlap of the weights at two times", "C", "weights squared", pair=overlap),
        tw.Observable("weights", "weights", "w", dims=(MODE,)),
    )

    random: ClassVar = {"draw": lambda problem: False, "start": lambda problem: True}
    # what is read between the steps of the integrator is a little less sharp than the steps
    margins: ClassVar = {"loss": 1e-6, "memory": 1e-6, "weights": 1e-6}

    def curvatures(self):
        return 1.0 + self.steep * np.arange(self.dimension) / max(self.dimension - 1, 1)

    def draw(self, key):
        return 1.0 + self.steep * jnp.arange(self.dimension) / max(self.dimension - 1, 1)

    def initial(self, key, data):
        return 1.0 + 0.3 * jax.random.normal(key, (self.dimension,))

    def objective(self, params, data):
        return 0.5 * jnp.sum(data * params**2)

    def observe(self, params, data):
        return {"loss": self.objective(params, data), "memory": params, "weights": params}

    def horizon(self):
        return np.linspace(0.0, 2.0, 21)

    def as_data(self, raw):
        return np.asarray(raw, dtype=float)

    def as_start(self, raw):
        return np.asarray(raw, dtype=float)


class BowlTheory(tw.Theory[Bowl]):
    """What theories of the bowl share; each is exact for its start."""

    of: ClassVar = (Bowl,)
    source: ClassVar = SOURCE
    conditions_on: ClassVar = ("start", "draw")
    shapes: ClassVar = ("dimension",)
    assumptions: ClassVar = (FLOW,)

    def prepare(self, problem, times):
        return self

    def finite_size(self, problem):
        return {}


class BowlFlow(BowlTheory):
    """w_i(t) = w_i(0) exp(-c_i t), so memory(t, s) = sum w_i(0)^2 exp(-c_i (t + s)); times of levels at c_min.

    `fading` is a factor on the rates of memory: 1 is right.
    """

    fading: float = tw.scalar("factor on the rates", default=1.0, above=0.0)
    speaks_of: ClassVar = ("loss", "memory", "weights", "slow_time", "start_at")
    own: ClassVar = (
        tw.Variable("slow_time", "time to a level at the least curvature", "clock", (LEVEL,)),
        tw.Variable("start_at", "profile of the start", dims=(GRID,)),
    )

    def predict(self, problem, data, start, times):
        now = start[None] * jnp.exp(-data[None] * times[:, None])
        faded = start[None] * jnp.exp(-self.fading * data[None] * times[:, None])
        return {
            "loss": 0.5 * jnp.sum(data[None] * now**2, axis=1),
            "memory": jnp.sum(faded[:, None, :] * faded[None, :, :], axis=-1),
            "weights": now,
            "slow_time": -0.5 * jnp.log(jnp.asarray(LEVEL.coordinate)) / data[0],
            "grid": data / data[-1],
            "start_at": start,
        }


class BowlBounds(BowlTheory):
    """loss(0) exp(-2 c_max t) <= loss(t) <= height loss(0) exp(-2 c_min t); a floor of the weights."""

    height: float = tw.scalar("factor on the upper bound", default=1.0, above=0.0)
    speaks_of: ClassVar = ("loss", "weights")
    claims: ClassVar = {
        "loss": (tw.Claim("lower"), tw.Claim("upper")),
        "weights": tw.Claim("lower", time=False),
    }

    def predict(self, problem, data, start, times):
        first = 0.5 * jnp.sum(data * start**2)
        return {
            "loss": {
                "lower": first * jnp.exp(-2 * data[-1] * times),
                "upper": self.height * first * jnp.exp(-2 * data[0] * times),
            },
            "weights": jnp.minimum(start, 0.0),
        }


class BowlMean(BowlTheory):
    """Weights stay within 1 of their mean exp(-c_i t), whatever the start: points of a sweep are one program."""

    conditions_on: ClassVar = ()
    speaks_of: ClassVar = ("weights",)
    claims: ClassVar = {"weights": (tw.Claim("upper"), tw.Claim("lower"))}

    def predict(self, problem, data, start, times):
        shares = jnp.arange(problem.dimension) / max(problem.dimension - 1, 1)
        mean = jnp.exp(-(1.0 + problem.steep * shares)[None] * times[:, None])
        return {"weights": {"lower": mean - 1.0, "upper": mean + 1.0}}
