"""train and replay: runs for real, without theory."""

from typing import Any

import jax
import numpy as np
import xarray as xr

from ..computing.float64 import float64
from ..computing.interrupts import answer, patient
from ..computing.parallel import Progress
from ..results.labels import OUTCOMES
from ..running import training
from ..running.evaluation import trained
from ..running.request import Request, Seeds, what_ended
from ..words.problem import Problem


def train(
    problem: Problem,
    times: Any = None,
    *,
    seeds: Seeds = 1,
    data: Any = None,
    start: Any = None,
    strict: bool | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Train for real, without theory: an xarray.Dataset with dims `seed`, `time`; events have no `time`.

    `outcome` (seed) says in a sentence how each run ended. With `strict` (the default for one run) a run that left
    the finite numbers or hit its step ceiling raises; otherwise its data are kept. Ctrl-C raises Interrupted, whose
    `finished` holds the seeds that had ended.
    """
    with patient(), float64():
        request = Request.of(problem, times, seeds, data, start)
        done = training.run(request, progress)
        result = None if done is None else trained(request, done)
        answer(lambda: result, what_ended(done.seeds if done else [], request.seeds, "train"))
    assert done is not None
    assert result is not None
    if len(request.seeds) == 1 if strict is None else strict:
        refuse_bad_runs(problem, done, result)
    return result


def refuse_bad_runs(problem: Problem, done: training.Finished, result: xr.Dataset) -> None:
    """FloatingPointError for the first run that did not end well, with what to do."""
    wrong = result["outcome"].values != OUTCOMES[0]
    if np.any(wrong):
        bad = int(np.argmax(wrong))
        raise FloatingPointError(
            f"seed {done.seeds[bad]} {result['outcome'].values[bad]}. {_repair(problem, result)} "
            "strict=False keeps the data."
        )


def _repair(problem: Problem, result: xr.Dataset) -> str:
    limit = result.get("largest_stable_rate")
    rate = getattr(problem.rule, "learning_rate", None)
    if limit is not None and rate is not None and np.all(np.isfinite(limit)):
        return f"Its learning rate is {rate:g}; on this draw the largest stable one is {float(limit.min()):.4g}."
    if rate is None:
        slow = [r.told(problem) for r in problem.remarks if r.slow and r.when(problem)]
        if slow:
            return f"{' '.join(slow)} Or ask for earlier times, or raise the step ceiling."
    return problem.rule.remedy()


def replay(problem: Problem, times: Any = None, *, seed: int = 0, data: Any = None, start: Any = None) -> Any:
    """Final parameters of one run, trained again from its seed: the same key, the same answer."""
    with patient(), float64():
        done = training.run(Request.of(problem, times, [seed], data, start), keep_final=True)
        answer(lambda: None, "the run had not ended; call replay again")
    assert done is not None
    return jax.tree.map(lambda leaf: leaf[0], done.runs.final)
