"""The commands of docs/findings.md: `python benchmarks/findings.py NAME` shows one, without a name all of them."""

import math
import sys
import tempfile
import warnings
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from sklearn.linear_model import LogisticRegression

import thalweg as tw
from thalweg.diagnostics import own_loss
from thalweg.results.intake import inspect


def gaussian_families() -> None:
    """The trace exponent phi of runs from Gaussian families, the limit of orthonormal ones, and the own curve."""
    for size in (80, 200, 400):
        problem = tw.MartinBachBiroli2023.figure4(dimension=size, width=size // 2, teacher_width=size // 4)
        times = [0.0, float(tw.MartinBachBiroli2023.figure4.times(problem)[-1])]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tw.TheoryWarning)
            drawn, own = (
                tw.predict(problem, times, theory=t) for t in (tw.HighDimensionalFlow(), tw.RandomStartFlow())
            )
        # phi of the source is twice the trace integral
        told = [2 * float(np.mean(d.trace_integral.isel(time=-1))) for d in (drawn, own)]
        line = f"dimension {size}: phi at gamma = 10, orthonormal limit {told[0]:.3f}, Gaussian curve {told[1]:.3f}"
        if size == 80:  # larger ones take minutes
            phi = 2 * tw.train(problem, times, seeds=5).trace_integral.isel(time=-1)
            line += f", 5 trained runs {float(phi.mean()):.3f} (standard error {float(phi.std(ddof=1)) / 5**0.5:.3f})"
        print(line)


@jax.enable_x64()
def bounded_states() -> None:
    """Linear range of a tanh network: with the tangent change in the denominator, threshold 1 is never reached."""
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = ((4, 16), (16, 16), (16, 2))
    net = [jax.random.normal(k, s) / s[0] ** 0.5 for k, s in zip(keys, shapes, strict=False)]
    inputs = jax.random.normal(keys[3], (32, 4))

    def states(params, x):
        found = [x]
        for weights in params:
            found.append(jnp.tanh(found[-1] @ weights))
        return found[1:]

    gradient = jax.grad(lambda p: 0.5 * jnp.mean(jnp.sum((states(p, inputs)[-1] - 0.5) ** 2, axis=1)))(net)
    down = jax.tree.map(jnp.negative, gradient)
    for denominator in ("tangent", "min"):
        found = tw.diagnostics.linear_range(
            states, net, inputs, down, (0.3, 1.0), denominator=denominator, method="root"
        )
        steps = ", ".join(f"{e:.4f}" for e in found.nonlinearity([1e1, 1e3, 1e5]))
        low, high = found.step
        print(f"{denominator}: eps at steps 1e1, 1e3, 1e5: {steps}; range at 0.3: {low:.3g}, at 1: {high:.3g}")


def finder_at_small_batches() -> None:
    """torch-lr-finder's recipe, as in its manual, on a regression with batches of 8 and of all, beside good rates."""
    from learning_rate_advice import Setup, finder
    from learning_rate_published import published

    name = "Friedman's function, GELU 10-50-50-1, SGD, batch 8"
    case = next(c for c in published() if c.name == name)
    for seed in range(3):
        task = own_loss.checked(case.loss, case.network.start(jax.random.key(seed)), case.batches(seed), case.rule)
        rate = finder(Setup(case, task, case.loss, 0.1)).rate
        rates = [r for r in (rate, 0.05, 0.2, 0.5) if math.isfinite(r)]
        losses = own_loss.at_rates(task, np.sort(rates), [0, case.steps], 128).losses[:, -1]
        pairs = ", ".join(f"{r:.2g}: {x:.3g}" for r, x in zip(np.sort(rates), losses, strict=True))
        print(f"seed {seed}: the finder says {rate:.2g}; loss after {case.steps} steps at each rate: {pairs}")


def separable_rows() -> None:
    """LogisticRegression without penalty on rows that a plane separates: the optimum is at infinity."""
    inputs, labels = np.array([[-2.0, 1.0], [-1.0, 0.0], [1.0, 0.5], [2.0, -1.0]]), np.array([0, 0, 1, 1])
    for tolerance in (1e-4, 1e-6, 1e-8):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model = LogisticRegression(C=np.inf, tol=tolerance, max_iter=1000).fit(inputs, labels)
        said = [str(w.message) for w in told]
        print(f"tol {tolerance:g}: {model.n_iter_[0]} iterations, weights {model.coef_[0].round(2)}, warnings {said}")
    print(f"tw.separation: separable rows {tw.separation(inputs, labels, intercept=True).separable}")


def _refused(path: Path) -> str:
    try:
        inspect(path)
    except ValueError as refused:
        return str(refused)
    return "read"


def files_that_read_files() -> None:
    """A netCDF file that brings bytes of another file of the reader's disk, and one that claims 8 TB."""
    with tempfile.TemporaryDirectory() as folder:
        secret, sent, huge = (Path(folder) / name for name in ("secret.txt", "sent.nc", "huge.nc"))
        secret.write_bytes(b"a secret")
        with h5py.File(sent, "w") as file:
            made = file.create_dataset("x", (8,), "u1", external=[(str(secret), 0, 8)])
            axis = file.create_dataset("i", data=np.arange(8))
            axis.make_scale("i")
            made.dims[0].attach_scale(axis)
        print("xarray:", bytes(xr.load_dataset(sent, engine="h5netcdf").x.values), "| thalweg:", _refused(sent))
        with h5py.File(huge, "w") as file:
            made = file.create_dataset("x", (10**6, 10**6), "f8", chunks=(1000, 1000))
            for i, name in enumerate("ij"):
                file.create_dataset(
                    name, (10**6,), "i1", chunks=(10**6,), compression="gzip", data=np.zeros(10**6, "i1")
                )
                file[name].make_scale(name)
                made.dims[i].attach_scale(file[name])
        try:
            xr.load_dataset(huge, engine="h5netcdf")
            said = "read"
        except MemoryError as trouble:
            said = f"MemoryError: {trouble}"
        print(f"{huge.stat().st_size} bytes; xarray: {said} | thalweg: {_refused(huge)}")


FINDINGS = (gaussian_families, bounded_states, finder_at_small_batches, separable_rows, files_that_read_files)

if __name__ == "__main__":
    for one in FINDINGS:
        if not sys.argv[1:] or one.__name__ in sys.argv[1:]:
            print(f"{one.__name__}: {one.__doc__}")
            one()
