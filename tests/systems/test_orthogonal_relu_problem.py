"""Training of shallow ReLU networks: reference values of the card, conservation, tiny scales, bad input."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import thalweg as tw
from thalweg import diagnostics
from thalweg.systems.orthogonal_relu.user_inputs import reduced_start


def start_a(width: int, points: int, scale: float, ratio: float = 1.0) -> tw.TwoLayer:
    """Start A of the card: no random numbers."""
    j, k = np.arange(width)[:, None], np.arange(points)[None, :]
    hidden = scale * np.cos(1.3 * j + 2.1 * k + 0.7 * j * k)
    return tw.TwoLayer(hidden=hidden, output=ratio * np.where(j[:, 0] % 2, -1, 1) * np.linalg.norm(hidden, axis=1))


def end_time(problem: tw.OrthogonalReLU, factor: float = 2.2) -> float:
    """factor ln(1/lambda) / min |D_s|."""
    strength = np.asarray(problem.labels * problem.norms)
    drives = [np.sqrt(np.sum(strength[s * strength > 0] ** 2)) / strength.size for s in (1, -1)]
    return factor * np.log(1 / problem.init_scale) / min(d for d in drives if d > 0)


def case(labels, norms, width, scale, ratio=1.0):
    return tw.OrthogonalReLU(labels=labels, norms=norms, width=width, init_scale=scale, balance=ratio)


FOUR = ((1.0, 0.5, -0.6, -0.3), (1.0,) * 4, 64)
N1 = case((1.0, -1.0), (5**0.5, 1.25**0.5), 16, 1e-4)
N2 = case(*FOUR, 1e-6)
N4 = case((1.0, 0.8, 0.5, -0.9, -0.6, -0.4), (1.0,) * 6, 6, 1e-8)
NAN = float("nan")
# quarter times + and -, plateau losses, final norm: as printed in the card, half a unit of the last digit allowed
REFERENCE = {
    "N1": (N1, "7.3159498", "15.7727941", (".2496",), "1.34164085"),
    "N3": (case((1.0, 0.5), (1.0, 1.0), 16, 1e-6), "24.9935487", None, (), "1.14129260"),
    "U1": (case((1.0, 1.0), (1.0, 2.0), 16, 1e-6), "13.0789414", None, (), "1.16234736"),
    "N2": (N2, "45.5252658", "74.4382921", (".05613",), "1.80008318"),
    "N2'": (case(*FOUR, 1e-4), "28.907197", "46.762345", (), "1.81763345"),
    "N5": (case(*FOUR, 1e-6, 2.0), "43.6903118", "71.4872742", (".05609",), "1.80265795"),
    # the card prints .18424 for the first level: it was read .046 before the flattest moment; see below
    "N4": (N4, "133.50479", None, (".18422", ".13152", ".10166", ".08833"), "2.80000000"),
}


def trained(problem, times, **more):
    points = problem.labels.shape[0]
    start = start_a(problem.width, points, problem.init_scale, problem.balance)
    return tw.train(problem, times, start=start, seeds=1, **more).isel(seed=0)


def printed(value: float, text: str | None) -> bool:
    """Whether a number is the printed one, to one unit of its last digit."""
    if text is None:
        return bool(np.isnan(value))
    return abs(value - float(text)) <= 1.001 * 10.0 ** -len(text.partition(".")[2])


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_cases(name):
    problem, positive, negative, plateaus, norm = REFERENCE[name]
    seen = trained(problem, np.linspace(0.0, end_time(problem, 6.5 if name == "N4" else 2.2), 11))
    assert printed(float(seen.quarter_time_positive), positive), float(seen.quarter_time_positive)
    assert printed(float(seen.quarter_time_negative), negative), float(seen.quarter_time_negative)
    levels = seen.plateau_loss.values
    assert np.sum(np.isfinite(levels)) == len(plateaus), levels
    assert all(printed(level, text) for level, text in zip(levels, plateaus, strict=False)), levels
    assert printed(float(seen.final_half_squared_norm), norm), float(seen.final_half_squared_norm)


def test_a_narrow_network_that_cannot_interpolate():
    seen = trained(N4, np.linspace(0.0, end_time(N4, 6.5), 11))
    # points 2 and 3 have no unit of their sign
    never = (0.5**2 + 0.9**2) / 12
    assert float(seen.train_loss[-1]) == pytest.approx(never, abs=1e-12)
    np.testing.assert_allclose(seen.outputs[-1], [1, 0.8, 0, 0, -0.6, -0.4], atol=1e-9)
    assert np.isnan(seen.norm_gap)
    # the last level holds to the end: a loss, no time
    assert np.isnan(seen.plateau_time[3])
    assert np.all(np.diff(seen.plateau_time[:3]) > 0)


def test_the_norm_above_the_least_one():
    """F8 of N2: sqrt(1.25) + sqrt(.45); its 13 dead units and 6 classes."""
    seen = trained(N2, np.linspace(0.0, end_time(N2), 11))
    assert float(seen.norm_gap) == pytest.approx(1.80008318 - 1.78885438, abs=2e-8)
    assert float(seen.dead_units) == 13
    assert float(seen.active_patterns[-1]) == 6


def test_events_do_not_depend_on_the_times_asked_for():
    long = trained(N2, np.linspace(0.0, 200.0, 11))
    few = trained(N2, [0.0, 3.0, 190.0])
    for name in ("quarter_time_positive", "quarter_time_negative", "plateau_time", "alignment_time"):
        np.testing.assert_allclose(long[name], few[name], rtol=1e-8)


def test_alignment_follows_the_law_of_a_fixed_pattern():
    """tanh(|D| t + artanh cos_0), for neuron 0 of the card's F4: .81779921 at 0, .99633512 at 6."""
    problem = case((1.0, -0.7, 0.5), (1.0, 1.5, 0.8), 6, 1e-9)
    seen = trained(problem, [0.0, 6.0])
    np.testing.assert_allclose(seen.alignment[:, 0], [0.81779921, 0.99633512], atol=1e-8)
    np.testing.assert_allclose(seen.neuron_norm[1, 0] / 1e-9, 8.22725087316, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-4, 1e-16])
