"""Sharpness of a PyTorch module: Lanczos steps on products of the Hessian and a vector."""
# pyright: reportMissingImports=false

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import vjp

from .states import Params, gradient, matching, outputs, parameters, push

ROOM, KEEP, STRIDE = 8, 4, 4


class Sharpness(NamedTuple):
    """`value`: the largest eigenvalue; `vector`: its unit vector by parameter name; `error`: a bound on the error of
    the value; `products`: matrix products it took. Given as `start` of the next call it saves most of them."""

    value: float
    vector: Params
    error: float
    products: int
    restart: Tensor


def sharpness(
    model: nn.Module,
    criterion: Callable[..., Tensor],
    batch: Any,
    preconditioner: Any = None,
    start: Sharpness | None = None,
    tolerance: float = 1e-5,
    most: int = 400,
) -> Sharpness:
    """The largest eigenvalue of the Hessian of criterion(model(inputs), targets), or of P^-1 H with a diagonal P.

    As `thalweg.diagnostics.sharpness`. The module's mode is kept: with dropout switched on each product would see
    another loss, so call model.eval() first. P: tensors by parameter name or in the order of model.parameters().
    """
    params = parameters(model)
    leaves, slopes = gradient(model, criterion, batch, params, graph=True)
    root = None
    if preconditioner is not None:
        scale = _flat(matching(preconditioner, params))
        if not bool((scale > 0).all()):
            raise ValueError("the preconditioner must have positive entries; for Adam: sqrt(second moment) + epsilon.")
        root = torch.rsqrt(scale)
    slope = _flat(slopes)

    def product(way: Tensor) -> Tensor:
        way = way if root is None else root * way
        parts = torch.autograd.grad(
            slope, tuple(leaves.values()), way, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        image = torch.cat([part.reshape(-1) for part in parts])
        return image if root is None else root * image

    return _largest(product, params, start, tolerance, most)


def gauss_newton_sharpness(
    model: nn.Module,
    criterion: Callable[..., Tensor],
    batch: Any,
    start: Sharpness | None = None,
    tolerance: float = 1e-5,
    most: int = 400,
) -> Sharpness:
    """The largest eigenvalue of J^T C J, what is left of the Hessian where residuals vanish; as in the JAX function."""
    params = parameters(model)
    inputs, targets = batch

    def run(now: Params) -> Tensor:
        return outputs(model, now, inputs)

    with torch.no_grad():
        told, pull = vjp(run, params)[:2]
    with torch.enable_grad():
        out = told.detach().requires_grad_()
        (bend,) = torch.autograd.grad(criterion(out, targets), out, create_graph=True)

    def product(way: Tensor) -> Tensor:
        with torch.no_grad():
            turned = push(run, params, _named(way, params))[1]
            # a criterion that is linear in the outputs has no curvature
            bent = torch.autograd.grad(bend, out, turned, retain_graph=True)[0] if bend.requires_grad else 0 * turned
            return _flat(pull(bent)[0])

    return _largest(product, params, start, tolerance, most)


def curvature(model: nn.Module, criterion: Callable[..., Tensor], batch: Any, direction: Any) -> float:
    """R = d.H d / d.d, the curvature of the loss along a direction."""
    params = parameters(model)
    way = _flat(matching(direction, params))
    leaves, slopes = gradient(model, criterion, batch, params, graph=True)
    parts = torch.autograd.grad(_flat(slopes), tuple(leaves.values()), way, allow_unused=True, materialize_grads=True)
    value = float(way @ torch.cat([part.reshape(-1) for part in parts]) / (way @ way))
    if value != value:
        raise ValueError("the curvature along this direction is not a number: the direction is zero, or the loss NaN.")
    return value


def _flat(leaves: Params) -> Tensor:
    return torch.cat([leaf.reshape(-1) for leaf in leaves.values()])


def _named(flat: Tensor, params: Params) -> Params:
    parts = flat.split([leaf.numel() for leaf in params.values()])
    return {name: part.reshape(params[name].shape) for name, part in zip(params, parts, strict=True)}


def _largest(
    product: Callable[[Tensor], Tensor], params: Params, start: Sharpness | None, tolerance: float, most: int
) -> Sharpness:
    """The steps of `mathematics.lanczos.top_pair`: Ritz values every 4 products, a full basis keeps its 4 best."""
    flat = _flat(params)
    if start is not None and start.restart.shape != flat.shape:
        raise ValueError(
            f"`start` has {start.restart.numel()} entries, the parameters have {flat.numel()}; give the result of the "
            "same module, or None."
        )
    chance = torch.randn(flat.shape, generator=torch.Generator().manual_seed(0)).to(flat)
    way = chance if start is None else start.restart.to(flat) + 0.01 * chance / chance.norm()
    way, tolerance = way / way.norm(), max(tolerance, 4 * torch.finfo(flat.dtype).eps)
    basis, images = flat.new_zeros((0, flat.numel())), flat.new_zeros((0, flat.numel()))
    products = 0
    while True:
        for _ in range(STRIDE):
            image = product(way).detach()
            products += 1
            basis, images = torch.cat([basis, way[None]]), torch.cat([images, image[None]])
            left = image - (basis @ image) @ basis
            left = left - (basis @ left) @ basis
            norm = left.norm()
            complete = bool(norm <= 10 * torch.finfo(flat.dtype).eps * image.norm())
            if complete:
                break
            way = left / norm
        best, told, error = _ritz(basis, images)
        value = float(best[0] @ told[0])
        done = error <= tolerance * abs(value)
        if done or complete or products >= most:
            break
        if len(basis) + STRIDE > ROOM:
            basis, images = best, told
    _warn_if_unknown(value, error, tolerance, products)
    restart = best[0] + 0.05 * best[1:].sum(0)
    return Sharpness(value, _named(best[0], params), error, products, restart)


def _ritz(basis: Tensor, images: Tensor) -> tuple[Tensor, Tensor, float]:
    """The best Ritz vectors of a space, largest first, their images, and a bound on the error of the first value."""
    matrix = basis @ images.T
    if not bool(torch.isfinite(matrix).all()):
        raise ValueError("the loss has a curvature that is NaN or infinite here; look for an overflow in it.")
    values, mixes = torch.linalg.eigh(0.5 * (matrix + matrix.T))
    kept = mixes.flip(1)[:, :KEEP].T
    best, told = kept @ basis, kept @ images
    residual = (told[0] - values[-1] * best[0]).norm()
    gap = values[-1] - values[-2] if len(values) > 1 else residual
    return best, told, float(residual**2 / gap if gap > residual else residual)


def _warn_if_unknown(value: float, error: float, tolerance: float, products: int) -> None:
    if error > 10 * tolerance * abs(value):
        warnings.warn(
            f"the largest eigenvalue {value:.6g} is known to {error:.1g} only after {products} products; raise "
            "`most`, or the tolerance.",
            UserWarning,
            stacklevel=4,
        )
