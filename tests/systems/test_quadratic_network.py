"""The quadratic network: tables of its sources, exact theory against training and independent integration."""

import numpy as np
import pytest
import scipy.integrate
from quadratic_cases import cosine_start, padded

import thalweg as tw

nightly = pytest.mark.nightly
# the tables are in the source's clock t = 2 flow time and risk R = loss/2
T = np.array([1.0, 5.0, 25.0, 100.0])


def exact(d, m, lam, source_times, **more):
    lam = padded(lam, d)
    problem = tw.QuadraticNetwork(dimension=d, width=m, teacher_spectrum=lam, **more)
    given = {"data": np.diag(lam), "start": cosine_start(d, m)}
    return tw.predict(problem, np.asarray(source_times) / 2, theory=tw.RiccatiFlow(), **given)


TABLE = {
    (8, 2, (0.5, 0.3, 0.2)): (
        (0.17721271939, 0.06986464722, 0.025154260298, 0.025), -11.3189943097, 0.8447399153, 0.05574778974,
    ),
    (8, 5, (0.5, 0.3, 0.2)): (
        (0.10423071732, 0.0070154980605, 7.881362087e-5, 4.591629718e-6), -0.0896538172, 0.9817533587, 0.0073123183232,
    ),
    (12, 6, (0.25,) * 4): (
        (0.11557015677, 0.0075242168527, 8.150021347e-5, 4.803152246e-6), -0.2908285061, 0.9701150435, 0.010590055345,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", [c if c[0] == 8 and c[1] == 5 else pytest.param(c, marks=nightly) for c in TABLE])
def test_exact_tables(case):
    risks, phi, overlap, centred = TABLE[case]
    told = exact(*case, T)
    np.testing.assert_allclose(told.test_loss / 2, risks, rtol=2e-9)
    assert 2 * float(told.trace_integral[-1]) == pytest.approx(phi, abs=1e-8)
    assert float(told.overlap[1]) == pytest.approx(overlap, abs=1e-9)
    free = exact(*case, T, centred=True)
    assert float(free.test_loss[1]) / 2 == pytest.approx(centred, rel=1e-8)


@nightly
def test_exact_table_of_a_full_spectrum():
    told = exact(10, 10, 1 / np.arange(1, 11), T)
    np.testing.assert_allclose(told.test_loss[:3] / 2, (0.11693229336, 0.0057689266107, 1.998509258e-4), rtol=2e-9)
    assert float(told.test_loss[3]) / 2 < 1e-26
    assert 2 * float(told.trace_integral[-1]) == pytest.approx(-1.3296726187, abs=1e-8)


@nightly
def test_exact_table_with_decay_and_for_an_indefinite_teacher():
    told = exact(8, 5, (0.5, 0.3, 0.2), T, weight_decay=0.2)
    np.testing.assert_allclose(told.test_loss[:3] / 2, (0.11007890395, 0.0085013322142, 0.0015138450441), rtol=2e-9)
    assert 2 * float(told.trace_integral[2]) == pytest.approx(-1.90228882, abs=1e-8)
    told = exact(4, 3, (1, 0.3, -0.2, -0.6), [1.0, 5.0, 200.0])
    np.testing.assert_allclose(told.test_loss / 2, (0.29971677, 0.28045636, 0.28), atol=6e-9)
    assert 2 * float(told.trace_integral[-1]) == pytest.approx(79.5062716, abs=1e-7)
    np.testing.assert_allclose(told.student_spectrum[-1], (0.8, 0.1, 0.0), atol=1e-8)


def test_descent_follows_the_table_of_steps():
    lam = padded((0.5, 0.3, 0.2), 8)
    problem = tw.QuadraticNetwork(
        dimension=8, width=5, teacher_spectrum=lam, rule=tw.GradientDescent(learning_rate=0.05)
    )
    seen = tw.train(problem, [10, 50, 250], data=np.diag(lam), start=cosine_start(8, 5)).isel(seed=0)
    np.testing.assert_allclose(seen.test_loss / 2, (0.105973519, 0.0071557091, 7.81103866e-5), rtol=1e-8)


@nightly
def test_closed_form_of_a_multiple_of_the_identity():
    """Z* = b I, Z(0) = c I with m = d: z = b/(1 + (b/c - 1) exp(-(4 + 2d) b t)); Z* = 0: 1/z = 1/c + (4 + 2d) t."""
    d, b, c, t = 5, 0.4, 0.3, np.array([0.0, 0.3, 0.5])
    start = np.sqrt(c) * np.eye(d)
    z = b / (1 + (b / c - 1) * np.exp(-(4 + 2 * d) * b * t))
    told = tw.predict(
        tw.QuadraticNetwork(dimension=d, width=d, teacher_spectrum=np.full(d, b)), t / 2, theory=tw.RiccatiFlow(),
        data=b * np.eye(d), start=start,
    )  # fmt: skip
    np.testing.assert_allclose(told.test_loss / 2, (d / 2 + d**2 / 4) * (z - b) ** 2, rtol=1e-8)
    nothing = tw.predict(
        tw.QuadraticNetwork(dimension=d, width=d, teacher_spectrum=np.zeros(d)), t / 2, theory=tw.RiccatiFlow(),
        data=np.zeros((d, d)), start=start,
    )  # fmt: skip
    np.testing.assert_allclose(nothing.student_spectrum[:, 0], 1 / (1 / c + (4 + 2 * d) * t), rtol=1e-8)
    assert np.all(np.isnan(nothing.overlap))


CASES = {
    "narrower than the teacher": ((0.5, 0.3, 0.2), 2, {}),
    "as wide as the teacher": ((0.5, 0.3, 0.2), 3, {}),
    "wider": ((0.5, 0.3, 0.2), 4, {}),
    "wider than the dimension": ((0.5, 0.3, 0.2, 0.1, 0.05, 0.05), 8, {}),
    "repeated eigenvalues": ((0.25, 0.25, 0.25), 2, {}),
    "indefinite": ((0.9, 0.3, -0.2, -0.6), 4, {}),
    "decay": ((0.5, 0.3, 0.2), 4, {"weight_decay": 0.1}),
    "centred": ((0.5, 0.3, 0.2), 4, {"centred": True}),
    "centred with decay": ((0.5, 0.3, -0.2), 4, {"centred": True, "weight_decay": 0.1}),
}


def compared(lam, m, more, start, times, d=6):
    lam = padded(lam, d)
    rule = tw.GradientFlow(tolerance=1e-12, step_ceiling=2**17)
    problem = tw.QuadraticNetwork(dimension=d, width=m, teacher_spectrum=lam, rule=rule, **more)
    given = {"data": np.diag(lam), "start": start}
    seen = tw.train(problem, times, **given).isel(seed=0)
    return tw.predict(problem, times, theory=tw.RiccatiFlow(tolerance=1e-12), **given), seen


def agrees(told, seen, tolerance=1e-8):
    for name in told.data_vars:
        if name != "late_rate" and np.any(np.isfinite(told[name])):
            np.testing.assert_allclose(told[name], seen[name], atol=tolerance, err_msg=str(name))


DAILY = ("decay",)


@pytest.mark.parametrize("name", [n if n in DAILY else pytest.param(n, marks=nightly) for n in CASES])
def test_exact_theory_is_training(name):
    lam, m, more = CASES[name]
    # times at accepted steps would be exact; between them the interpolation of the flow is good to 1e-9
    agrees(*compared(lam, m, more, cosine_start(6, m), np.array([0.0, 0.5, 5.0, 25.0])))


@nightly
def test_exact_theory_is_training_up_to_late_times():
    told, seen = compared((0.5, 0.3, 0.2), 4, {}, cosine_start(6, 4), np.array([0.0, 50.0, 500.0, 5000.0]))
    agrees(told, seen)


def test_a_start_of_lower_rank_keeps_its_rank():
    start = cosine_start(6, 4)
    start[:, 3] = start[:, 0] + start[:, 1]
    told, seen = compared((0.5, 0.3, 0.2), 4, {}, start, np.array([0.0, 0.5, 5.0, 25.0]))
    agrees(told, seen)
    assert np.all(told.student_spectrum[:, 3] < 1e-15)
    blind = cosine_start(6, 4)
    blind[1] = 0  # nothing ever points along the second eigenvector
    told, _ = compared((0.5, 0.3, 0.2), 4, {}, blind, np.array([0.0, 0.5, 5.0, 25.0]))
    assert float(told.test_loss[-1]) > 0.3**2


@nightly
def test_the_flow_against_an_integration_of_the_matrix():
    """W' = -(2 D + tr D) W in the source's clock by another integrator, teacher turned out of the axes."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    lam, start = padded((0.5, 0.3, 0.2), 6), cosine_start(6, 4)
    teacher = (turn * lam) @ turn.T

    def right(t, w):
        w = w.reshape(6, 4)
        error = w @ w.T - teacher
        return (-(2 * error + np.trace(error) * np.eye(6)) @ w).ravel()

    end = scipy.integrate.solve_ivp(right, (0, 8), start.ravel(), "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    error = end.reshape(6, 4) @ end.reshape(6, 4).T - teacher
    problem = tw.QuadraticNetwork(dimension=6, width=4, teacher_spectrum=lam)
    told = tw.predict(problem, [0.0, 4.0], theory=tw.RiccatiFlow(), data=teacher, start=start)
    assert float(told.test_loss[-1]) == pytest.approx(np.sum(error**2) + np.trace(error) ** 2 / 2, rel=1e-8)


@pytest.mark.parametrize("centred", [False, pytest.param(True, marks=nightly)])
def test_the_loss_is_the_mean_over_inputs(centred):
    rng = np.random.default_rng(1)
    lam, start = padded((0.5, 0.3, -0.2), 6), cosine_start(6, 4)
    x = rng.normal(size=(100_000, 6))
    gap = np.sum((x @ start) ** 2, axis=1) - x**2 @ lam
    problem = tw.QuadraticNetwork(dimension=6, width=4, teacher_spectrum=lam, centred=centred)
    told = float(tw.train(problem, [0.0], data=np.diag(lam), start=start).test_loss[0, 0])
    sample = 0.5 * (gap - (gap.mean() if centred else 0)) ** 2
    assert abs(told - sample.mean()) < 4 * sample.std() / np.sqrt(len(x))


def test_bad_input_is_answered():
    with pytest.raises(ValueError, match="one a dimension"):
        tw.QuadraticNetwork(dimension=8, width=5, teacher_spectrum=(0.5, 0.3))
    with pytest.raises(ValueError, match="width"):
        tw.QuadraticNetwork(dimension=8, width=0)
    with pytest.raises(ValueError, match="GaussianStart"):
        tw.QuadraticNetwork(dimension=8, width=9, start=tw.Orthonormal())
    assert isinstance(tw.QuadraticNetwork(dimension=8, width=9).start_law(), tw.GaussianStart)
    with pytest.raises(ValueError, match="leave out"):
        tw.QuadraticNetwork(dimension=3, width=2, teacher_width=1, teacher_spectrum=(1.0, 0, 0))
    problem = tw.QuadraticNetwork(dimension=3, width=2, teacher_spectrum=(1.0, 0, 0))
    with pytest.raises(ValueError, match="spectrum of data"):
        tw.predict(problem, [0.0], theory=tw.RiccatiFlow(), data=np.diag([1.0, 0.1, 0.0]))
    with pytest.raises(ValueError, match="symmetric"):
        tw.predict(problem, [0.0], theory=tw.RiccatiFlow(), data=np.triu(np.ones((3, 3))))
    with pytest.raises(ValueError, match=r"dimension, width"):
        tw.predict(problem, [0.0], theory=tw.RiccatiFlow(), start=np.ones((2, 3)))
    other_scale = tw.QuadraticNetwork(dimension=8, width=4, teacher_width=2, start=tw.Orthonormal(trace=3.0))
    with pytest.warns(tw.TheoryWarning, match="gamma = 2 c"):
        tw.predict(other_scale, [0.0, 1.0], theory=tw.HighDimensionalFlow())