def test_balance_is_conserved(scale):
    for ratio in (1.0, 2.0):
        problem = dataclasses.replace(N2, init_scale=scale, balance=ratio)
        seen = trained(problem, np.linspace(0.0, end_time(problem), 11))
        squared = seen.neuron_norm.values**2
        conserved = squared * 2 * seen.balance.values / (1 + seen.balance.values)
        # relative to the largest square that a unit has had so far, whose rounding it keeps
        drift = np.abs(conserved - conserved[0]) / np.maximum.accumulate(squared, axis=0)
        assert np.max(drift) < 1e-8
        assert float(seen.train_loss[-1]) < 1e-10


def test_the_smallest_starts_jump_later_by_the_logarithm():
    """Two runs whose scale differs by 1e6 differ in their jumps by ln(1e6)/|D_s| (F7 without its constant)."""
    when = {}
    for scale in (1e-10, 1e-16):
        problem = dataclasses.replace(N1, init_scale=scale)
        when[scale] = trained(problem, np.linspace(0.0, end_time(problem), 11))
    for name, drive in (("quarter_time_positive", 5**0.5 / 2), ("quarter_time_negative", 1.25**0.5 / 2)):
        delay = float(when[1e-16][name] - when[1e-10][name])
        assert delay == pytest.approx(np.log(1e6) / drive, rel=1e-8)


@pytest.mark.parametrize(("rate", "last", "steps"), [(0.05, 800, (150, 320)), (0.01, 4000, (736, 1582))])
def test_descent(rate, last, steps):
    problem = dataclasses.replace(N1, rule=tw.GradientDescent(learning_rate=rate))
    seen = trained(problem, [0, last])
    assert (float(seen.quarter_time_positive), float(seen.quarter_time_negative)) == steps


def toy_start() -> tw.TwoLayer:
    j, c = np.arange(60)[:, None], np.arange(2)[None, :]
    hidden = 1e-6 / 60**0.5 * 2**0.5 * np.cos(1.3 * j + 2.1 * c + 0.7 * j * c)
    return tw.TwoLayer(hidden=hidden, output=np.where(j[:, 0] % 2, -1, 1) * np.linalg.norm(hidden, axis=1))


