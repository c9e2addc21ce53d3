"""The contract of problems and theories as plain functions, for classes outside the package too.

Each check raises AssertionError with a sentence that says what was found.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from ..catalogue import choice
from ..results.labels import axes
from ..rules import GradientFlow
from ..running import evaluation, training
from ..verbs.prediction import predict
from ..verbs.real_runs import replay, train
from ..verdict.budget import ROUNDING
from ..verdict.chance import student
from ..verdict.functionals import largest
from ..words.fields import vary
from ..words.problem import Problem, now_and_now, present, random_parts, scalars, seed_keys
from ..words.theory import Setting, Theory, TheoryWarning
from .array_rules import strictly
from .declared import check_axes, check_declarations, check_fields, check_kind, demand, spread
from .drawing import check_drawn
from .round_trip import changes
from .round_trip import same as same
from .tried_values import inside, short_axis

# draws for statistics of the start; programs of this many seeds are there already when others ask
SEEDS = 24


@strictly
def check_problem(problem: Problem | type[Problem], sizes: Sequence[Mapping[str, Any]] = ({},)) -> None:
    """AssertionError unless a problem keeps what every verb relies on.

    Wrong values raise ValueError and name the field; JSON and netCDF give an equal problem back; the start is finite;
    all declared observables are returned, finite and within their bounds; the same seed gives the same run, in a batch
    as alone (to 1e-12); another value of a scalar needs no compilation; `objective` never rises under gradient flow.
    A class is checked on each of its `examples()`. `sizes` are changes to check under, such as
    ({"dimension": 6, "samples": 9},); none by default.
    """
    given = problem.examples() if isinstance(problem, type) else (problem,)
    demand(given, problem, "`examples()` is empty; return small problems.")
    for one in (vary(example, chosen) for example in given for chosen in sizes):
        check_fields(one)
        check_axes(one)
        seen = train(one, short_axis(one), seeds=[0, 1, 2], strict=False)
        check_observables(one, seen)
        check_round_trip(one, seen)
        check_random(one)
        check_seeds(one, seen)
        check_descent(one)


@strictly
def check_theory(
    theory: Theory | type[Theory],
    problem: Problem | None = None,
    *,
    breaking: Mapping[str, Problem] | None = None,
    references: Path | None = None,
) -> None:
    """AssertionError unless a theory keeps what every verb relies on.

    Its declarations fit its problems and its kind, and its sources stand in a references.bib of the package, in the one
    beside its file, or in `references`; strains are finite at `problem` (its own `example()` by default); each
    assumption is reported as broken at the problem that its `broken_by` makes of that one, or that `breaking` names for
    it; values claimed at time zero are those of the start; jit, vmap and jacfwd go through in every scalar; it can be
    drawn, alone and beside runs in every view of the problem.
    """
    one = theory() if isinstance(theory, type) else theory
    case = one.example() if problem is None else problem
    check_declarations(one, references)
    check_kind(one, case)
    check_assumptions(one, case, breaking or {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TheoryWarning)  # what follows holds outside the regime too
        told, begin = check_time_zero(one, case)
        check_transparent(one, case)
    check_drawn(case, told, begin)


def check_observables(problem: Problem, seen: xr.Dataset) -> None:
    """All that exist are returned, finite wherever the run is well, and within their bounds; so is the start."""
    with jax.enable_x64():
        setting = Setting(problem)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves((setting.data, setting.start))]
    sound = all(np.all(np.isfinite(leaf)) and leaf.dtype != np.float32 for leaf in leaves)
    demand(sound, problem, "draw and start must be finite and in float64.")
    well = seen.isel(seed=np.flatnonzero(seen["outcome"].values == "ok"))
    demand(well.sizes["seed"], problem, f"no run ended well: {seen['outcome'].values[0]}.")
    for one in present(problem):
        demand(one.name in seen, problem, f"the observable {one.name} is not returned.")
        low, high = float(well[one.name].min(skipna=False)), float(well[one.name].max(skipna=False))
        demand(math.isfinite(low + high), problem, f"{one.name} is not finite along the run.")
        slack = ROUNDING * max(abs(low), abs(high))
        fits = (one.low is None or low >= one.low - slack) and (one.high is None or high <= one.high + slack)
        demand(fits, problem, f"{one.name} runs from {low} to {high}; declared are {one.low} to {one.high}.")


def check_round_trip(problem: Problem, seen: xr.Dataset) -> None:
    """JSON with its arrays, and a saved file, give an equal problem, equal results, and a draw and start as given."""
    for sentence in changes(problem, seen):
        demand(False, problem, sentence)


def differing(problem: Problem) -> dict[str, bool]:
    """Whether two seeds have different draws, and different starts for one draw."""
    keys = [seed_keys(np.int64(seed)) for seed in range(2)]
    with jax.enable_x64():
        draws = [problem.draw(draw) for draw, _, _ in keys]
        starts = [problem.initial(begin, draws[0]) for _, begin, _ in keys]
    return {"draw": not same(*draws), "start": not same(*starts)}


def check_random(problem: Problem) -> None:
    """What differs from seed to seed is declared so (`random`); to declare more is safe, though less sharp."""
    said = random_parts(problem)
    for part, differs in differing(problem).items():
        demand(said[part] or not differs, problem, f"`random` says that {part!r} is the same for all seeds; it is not.")


def check_seeds(problem: Problem, seen: xr.Dataset) -> None:
    """The same seed gives the same run again, in a batch as alone; other scalars run in the program that is there."""
    times = seen["time"].values
    alone = [train(problem, times, seeds=[int(s)], strict=False) for s in seen["seed"].values]
    count = training._train._cache_size()  # pyright: ignore
    again = train(problem, times, seeds=[0], strict=False)
    demand(again.equals(alone[0]), problem, "the same seed gives another run.")
    other = vary(problem, {name: inside(p, v) for name, (p, v) in scalars(problem).items()})
    train(other, times, seeds=[0], strict=False)
    more = training._train._cache_size() - count  # pyright: ignore
    demand(more == 0, problem, "another value of a scalar compiles anew.")
    for name in (str(n) for n in seen.data_vars if n != "outcome"):
        loop = np.stack([one[name].values[0] for one in alone])
        agree = np.allclose(seen[name], loop, rtol=0, atol=1e-12 * max(1.0, largest(loop)), equal_nan=True)
        demand(agree, problem, f"{name} differs between a batch and single runs.")


def check_descent(problem: Problem) -> None:
    """The objective never rises under gradient flow, beyond the tolerance of the integrator."""
    try:
        flow = problem if problem.rule.continuous else vary(problem, {"rule": GradientFlow()})
    except ValueError:
        return  # a problem may be one of whole steps only
    with jax.enable_x64():
        setting = Setting(flow)
        ends = [replay(flow, np.linspace(0.0, t, 5)) for t in short_axis(flow)[1:]]
        points = jax.tree.map(jnp.asarray, (setting.start, *ends))
        levels = np.asarray([flow.objective(w, setting.data) for w in points])
    rise, slack = np.max(np.diff(levels)), 10 * flow.rule.tolerance * np.max(np.abs(levels))  # pyright: ignore
    demand(rise <= slack, problem, f"the objective rises by {rise:.3g} under gradient flow.")


def check_assumptions(theory: Theory, problem: Problem, breaking: Mapping[str, Problem]) -> None:
    """Strains are finite here, and each assumption is reported where it is broken."""
    with jax.enable_x64():
        found = choice.strains(theory, Setting(problem))
    demand(all(map(math.isfinite, found.values())), theory, f"its strains are not finite: {found}.")
    demand(theory.applies(problem), theory, "`applies` says no where its strains are finite.")
    unknown = sorted(set(breaking) - set(found))
    demand(not unknown, theory, f"`breaking` names {unknown}, which it does not assume.")
    known = {a.name: a.broken_by(problem) for a in theory.assumptions if a.broken_by and a.name not in breaking}
    known |= breaking
    lost = sorted(set(found) - set(known))
    demand(not lost, theory, f"nothing breaks its assumptions {lost}; give each a broken_by, or name it in `breaking`.")
    for name, broken in known.items():
        with jax.enable_x64():
            strain = choice.strains(theory, Setting(broken))[name]
        demand(strain > 1, theory, f"{name!r} is strained to {strain} only where it should be broken.")
        told = not any(a.name == name and a.holds is not None for a in theory.assumptions) or not theory.applies(broken)
        demand(told, theory, f"`applies` says yes where {name!r} cannot hold.")
    for name, broken in [*known.items()][:1]:  # the table of all theories: it costs the strains of each
        rows = choice.theories(broken).query("theory == @kind", local_dict={"kind": type(theory).__name__})
        demand(len(rows) == 1 and not rows["applies"].any(), theory, f"theories() hides that {name!r} fails.")


def check_time_zero(theory: Theory, problem: Problem, seeds: int = SEEDS) -> tuple[xr.Dataset, dict[str, Array]]:
    """Curves claimed as values begin where training begins: exactly for a given draw and start, else in the mean.

    Returns the whole prediction, and what is observed at the start.
    """
    axis = short_axis(problem)
    whole = told_by(theory, problem, axis, seeds)
    told = whole.isel({dim: 0 for dim in ("time", "time2") if dim in whole.dims})
    check_predicted_once(theory.prepare(problem, axis), problem, seeds)
    skeleton, loose = training.split(problem)
    with jax.enable_x64():
        begin = _at_start(skeleton, loose, jnp.arange(seeds))
    exact = {"start", "draw"} <= set(theory.conditions_on)
    for name in (o.name for o in present(problem) if o.name in told and _valued(theory, o.name)):
        said = told[name].sel(claim="value").values if "claim" in told[name].dims else told[name].values
        gap = np.asarray(begin[name]) - said
        size = theory.finite_size(problem).get(name)
        scale = max(1e-3, float(np.max(np.abs(said))))
        reach = (ROUNDING + problem.margins.get(name, 0.0)) * scale
        reach += size.within(told) * (scale if size.relative else 1.0) if size else 0.0
        error = student(seeds, len(told.data_vars)) * gap.std(axis=0, ddof=1) / math.sqrt(seeds)
        off, reach = (np.abs(gap), 1e-9 * scale) if exact else (np.abs(gap.mean(axis=0)), reach + error)
        demand(np.all(off <= reach), theory, f"{name} starts {np.max(off):.3g} off, allowed are {np.max(reach):.3g}.")
    return whole, begin


def _valued(theory: Theory, name: str) -> bool:
    """Whether a curve is claimed as a value at all times."""
    return any(claim.kind == "value" and claim.time for claim in theory.claims_of(name))


def told_by(theory: Theory, problem: Problem, axis: np.ndarray, seeds: int) -> xr.Dataset:
    """The prediction; AssertionError where an array does not have the dims that are declared."""
    try:
        return predict(problem, axis, theory=theory, seeds=seeds)
    except ValueError as refused:
        raise AssertionError(f"{type(theory).__name__}: {refused}") from refused


@partial(jax.jit, static_argnums=0)
def _at_start(skeleton: training.Skeleton, loose: list[Any], seeds: Array) -> dict[str, Array]:
    """What is observed before the first step, one program for all theories of a problem."""
    problem = skeleton.join(loose)

    def one(seed: Array) -> Any:
        draw, begin, _ = seed_keys(seed)
        data = problem.draw(draw)
        return now_and_now(problem, problem.observe(problem.initial(begin, data), data))

    return jax.lax.map(one, seeds)


def check_predicted_once(theory: Theory, problem: Problem, seeds: int) -> None:
    """Other values of all scalars are predicted by the program that is there already."""
    programs: Any = (evaluation._predict, evaluation._predict_seeds)
    count = sum(program._cache_size() for program in programs)
    other = vary(problem, {name: inside(p, v) for name, (p, v) in scalars(problem).items()})
    predict(other, short_axis(problem), theory=theory, seeds=seeds)
    more = sum(program._cache_size() for program in programs) - count
    demand(more == 0, theory, "another value of a scalar compiles anew.")


def check_single(theory: Theory, problem: Problem, axis: np.ndarray, fan: Mapping[str, np.ndarray]) -> None:
    """What a theory tells under vmap is what it tells through `predict`, for seed 0."""
    alone = predict(problem, axis, theory=theory, seeds=SEEDS)
    alone = alone.isel(seed=0) if "seed" in alone.dims else alone
    for name in fan:
        whole, _, side = name.partition(": ")
        if whole not in alone.data_vars:
            continue
        value = (alone[whole].sel(claim=side) if side else alone[whole]).values
        still = np.allclose(fan[name], value, rtol=1e-10, atol=1e-10, equal_nan=True)
        demand(still, theory, f"{name} differs between vmap and a single call.")


def check_transparent(theory: Theory, problem: Problem, step: float = 1e-4) -> None:
    """jit, vmap and jacfwd go through in every scalar, and the derivative is that of finite differences."""
    names = list(scalars(problem))
    case = vary(problem, {name: inside(p, v) for name, (p, v) in scalars(problem).items()})
    axis = short_axis(case)

    def at(values: Any) -> Any:
        moved = eqx.tree_at(lambda p: [attrgetter(name)(p) for name in names], case, list(values))
        return spread(ready.predict(moved, *given, jnp.asarray(axis)))

    with jax.enable_x64():
        setting, ready = Setting(case), theory.prepare(case, axis)
        given = setting.data, setting.start
        here = jnp.asarray([v for _, v in scalars(case).values()])
        lever = step * jnp.maximum(1.0, jnp.abs(here))
        around = jnp.concatenate([here[None] + s * jnp.diag(lever) for s in (1.0, -1.0, 0.5, -0.5, 0.0)])
        ways = jnp.tile(jnp.eye(len(names)), (5, 1))
        # one program for all: jacfwd is vmap of jvp
        both = jax.jit(jax.vmap(lambda values, way: jax.jvp(at, (values,), (way,))))(around, ways)
        fan, slopes = (jax.tree.map(lambda v: v.reshape(5, len(names), *v.shape[1:]), part) for part in both)
    turned = {name: np.moveaxis(np.asarray(value[4]), 0, -1) for name, value in slopes.items()}
    told = {name: np.asarray(value[4, 0]) for name, value in fan.items()}
    check_single(theory, case, axis, told)
    known = [*theory.speaks_of, *(axis.coordinate for axis in axes(theory.own).values())]
    for name, value in told.items():
        demand(name.partition(": ")[0] in known, theory, f"it predicts {name}, of which it does not speak.")
        wide = np.moveaxis(np.asarray(fan[name][0] - fan[name][1]), 0, -1) / (2 * np.asarray(lever))
        fine = np.moveaxis(np.asarray(fan[name][2] - fan[name][3]), 0, -1) / np.asarray(lever)
        slack = 1e-5 * (largest(np.asarray(value)) + largest(fine))
        # where a curve jumps (a share of samples), the two differences disagree and nothing can be said
        wrong = (np.abs(fine - wide) <= slack) & ~(np.abs(np.asarray(turned[name]) - fine) <= 10 * slack)
        blamed = sorted({names[i] for i in np.argwhere(wrong)[:, -1]})
        demand(not blamed, theory, f"the derivative of {name} in {', '.join(blamed)} is wrong under jacfwd.")
