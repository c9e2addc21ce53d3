"""What happens: the law of the data, the network, the loss, the start and the rule, as one frozen module."""

import abc
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..computing.float64 import root_key
from .declarations import Axis, Event, Observable, Remark
from .events import CurveDetector, FromDraw, Reading, Watched, name_of
from .fields import Parameter, Parametrised, array, parameters, scalar, size, vector
from .rule import Rule, Trajectory
from .views import View

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar

__all__ = [
    "Axis",
    "Event",
    "Observable",
    "Problem",
    "Remark",
    "Rule",
    "SampledProblem",
    "Trajectory",
    "array",
    "scalar",
    "size",
    "vector",
]


def always(problem: Any) -> bool:
    """A declaration that holds for all parameters."""
    return True


def never(problem: Any) -> bool:
    """A declaration that holds for none."""
    return False


def starts_at_random(problem: Any) -> bool:
    """A start of entries of `init_variance` differs from seed to seed unless that is 0."""
    return bool(problem.init_variance != 0)


def random_parts(problem: "Problem") -> dict[str, bool]:
    """Whether the draw, and the start, differ from seed to seed at these parameters."""
    return {part: bool(problem.random[part](problem)) for part in ("draw", "start")}


class Problem(Parametrised):
    """A learning problem: small, frozen, typed parameters and pure functions. No theory is known here."""

    rule: eqx.AbstractVar[Rule]
    observables: AbstractClassVar[tuple[Observable, ...]]
    events: ClassVar[tuple[Event, ...]] = ()
    remarks: ClassVar[tuple[Remark, ...]] = ()
    views: ClassVar[tuple[View, ...]] = ()
    margins: ClassVar[Mapping[str, float]] = {}
    # what differs from seed to seed where the user does not give it, at these parameters
    random: ClassVar[Mapping[str, Callable[[Any], bool]]] = {"draw": always, "start": always}

    @abc.abstractmethod
    def draw(self, key: Array) -> Any:
        """One data set from the law of the data."""

    @abc.abstractmethod
    def initial(self, key: Array, data: Any) -> Any:
        """One start of the parameters."""

    @abc.abstractmethod
    def objective(self, params: Any, data: Any) -> Float[Array, ""]:
        """What the rule descends: train_loss + penalty."""

    @abc.abstractmethod
    def observe(self, params: Any, data: Any) -> dict[str, Array]:
        """The value of every observable at these parameters."""

    @abc.abstractmethod
    def horizon(self) -> np.ndarray:
        """Times to look at when the user names none, on the rule's clock."""

    @abc.abstractmethod
    def as_data(self, raw: Any) -> Any:
        """A user's data set in this problem's form; ValueError where shapes do not fit."""

    @abc.abstractmethod
    def as_start(self, raw: Any) -> Any:
        """A user's start in this problem's form; ValueError where shapes do not fit."""

    @classmethod
    def examples(cls) -> tuple["Problem", ...]:
        """Small legal problems of several sizes and rules, for the contract; the one of its defaults unless said.

        They are made when they are asked for, and nothing but tests and documents asks. ValueError where a class has
        fields without a default and says nothing.
        """
        missing = [
            f.name for f in dataclasses.fields(cls) if f.init and f.default is f.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise ValueError(
                f"{cls.__name__} cannot be made without {', '.join(missing)}; give it a class method examples() that "
                "returns small problems."
            )
        make: Any = cls
        return (make(),)


class Macrostate(eqx.Module):
    """A start by the few numbers that a theory follows; it fixes what matters of the draw, too.

    Theories take it in place of data and start. Training makes weights with exactly these values, anew for each seed.
    """

    @abc.abstractmethod
    def realise(self, problem: Any, key: Array) -> tuple[Any, Any]:
        """Data and parameters, otherwise random, with exactly these values."""


class SampledProblem(Problem):
    """A problem whose objective is a mean over stored samples, for rules that look at some of them at a time."""

    @abc.abstractmethod
    def sample_count(self, data: Any) -> int:
        """How many samples there are to choose from."""

    @abc.abstractmethod
    def batch_objective(self, params: Any, data: Any, indices: Int[Array, " batch"]) -> Float[Array, ""]:
        """The objective on these samples alone: their mean loss, each counted as often as it is named, + penalty.

        Over uniform indices its mean is `objective`.
        """


class StreamingProblem(Problem):
    """A problem whose law gives fresh samples without end, for rules that see each of them once."""

    dimension: eqx.AbstractVar[int]

    @abc.abstractmethod
    def fresh(self, key: Array, data: Any, count: int) -> Any:
        """`count` independent samples (leading axis), `count` a multiple of 4; `data` is what all samples share."""

    @abc.abstractmethod
    def sample_objective(self, params: Any, data: Any, sample: Any) -> Float[Array, ""]:
        """What a step on this one sample descends: its loss + penalty."""

    def leaf_rates(self, params: Any, rate: Any) -> Any:
        """The rate at which each leaf of the parameters follows a sample's gradient, where the rule has `rate`."""
        return jax.tree.map(lambda leaf: rate, params)


class FisherProblem(StreamingProblem):
    """One that knows the Fisher matrix of its network under the law of its inputs."""

    @abc.abstractmethod
    def natural(self, params: Any, data: Any, slope: Any, damping: Float[Array, ""]) -> Any:
        """(G + damping I)^-1 slope, G the Fisher matrix at these parameters."""


def present(problem: Problem) -> tuple[Observable, ...]:
    """The observables that exist for these parameters."""
    return tuple(o for o in problem.observables if o.exists_in(problem))


def observed(problem: Problem, params: Any, data: Any, names: tuple[str, ...]) -> dict[str, Array]:
    """Some observables at these parameters; what is not named costs nothing once compiled."""
    if not names:
        return {}
    values = problem.observe(params, data)
    return {name: values[name] for name in names}


def paired(problem: Problem, curves: dict[str, Any]) -> dict[str, Array]:
    """Curves of a run, those of two times made of what was remembered at each: `time` first, then `time2`."""
    found = dict(curves)
    for one in problem.observables:
        if one.pair is not None:
            found[one.name] = _over_pairs(one.pair, curves[one.name])
    return found


def _over_pairs(pair: Callable[[Any, Any], Any], memory: Array) -> Array:
    return jax.vmap(lambda now: jax.vmap(lambda then: pair(now, then))(memory))(memory)


def now_and_now(problem: Problem, observed: dict[str, Any]) -> dict[str, Array]:
    """What is observed at one moment, curves of two times at the same time twice."""
    return observed | {o.name: o.pair(observed[o.name], observed[o.name]) for o in problem.observables if o.pair}


def curve_events(problem: Problem) -> dict[str, CurveDetector]:
    """Detectors of the events that are read along the run."""
    return {e.name: e.detector for e in problem.events if isinstance(e.detector, CurveDetector)}


def watched(detectors: Iterable[CurveDetector]) -> tuple[Watched, ...]:
    """All that these detectors read, once each; ValueError where two readings share a name."""
    found = dict.fromkeys(one for detector in detectors for one in detector.reads)
    names = [name_of(one) for one in found]
    if len(set(names)) < len(names):
        raise ValueError(f"the events watch {names}: two different readings with one name; rename one.")
    return tuple(found)


def read(problem: Problem, params: Any, data: Any, what: tuple[Watched, ...]) -> dict[str, Array]:
    """Values of some observables and readings at these parameters."""
    values = observed(problem, params, data, tuple(one for one in what if isinstance(one, str)))
    return values | {one.name: one.measure(problem, params, data) for one in what if isinstance(one, Reading)}


def draw_events(problem: Problem, data: Any) -> dict[str, Array]:
    """Events that are read from the draw alone."""
    found = [(e.name, e.detector) for e in problem.events if isinstance(e.detector, FromDraw)]
    return {name: detector.function(problem, data) for name, detector in found}


ROOT_SEED = 1805


def seed_keys(seed: Any) -> tuple[Array, Array, Array]:
    """Keys for the draw, the start and the path of one seed: the whole number, below 2^63, folded into one root key."""
    number = jnp.asarray(seed)
    wide = number.dtype.itemsize == 8
    key = jax.random.fold_in(root_key(ROOT_SEED), (number & 0xFFFFFFFF if wide else number).astype(jnp.uint32))
    if wide:
        # what is beyond 32 bits is folded in after, where there is any
        high = (number >> 32).astype(jnp.uint32)
        key = jnp.where(high > 0, jax.random.fold_in(key, high), key)
    draw, start, path = jax.random.split(key, 3)
    return draw, start, path


# whole steps of a default horizon, at least
FEWEST = 20


def spread_times(problem: Problem, flow_end: float, points: int = 201, steps: int = 200) -> np.ndarray:
    """Even times to a flow time, on the rule's clock; `steps` whole steps where the rule has no flow time.

    A rule of whole steps is looked at for FEWEST of them at least, however far it goes in one: a run of one step shows
    nothing.
    """
    unit = problem.rule.steps_per_unit(problem)
    if unit is None:
        return np.linspace(0.0, flow_end, points)
    per_step = float(problem.rule.flow_time(problem, np.asarray([1.0 / unit]))[0])
    last = max(FEWEST, round(flow_end / per_step)) if np.isfinite(per_step) else steps
    return np.unique(np.round(np.linspace(0, min(last, 100_000), points))) / unit


def scalars(problem: Problem) -> dict[str, tuple[Parameter, float]]:
    """Every scalar of a problem and of its parts (`rule.rule.learning_rate`) by its dotted name, with its value."""
    return dict(_scalars(problem, ""))


def _scalars(module: Parametrised, prefix: str) -> Iterator[tuple[str, tuple[Parameter, float]]]:
    declared = parameters(type(module))
    for field in dataclasses.fields(module):  # pyright: ignore[reportArgumentType]
        value, parameter = getattr(module, field.name), declared.get(field.name)
        if isinstance(value, Parametrised):
            yield from _scalars(value, f"{prefix}{field.name}.")
        elif parameter is not None and parameter.kind == "scalar" and value is not None:
            yield prefix + field.name, (parameter, value)