def test_the_toy_case_with_its_published_clock():
    """Deterministic weights; flow times over 2e-3 are the steps of the source, descent takes 6259 and 12922."""
    inputs = np.array([[-0.5, 1.0], [2.0, 1.0]])
    seen = tw.train(tw.Boursier2022.toy(), [0.0, 60.0], start=reduced_start(toy_start(), inputs), seeds=1).isel(seed=0)
    assert float(seen.quarter_time_positive) == pytest.approx(12.503832419, abs=2e-9)
    assert float(seen.quarter_time_negative) == pytest.approx(25.829626804, abs=2e-9)
    assert float(seen.final_half_squared_norm) == pytest.approx(3 / 5**0.5, abs=1e-7)
    descent = tw.train(tw.Boursier2022.toy_descent(), [0, 20_000], start=toy_start(), seeds=1).isel(seed=0)
    assert float(descent.quarter_time_positive) == 6259
    assert float(descent.quarter_time_negative) == 12922
    # twice the loss is the mean square: .5, flattest .49999 at step 7774
    assert 2 * float(descent.plateau_loss[0]) == pytest.approx(0.49999, abs=5e-6)
    assert float(descent.plateau_time[0]) == 7774


def test_unreduced_inputs_give_the_same_run():
    inputs = np.array([[-0.5, 1.0], [2.0, 1.0]])
    whole = tw.UserInputsReLU(inputs=inputs, labels=(-1.0, 1.0), width=60, init_scale=1e-6 / 60**0.5)
    small = tw.reduced(dataclasses.replace(whole, rule=tw.GradientFlow(tolerance=1e-10)))
    np.testing.assert_allclose(small.norms, [1.25**0.5, 5**0.5])
    times = np.linspace(0.0, 40.0, 6)
    one = tw.train(whole, times, start=toy_start(), seeds=1)
    other = tw.train(small, times, start=reduced_start(toy_start(), inputs), seeds=1)
    for name in ("outputs", "alignment", "active_patterns", "half_squared_norm", "quarter_time_positive"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6, atol=1e-6)


def test_the_flattest_moment_of_the_first_plateau():
    """N4 by scipy: the least gradient norm on a fine grid, and the loss there."""
    labels, start = np.asarray(N4.labels), start_a(6, 6, 1e-8)

    def field(t, flat):
        u, a = flat[:36].reshape(6, 6), flat[36:]
        pull = (labels - a @ np.maximum(u, 0)) / 6
        return np.concatenate([(a[:, None] * (u > 0) * pull).ravel(), np.maximum(u, 0) @ pull])

    flat = np.concatenate([np.asarray(start.hidden).ravel(), start.output])
    times = np.linspace(117.0, 117.3, 31)
    states = solve_ivp(field, (0.0, 117.3), flat, "DOP853", times, rtol=1e-9, atol=1e-18).y.T
    slopes = np.array([np.linalg.norm(field(0.0, state)) for state in states])
    losses = [0.5 * np.mean((labels - s[36:] @ np.maximum(s[:36].reshape(6, 6), 0)) ** 2) for s in states]
    seen = trained(N4, np.linspace(0.0, end_time(N4, 6.5), 11))
    assert float(seen.plateau_time[0]) == pytest.approx(times[np.argmin(slopes)], abs=0.0051)
    # the loss falls by 3.5e-4 in a unit of time there
    assert float(seen.plateau_loss[0]) == pytest.approx(losses[np.argmin(slopes)], abs=3e-6)


def test_general_inputs_follow_the_plain_steps():
    """Correlated points with a bias, against a loop in NumPy; the flow stays near descent in small steps."""
    rng = np.random.default_rng(3)
    inputs, labels = rng.standard_normal((3, 4)), np.array([1.0, -0.5, 0.8])
    rows, start = np.concatenate([inputs, np.ones((3, 1))], axis=1), start_a(6, 5, 0.3)
    w, a = np.array(start.hidden), np.array(start.output)
    for _ in range(1000):
        active = w @ rows.T > 0
        missed = labels - a @ np.maximum(w @ rows.T, 0)
        drive = (active * missed) @ rows / 3
        w, a = w + 0.005 * a[:, None] * drive, a + 0.005 * np.sum(w * drive, axis=1)
    outputs = a @ np.maximum(w @ rows.T, 0)
    problem = tw.UserInputsReLU(inputs=inputs, labels=labels, bias=1, width=6, init_scale=0.3)
    descent = dataclasses.replace(problem, rule=tw.GradientDescent(learning_rate=0.005))
    seen = tw.train(descent, [0, 1000], start=start, seeds=1)
    np.testing.assert_allclose(seen.outputs[0, -1], outputs, atol=1e-9)
    assert float(seen.half_squared_norm[0, -1]) == pytest.approx(0.5 * np.sum(w**2) + 0.5 * np.sum(a**2), abs=1e-9)
    flow = tw.train(problem, [0.0, 5.0], start=start, seeds=1)
    np.testing.assert_allclose(flow.outputs[0, -1], outputs, atol=0.01)


