"""Bias of the state evolution of quadratic regression against minimisers of the objective, times dimension.

Run: python benchmarks/quadratic_samples.py [seeds] (minutes). The minimisers come from scipy's L-BFGS, started where
the problem starts. The constants of StateEvolution.finite_size come from here: logs of the losses, the rest as shares.
"""

import sys

import jax
import numpy as np
import scipy.optimize

import thalweg as tw
from thalweg.words.problem import seed_keys

# ratios of width, teacher and samples, penalty and noise in the source's units for a teacher of trace d
CASES = {
    "flat teacher": (0.5, 0.25, 0.4, 0.1, 0.1, True),
    "wide, noisy": (1.0, 0.25, 0.5, 0.2, 0.5, True),
    "width of the teacher": (0.25, 0.25, 0.4, 0.2, 0.25, True),
    "Gaussian teacher, no noise": (0.7, 0.5, 0.3, 0.1, 0.0, False),
    "Gaussian teacher, narrow": (0.4, 0.3, 0.35, 0.1, 0.25, False),
}


def problem_of(case: tuple, d: int, inputs: tw.Problem) -> tw.QuadraticRegression:
    width, teacher, ratio, penalty, noise, flat = case
    return tw.QuadraticRegression(
        dimension=d, width=round(width * d), teacher_width=round(teacher * d), samples=round(ratio * d * (d + 1)),
        weight_decay=4 * penalty / d, noise=(noise / d) ** 0.5, inputs=inputs,
        start=tw.GaussianStart(), teacher=tw.Orthonormal() if flat else tw.GaussianStart(),
    )  # fmt: skip


def minimum(problem: tw.QuadraticRegression, seed: int) -> dict[str, float]:
    """Observables at the minimiser that L-BFGS finds for one seed."""
    draw, begin, _ = seed_keys(np.int64(seed))
    data = problem.draw(draw)
    start = problem.initial(begin, data)
    shape = start.weights.shape

    def objective(flat):
        return problem.objective(type(start)(flat.reshape(shape), start.trace_integral), data)

    slope = jax.jit(jax.value_and_grad(objective))
    options = {"maxiter": 20000, "maxfun": 40000, "gtol": 1e-10, "ftol": 1e-15}
    found = scipy.optimize.minimize(
        lambda w: tuple(np.asarray(v, float) for v in slope(w)), np.ravel(start.weights), jac=True, method="L-BFGS-B",
        options=options,
    )  # fmt: skip
    end = problem.observe(type(start)(found.x.reshape(shape), start.trace_integral), data)
    return {name: float(end[name]) for name in ("test_loss", "train_loss", "overlap", "trace_gap", "effective_rank")}


def main(seeds: int = 16) -> None:
    for law, sizes in ((tw.VectorInputs(), (20, 40)), (tw.MatrixInputs(), (20,))):
        for words, case in CASES.items():
            for d in sizes:
                problem = problem_of(case, d, law)
                told = tw.predict(problem, theory=tw.StateEvolution(), seeds=seeds).isel(time=-1)
                with jax.enable_x64():
                    ends = [minimum(problem, seed) for seed in range(seeds)]
                line = []
                for name in ends[0]:
                    seen, wanted = np.array([end[name] for end in ends]), told[name].values
                    off = np.log(seen / wanted) if "loss" in name else seen - wanted
                    off = off / wanted if name == "effective_rank" else off
                    line.append(f"{name} {d * off.mean():.2f} ({d * off.std(ddof=1) / seeds**0.5:.2f})")
                print(f"{type(law).__name__}, {words}, dimension {d}: {', '.join(line)}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
