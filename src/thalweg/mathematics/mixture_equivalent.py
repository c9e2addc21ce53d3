"""Deterministic equivalent for mixtures of K Gaussians, each with its own covariance, several outputs and a bias.

Columns x_i = m_{k(i)} + C_k^(1/2) z_i, i = 1..n, class fractions pi, targets y_i = row k(i) of T (K, q), S = X X^T / n,
W = f(S) W_0 + g(S) X Y / n with entries of W_0 of variance v / p; with a bias a constant feature 1 is added, whose
weights start at 0. With D = diag(sqrt pi) and s = sqrt(pi) as a vector,

    Q = (sum_k pi_k a_k C_k - z)^(-1),  a_k = 1/(1 + delta_k),  delta_k = tr(C_k Q)/n        (Im delta > 0 for Im z > 0)
    G = D M^T Q M D + diag(delta) - [bias] s s^T / z,     R = (I + G)^(-1) D T

Means of the outputs are integrals linear in g, their covariances double integrals over g(z1) g(z2) and f(z1) f(z2).
One covariance may be shared by all classes: then there is a single delta, and all matrices are diagonal in its basis.
Matrices stand as blocks along the diagonal, (blocks, b, b): one of p x p, or p of 1 x 1. Contours:
`covariance_equivalent`.

Source: Louart and Couillet 2018 (Q for mixtures), Liao and Couillet 2018 (filters by contours, two classes). Several
covariances, outputs and the bias are derived here: two resolvents Q(z1) A Q(z2) by differentiating Q in the direction
of A, and the bias as one more mean that is 1 in every class, with no noise along it.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Num, Real

from .elimination import inverse, solved

Scalar = int | float | Real[Array, ""]
Means = Float[Array, "p classes"]
Covariances = Float[Array, "kinds p p"]
PerClass = Float[Array, " classes"]
Targets = Float[Array, "classes outputs"]
Points = Complex[Array, " nodes"]
Blocks = Num[Array, "kinds blocks b b"]
Resolvent = Complex[Array, "nodes blocks b b"]
Filters = Complex[Array, "times nodes"]

# Newton steps at the first node, of which each third goes half of the way down from far above, and at each other node
_FIRST = 45
_STEPS = 4


class Mixture(NamedTuple):
    """means (p, K), covariances (K, p, p), or (1, p, p) where all classes share it, fractions (K,), targets (K, q)."""

    means: Means
    covariances: Covariances
    fractions: PerClass
    targets: Targets

    def of_kind(self, values: Float[Array, " classes"]) -> Float[Array, " kinds"]:
        """Sums over the classes that share a covariance."""
        return jnp.sum(values, keepdims=True) if self.covariances.shape[0] == 1 else values

    def each(self, values: Array) -> Array:
        """Values of the covariances, repeated for each class that shares one; the first axis."""
        return jnp.broadcast_to(values, (self.fractions.shape[0], *values.shape[1:]))

    def blocks(self) -> tuple[Float[Array, "blocks b classes"], Blocks]:
        """Means and covariances in a basis where all covariances are made of blocks along the diagonal."""
        if self.covariances.shape[0] > 1:
            return self.means[None], self.covariances[:, None]
        values, vectors = jnp.linalg.eigh(self.covariances[0])
        return (vectors.T @ self.means)[:, None, :], jnp.maximum(values, 0.0)[None, :, None, None]


class Kernels(NamedTuple):
    """What does not depend on the filters; z1 on the nodes, z2 on the nodes and on their conjugates.

    outputs (nodes, K, q), fit (nodes,), mass (nodes,): integrands linear in g, g and f^2 with their weights.
    spread (kinds, nodes, twice, q, q), noise (kinds, nodes, twice): of the covariance of the outputs, from g and f.
    size (nodes, twice): of |W|^2 from g. defect: as in `covariance_equivalent`.
    """

    outputs: Complex[Array, "nodes classes outputs"]
    fit: Points
    mass: Points
    spread: Complex[Array, "kinds nodes twice outputs outputs"]
    noise: Complex[Array, "kinds nodes twice"]
    size: Complex[Array, "nodes twice"]
    points: Points
    target_power: Float[Array, ""]
    defect: Float[Array, ""]


class Outputs(NamedTuple):
    """For T filter pairs: mean outputs (T, K, q) by class, covariances (T, kinds, q, q), train and size (T,).

    train is the mean over the n columns of |y - W^T x|^2, summed over outputs; size is |W|^2 without the bias.
    """

    means: Float[Array, "times classes outputs"]
    covariances: Float[Array, "times kinds outputs outputs"]
    train: Float[Array, " times"]
    size: Float[Array, " times"]


def _trace(blocks: Num[Array, "*batch blocks b b"]) -> Num[Array, "*batch"]:
    return jnp.sum(jnp.trace(blocks, axis1=-2, axis2=-1), axis=-1)


def resolvents(
    covariances: Blocks, shares: Float[Array, " kinds"], samples: Scalar, z: Points
) -> tuple[Complex[Array, "nodes kinds"], Resolvent]:
    """delta and Q on every node: Newton, from node to node outwards from the one highest above the axis.

    `shares` are the fractions of points of each covariance. The first node is reached from far above it, where
    delta = -tr C / (n z).
    """
    count = z.shape[0]
    top = jnp.argmax(z.imag)
    steps = jnp.arange(count)
    order = jnp.where(steps < count - top, top + steps, count - 1 - steps)
    trace = _trace(covariances)
    high = 8.0 * (jnp.max(jnp.abs(z)) + jnp.sum(trace))
    newton = partial(_newton, covariances.astype(z.dtype), shares.astype(z.dtype), samples)

    def descend(delta: Array, step: Array) -> tuple[Array, None]:
        share = jnp.maximum(1.0 - step / (_FIRST - 15.0), 0.0)
        point = z[top].real + 1j * z[top].imag * (high / z[top].imag) ** share
        return newton(point, delta)[0], None

    first, _ = jax.lax.scan(descend, -trace.astype(z.dtype) / samples / (1j * high), jnp.arange(_FIRST))

    def visit(last: Array, index: Array) -> tuple[Array, tuple[Array, Array]]:
        # the other side begins at the top again
        delta = jnp.where((index == top) | (index == top - 1), first, last)
        # the resolvent of the last step stands where that step began: one step too far costs nothing
        begin = delta, jnp.zeros(covariances.shape[1:], z.dtype)
        found = jax.lax.fori_loop(0, _STEPS, lambda _, d: newton(z[index], d[0]), begin)
        return found[0], found

    _, (delta, resolvent) = jax.lax.scan(visit, first, order)
    place = jnp.zeros(count, order.dtype).at[order].set(steps)
    return delta[place], resolvent[place]


def _newton(covariances: Array, shares: Array, samples: Scalar, point: Array, delta: Array) -> tuple[Array, Array]:
    """One Newton step for delta_k = tr(C_k Q)/n, and the Q before it."""
    a = shares / (1 + delta)
    identity = jnp.eye(covariances.shape[-1], dtype=delta.dtype)[None]
    resolvent = jax.vmap(inverse)(jnp.einsum("k,kbij->bij", a, covariances) - point * identity)
    through = covariances @ resolvent[None]
    value = delta - _trace(through) / samples
    pairs = jnp.einsum("kbij,lbji->kl", through, through) / samples
    slope = jnp.eye(delta.shape[0], dtype=delta.dtype) - pairs * (a / (1 + delta))[None, :]
    return delta - solved(slope, value[:, None])[:, 0], resolvent


def kernels(
    mixture: Mixture, samples: Scalar, start_variance: Scalar, bias: int, z: Points, weights: Points
) -> Kernels:
    """All kernels on one contour; `bias` is 0 or 1. Cost O(N p^3) and, for the pairs, O(N^2 K^2 p^2).

    With one covariance for all it is O(p^3) once, O(N p), and O(N^2 p q^2).
    """
    targets = mixture.targets.astype(z.dtype)
    means, covariances = (part.astype(z.dtype) for part in mixture.blocks())
    delta, resolvent = resolvents(covariances.real, mixture.of_kind(mixture.fractions), samples, z)
    root = jnp.sqrt(mixture.fractions).astype(z.dtype)
    scaled, aim = means * root[None, None, :], root[:, None] * targets
    every = jax.vmap(mixture.each)(delta)
    identity = jnp.eye(root.shape[0], dtype=z.dtype)
    seen = jnp.einsum("bpk,nbpr,brl->nkl", scaled, resolvent, scaled)
    constant = bias * (root[:, None] * root[None, :])[None, :, :] / z[:, None, None]
    inner = seen + every[:, :, None] * identity[None, :, :] - constant
    response = solved(identity[None, :, :] + inner, jnp.broadcast_to(aim, (z.shape[0], *aim.shape)))
    drawn = jnp.einsum("nbpr,brl,nlq->nbpq", resolvent, scaled, response)
    held = bias * jnp.einsum("l,nlq->nq", root, response) / z[:, None]
    means_of = jnp.einsum("bpk,nbpq->nkq", means, drawn) - held[:, None, :]
    mass = -weights * _trace(resolvent) / mixture.means.shape[0]
    spread, noise, size = _pairs(mixture, covariances, samples, resolvent, delta, drawn, response, weights)
    return Kernels(
        outputs=-weights[:, None, None] * means_of,
        fit=-weights * jnp.einsum("kq,nkl,nlq->n", aim, inner, response),
        mass=start_variance * targets.shape[1] * mass,
        spread=spread,
        noise=start_variance * noise,
        size=size,
        points=z,
        target_power=jnp.sum(aim.real**2),
        defect=_defect(-weights[:, None, None, None] * drawn, mass, delta, (scaled @ aim).real),
    )


def _pairs(
    mixture: Mixture,
    covariances: Blocks,
    samples: Scalar,
    resolvent: Resolvent,
    delta: Complex[Array, "nodes kinds"],
    drawn: Complex[Array, "nodes blocks b outputs"],
    response: Complex[Array, "nodes classes outputs"],
    weights: Points,
) -> tuple[Array, Array, Array]:
    """Kernels of W^T C_m W from g, of tr(f C_m f)/p from f, and of |W|^2 from g.

    d = (1 - U diag(pi a1 a2))^(-1) t, U_kl = tr(C_k Q1 C_l Q2)/n, t_k = tr(C_k Q1 A Q2)/n for A = C_m and A = 1;
    Th(A) = Q1 A Q2 + sum_l pi_l a_l(z1) a_l(z2) d_l Q1 C_l Q2; the g part is R1^T (D M^T Th M D + diag(d)) R2.
    """
    p, kinds = mixture.means.shape[0], mixture.covariances.shape[0]
    twice = jax.tree.map(lambda one: jnp.concatenate([one, one.conj()]), (resolvent, delta, drawn, response, weights))
    a1, a2 = 1 / (1 + delta), 1 / (1 + twice[1])
    through, across = (jnp.einsum("kbij,nbjl->nkbil", covariances, one) for one in (resolvent, twice[0]))
    overlap = jnp.einsum("nkbij,mlbji->nmkl", through, across) / samples
    plain = jnp.einsum("nkbij,mbji->nmk", through, twice[0]) / samples
    shares = mixture.of_kind(mixture.fractions)[None, None, :] * a1[:, None, :] * a2[None, :, :]
    identity = jnp.eye(kinds, dtype=resolvent.dtype)[None, None, :, :]
    right = jnp.concatenate([overlap, plain[..., None]], axis=3)
    gain = solved(identity - overlap * shares[:, :, None, :], right)
    # weight of Q1 C_l Q2 in Th(C_m), last column Th(1) beside Q1 Q2
    mixed = shares[..., None] * gain
    mixed = mixed.at[..., :kinds].add(identity)
    forms = jnp.einsum("nbpq,kbpr,mbrs->nmkqs", drawn, covariances, twice[2])
    # R1^T diag(d) R2, class by class, or summed where one d serves all
    aligned = jnp.einsum("nkq,mks->nmkqs", response, twice[3])
    aligned = jnp.sum(aligned, axis=2, keepdims=True) if kinds == 1 else aligned
    steps = weights[:, None] * twice[4][None, :]
    spread = jnp.einsum("nmkqs,nmkc->cnmqs", forms, mixed[..., :kinds])
    spread = spread + jnp.einsum("nmkqs,nmkc->cnmqs", aligned, gain[..., :kinds])
    noise = jnp.einsum("nmk,nmkc->cnm", plain * samples, mixed[..., :kinds]) / p
    size = jnp.einsum("nbpq,mbpq->nm", drawn, twice[2]) + jnp.einsum("nmkqq,nmk->nm", forms, mixed[..., kinds])
    size = size + jnp.einsum("nmkqq,nmk->nm", aligned, gain[..., kinds])
    return spread * steps[None, :, :, None, None], noise * steps[None], size * steps


def _defect(direction: Array, mass: Points, delta: Array, column: Array) -> Float[Array, ""]:
    """Error of the integrals at f = 1 and g = 1, which are known; inf where some Im delta is not positive."""
    error = jnp.linalg.norm(2 * jnp.sum(direction.real, axis=0) - column)
    size = jnp.linalg.norm(column)
    worst = jnp.maximum(jnp.abs(2 * jnp.sum(mass.real) - 1), error / jnp.where(size > 0, size, 1.0))
    return jnp.where(jnp.all(delta.imag > 0), worst, jnp.inf)


def form(pairs: Complex[Array, "nodes twice"], values: Filters) -> Float[Array, " times"]:
    """Half of a double integral over h(z1) h(z2), for filters on the nodes."""
    both = jnp.concatenate([values, values.conj()], axis=1)
    return jnp.sum((values @ pairs) * both, axis=1).real


def outputs(found: Kernels, f: Filters, g: Filters) -> Outputs:
    """Averages for T filter pairs on the nodes: f(z_j), g(z_j), one row each."""
    both = jnp.concatenate([g, g.conj()], axis=1)
    count = found.spread.shape[3]
    noise = jnp.stack([form(pairs, f) for pairs in found.noise], axis=1)
    spread = jnp.einsum("tn,cnmqs,tm->tcqs", g, found.spread, both).real
    covariances = 2 * spread + 2 * noise[:, :, None, None] * jnp.eye(count)[None, None, :, :]
    fit = 2 * (g @ found.fit).real
    second = 2 * (g**2 @ (found.points * found.fit)).real + 2 * (f**2 @ (found.points * found.mass)).real
    return Outputs(
        means=2 * jnp.einsum("tn,nkq->tkq", g, found.outputs).real,
        covariances=covariances,
        train=found.target_power - 2 * fit + second,
        size=2 * form(found.size, g) + 2 * (f**2 @ found.mass).real,
    )