def test_the_draw_of_the_start():
    problem = case(*FOUR[:2], 4000, 1e-3, 0.5)
    with jax.enable_x64():
        start = problem.initial(jax.random.key(0), problem.draw(jax.random.key(1)))
    norms = np.linalg.norm(start.hidden, axis=1)
    np.testing.assert_allclose(np.abs(start.output), 0.5 * norms, rtol=1e-12)
    # 16000 entries: the deviation is known to 0.6 %, the share of signs to 0.8 %
    assert float(np.std(start.hidden)) == pytest.approx(1e-3, rel=0.025)
    assert float(np.mean(start.output > 0)) == pytest.approx(0.5, abs=0.035)


def test_a_dead_start_stays_and_says_so():
    start = tw.TwoLayer(hidden=np.full((64, 4), -1e-6), output=np.full(64, 2e-6))
    seen = tw.train(N2, [0.0, 50.0], start=start, seeds=1).isel(seed=0)
    assert float(seen.dead_units) == 64
    assert float(seen.train_loss[-1]) == pytest.approx(0.2125)
    for name in ("quarter_time_positive", "quarter_time_negative", "alignment_time", "norm_gap"):
        assert np.isnan(seen[name]), name
    assert np.all(np.isnan(seen.plateau_loss))
    assert np.all(seen.alignment == 0)
    assert np.all(seen.active_patterns == 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": (1.0, 0.0)}, r"labels\[1\] is 0"),
        ({"norms": (1.0, -2.0)}, r"norms\[1\] = -2"),
        ({"norms": (1.0, 2.0, 3.0)}, "one norm a label"),
        ({"balance": -1.0}, "balance = -1"),
        ({"init_scale": 0.0}, "init_scale = 0"),
        ({"width": 0}, "width = 0"),
    ],
)
def test_bad_input_is_refused_with_the_repair(change, words):
    with pytest.raises(ValueError, match=words):
        tw.OrthogonalReLU(**{"labels": (1.0, -1.0), "norms": (1.0, 1.0), **change})


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (tw.TwoLayer(hidden=np.ones((3, 2)), output=np.ones(3)), r"\(3, 2\); \(16, 2\) is wanted"),
        ({"hidden": np.ones((16, 2))}, "TwoLayer"),
        ((np.ones((16, 2)), np.full(16, np.nan)), "not finite"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(start, words):
    with pytest.raises(ValueError, match=words):
        tw.train(N1, [0.0], start=start)


def test_inputs_that_are_not_orthogonal():
    problem = tw.Boursier2022.five_points()
    rows = np.stack([[-1.5, -1, 0, 0.25, 2], np.ones(5)], axis=1)
    cosine = tw.worst_cosine(rows)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert cosine == pytest.approx(np.max(np.abs(unit @ unit.T - np.eye(5))))
    with pytest.raises(ValueError, match=f"{cosine:.3g}"):
        tw.reduced(problem)
    with pytest.raises(ValueError, match="one label"):
        tw.UserInputsReLU(inputs=rows, labels=(1.0, 2.0))
    with pytest.raises(ValueError, match="point 1 is 0"):
        tw.UserInputsReLU(inputs=[[1.0], [0.0]], labels=(1.0, 2.0))


@pytest.mark.nightly
def test_five_points_pass_a_saddle():
    """The published run: 400000 steps; at 5 or 10 times the rate it stays on the saddle for good."""
    seen = tw.train(tw.Boursier2022.five_points(), [0, 400_000], seeds=1).isel(seed=0)
    assert float(seen.train_loss[-1]) < 1e-5
    assert np.isfinite(seen.quarter_time_positive)


@pytest.mark.nightly
def test_memory_and_time_of_a_wide_network():
    """Width 1000: the run keeps nothing that grows with its steps."""
    problem = dataclasses.replace(N4, width=1000)
    seen = trained(problem, np.linspace(0.0, 200.0, 21))
    assert float(seen.train_loss[-1]) < 1e-10


def test_public_names():
    assert tw.diagnostics is diagnostics
