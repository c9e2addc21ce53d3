"""Diagnostics of two-layer networks: the card's reference network, brute force, automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import find_peaks

import thalweg as tw
from thalweg import diagnostics as d


def reference():
    """The network of the card's F18: 5 points in 3 dimensions, 4 units."""
    k, i, j = np.arange(5), np.arange(3), np.arange(4)
    inputs = np.cos(0.9 * k[:, None] + 1.7 * i[None, :] + 0.4 * k[:, None] * i[None, :])
    labels = np.sin(1.1 * k + 0.3)
    hidden = 0.5 * np.cos(0.8 * j[:, None] + 1.3 * i[None, :] + 0.6 * j[:, None] * i[None, :] + 0.2)
    return tw.TwoLayer(hidden=hidden, output=0.6 * np.cos(1.9 * j + 0.5)), inputs, labels


def loss(network, inputs, labels):
    hidden = network.output @ jax.nn.relu(network.hidden @ inputs.T)
    return 0.5 * jnp.mean((hidden - labels) ** 2)


def test_reference_values():
    network, inputs, labels = reference()
    drives = d.drives(network, inputs, labels)
    assert float(jnp.mean((d.outputs(network, inputs) - labels) ** 2)) / 2 == pytest.approx(0.593282618644, abs=1e-12)
    assert float(d.variation_norm(network)) == pytest.approx(1.155380079294, abs=1e-12)
    assert float(d.half_squared_norm(network)) == pytest.approx(1.213255620351, abs=1e-12)
    assert float(d.gradient_norm(network, drives)) == pytest.approx(0.768511564841, abs=1e-12)
    assert float(d.effective_units(network)) == pytest.approx(3.423226626999, abs=1e-12)
    lengths = np.linalg.norm(drives, axis=1)
    np.testing.assert_allclose(lengths, [0.315992224, 0.420415477, 0.417868482, 0.722221093], atol=1e-9)
    assert tw.worst_cosine(inputs) == pytest.approx(0.997597, abs=1e-6)


def test_the_gradient_is_that_of_automatic_differentiation():
    network, inputs, labels = reference()
    slope = jax.grad(loss)(jax.tree.map(jnp.asarray, network), inputs, labels)
    drives = d.drives(network, inputs, labels)
    np.testing.assert_allclose(-slope.hidden, network.output[:, None] * drives, atol=1e-14)
    np.testing.assert_allclose(-slope.output, jnp.sum(network.hidden * drives, axis=1), atol=1e-14)
    whole = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(slope)))
    assert float(d.gradient_norm(network, drives)) == pytest.approx(whole, rel=1e-13)


def test_patterns_are_counted_as_by_a_set():
    rng = np.random.default_rng(0)
    for points in (1, 3, 40):
        active = rng.random((60, points)) < 0.3
        alive = active[active.any(axis=1)]
        assert int(d.distinct_patterns(active)) == len({tuple(row) for row in alive})
        assert int(jnp.sum(d.dead_units(active))) == len(active) - len(alive)
    assert int(d.distinct_patterns(np.zeros((4, 3), bool))) == 0


def test_a_unit_of_no_weight_or_no_active_point_gives_finite_numbers():
    network = tw.TwoLayer(hidden=np.array([[0.0, 0.0], [-1.0, -1.0], [1.0, 0.0]]), output=np.array([0.0, 1.0, -2.0]))
    inputs, labels = np.eye(2), np.array([1.0, -1.0])
    aligned = d.alignment(network, d.drives(network, inputs, labels))
    np.testing.assert_allclose(aligned, [0.0, 0.0, -1.0])
    np.testing.assert_allclose(d.balance(network), [0.0, -1 / 3, 0.6])
    assert float(d.path_norm(network)) == pytest.approx(4.0)
    empty = tw.TwoLayer(hidden=np.zeros((2, 2)), output=np.zeros(2))
    assert float(d.effective_units(empty)) == 0.0


def test_tiny_weights_keep_their_directions():
    network = tw.TwoLayer(hidden=1e-200 * np.array([[3.0, 4.0]]), output=np.array([5e-200]))
    drives = np.array([[3.0, 4.0]])
    assert float(d.alignment(network, drives)[0]) == pytest.approx(1.0)
    assert float(d.balance(network)[0]) == pytest.approx(0.0, abs=1e-15)


def test_changes_of_activation():
    before, after = np.array([[True, False], [True, True]]), np.array([[True, True], [False, True]])
    np.testing.assert_array_equal(d.activation_changes(before, after), [[0, 1], [-1, 0]])


def test_saddles_of_a_recorded_run():
    """Three scalar logistic curves one after the other: plateaus at the sums of what is not yet fitted."""
    times = np.linspace(0.0, 24.0, 4801)
    rates, sizes, starts = np.array([3.0, 1.5, 0.8]), np.array([1.0, 0.7, 0.4]), 1e-12
    grown = sizes / (1 + (sizes / starts - 1) * np.exp(-2 * rates * times[:, None]))
    losses = 0.5 * np.sum((sizes - grown) ** 2, axis=1)
    speed = 2 * rates * grown * (1 - grown / sizes)
    gradient = np.sqrt(np.sum(speed * (sizes - grown), axis=1))  # |grad|^2 = -dL/dt
    when, levels = d.saddles(times, losses, gradient)
    # not yet fitted at the two plateaus, up to the last of one jump and the first of the next
    np.testing.assert_allclose(levels[:2], [0.5 * (0.49 + 0.16), 0.08], rtol=1e-2)
    valleys, _ = find_peaks(-np.log10(gradient), prominence=0.5)
    np.testing.assert_array_equal(when[:2], times[valleys])
    np.testing.assert_array_equal(levels[:2], losses[valleys])
    assert np.all(np.isnan(levels[2:]))
    # the run that is broken off on the second plateau holds its level
    stop = int(np.searchsorted(times, when[1] + 0.2))
    when, levels = d.saddles(times[:stop], losses[:stop], gradient[:stop])
    assert float(levels[1]) == pytest.approx(0.08, rel=1e-2)
    assert np.isnan(when[1])
