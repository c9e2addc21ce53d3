"""What one gets from a table and how to get it: first lines, in the user's units, and the estimator that does it."""

import math
from typing import Any, NamedTuple

import numpy as np

from ...rules import GradientFlow
from ...words.fields import vary
from ...words.phrases import counted
from ...words.recommendations import Plan, Recommendation
from ...words.theory import Setting
from ..shared.least_squares import TrainingPart
from .regression_table import log_times
from .rows_apart import apart

# shares of the loss below which a choice makes no odds, and by which stopping must be better than ridge to be taken
EVEN = 0.01
# of the largest errors: which share of the rows, and which share of the loss is worth a word
LARGEST, HEAVY = 0.05, 0.6
# of the loss of the mean alone: below it a column may be the target in another dress
LEAK = 1e-4


def share_of_largest(errors: np.ndarray) -> float:
    """The share of the squared errors (n, K) that the largest twentieth of the rows carries."""
    squares = np.sort(np.sum(errors**2, axis=1))[::-1]
    return float(squares[: max(1, round(LARGEST * len(squares)))].sum() / max(squares.sum(), 1e-300))


def parts_of(
    setting: Setting, groups: Any, order: Any, items: tuple[Recommendation, ...]
) -> tuple[Recommendation, ...]:
    """What holds for rows of new groups, or for later rows."""
    single = next(item.value for item in items if item.name == "test_loss")
    problem: Any = setting.problem
    return apart(problem.training(setting.data), groups, order, single, log_times(_flow_of(problem), points=60))


def _flow_of(problem: Any) -> Any:
    """The same problem under gradient flow: the clock of what is held out in sets."""
    return problem if problem.rule.continuous else vary(problem, {"rule": GradientFlow()})


def measures(problem: Any, part: TrainingPart, errors: np.ndarray) -> tuple[Recommendation, ...]:
    """In the user's units, from the errors (n, K) on points held out: RMSE and R^2, or what the classes need."""
    if not hasattr(problem, "classes"):
        root, alone = math.sqrt(np.mean(errors**2)), _alone(part)
        why = "Root of the mean squared error of points held out, in units of the targets."
        share = "Share of the targets' variance that is explained on points held out; 0 is the mean alone."
        return (
            Recommendation("root_mean_squared_error", root, why, evidence={"of the mean alone": alone}),
            Recommendation("r_squared", 1 - (root / alone) ** 2, share),
        )
    outputs, numbers, told = sides(problem, part, errors)
    kinds = np.unique(numbers)
    each = [float(np.mean(told[numbers == k] == k)) for k in kinds]
    commonest = float(np.max(np.bincount(numbers)) / len(numbers))
    found = [
        Recommendation(
            "held_out_accuracy",
            float(np.mean(told == numbers)),
            "Share of points held out that are on the right side, at the better of stopping and ridge.",
            evidence={"of the commonest class": commonest},
        ),
        Recommendation(
            "balanced_accuracy",
            float(np.mean(each)),
            f"Mean over classes of the share on the right side; the commonest class alone has {1 / kinds.size:.2g}.",
        ),
    ]
    if outputs.shape[1] == 1 and kinds.size == 2:
        why = "Chance that a point of the second class, held out, has the larger output than one of the first."
        found.append(Recommendation("area_under_curve", _area(outputs[:, 0], numbers), why))
    return tuple(found)


class Sides(NamedTuple):
    """Outputs (n, K) on points held out, with the intercept of all points; the own class, and the one told (n,)."""

    outputs: np.ndarray
    numbers: np.ndarray
    told: np.ndarray


def sides(problem: Any, part: TrainingPart, errors: np.ndarray) -> Sides:
    """What the errors (n, K) on points held out say about their classes; see `leave_one_out.right`."""
    targets = np.asarray(part.targets).reshape(len(errors), -1)
    middle = np.asarray(part.middle).reshape(-1)
    ratio = len(errors) / (len(errors) - 1) if problem.centred else 1.0
    outputs, own = ratio * targets - errors + middle[None, :], targets + middle[None, :]
    numbers, told = (
        (one[:, 0] > 0).astype(int) if one.shape[1] == 1 else np.argmax(one, axis=1) for one in (own, outputs)
    )
    return Sides(outputs, numbers, told)


def _area(outputs: np.ndarray, numbers: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(numbers, outputs))


def _alone(part: TrainingPart) -> float:
    """Root mean squared error of the mean of the other points."""
    targets = np.asarray(part.targets)
    return float(np.sqrt(np.mean(targets**2)) * len(targets) / (len(targets) - 1))


def plan_of(setting: Setting, items: tuple[Recommendation, ...]) -> Plan:
    """First lines and estimator from the recommendations about a table."""
    told = {item.name: item for item in items}
    problem = setting.problem
    stop, ridge = told["stopping_time"], told["ridge"]
    time = _flow_time(problem, stop.value)
    more = []
    for name, words in (("new_groups", "rows of new groups"), ("later_rows", "later rows")):
        if f"ridge_for_{name}" in told:
            loss = told[f"test_loss_of_{name}"]
            more.append(f"For {words}: {_in_units(problem, loss.value)}; {loss.reason.split(', ')[-2]}.")
            stop, ridge = told[f"stopping_time_for_{name}"], told[f"ridge_for_{name}"]
            time = stop.value
    least = ridge.evidence["held-out loss"]
    stopped = stop.evidence.get("held-out loss there", math.inf) < (1 - EVEN) * least and math.isfinite(time)
    lines = [_what(problem, told), *more, _whether(stop, ridge)]
    lines += _how(problem, ridge.value, time, stopped, told["largest_stable_rate"].value)

    def make(transformer: Any = None) -> Any:
        return _estimator(problem, ridge.value, time, stopped, transformer)

    return Plan(tuple(lines), make)


def _in_units(problem: Any, loss: float) -> str:
    return f"half the mean square {loss:.4g}" if hasattr(problem, "classes") else f"RMSE {math.sqrt(2 * loss):.4g}"


def _flow_time(problem: Any, value: float) -> float:
    if math.isnan(value) or problem.rule.continuous:
        return value
    return float(problem.rule.flow_time(problem, np.asarray([value]))[0])


def _what(problem: Any, told: dict[str, Recommendation]) -> str:
    held = f"On {problem.samples} points, each predicted from the others"
    if "root_mean_squared_error" in told:
        root, share = told["root_mean_squared_error"], told["r_squared"].value
        alone = root.evidence["of the mean alone"]
        return f"{held}: RMSE {root.value:.4g}, R^2 {share:.3f}; the mean alone has RMSE {alone:.4g}."
    share = told["held_out_accuracy"]
    area = told.get("area_under_curve")
    more = f", area under the curve {area.value:.3f}" if area is not None else ""
    return (
        f"{held}: accuracy {share.value:.3f}, where the commonest class alone has "
        f"{share.evidence['of the commonest class']:.3f}; balanced accuracy "
        f"{told['balanced_accuracy'].value:.3f}{more}."
    )


def _whether(stop: Recommendation, ridge: Recommendation) -> str:
    least, weakest = ridge.evidence["held-out loss"], ridge.evidence["without ridge"]
    ends = stop.evidence.get("at the end", math.nan)
    gain = weakest / least - 1
    if math.isnan(ridge.value):
        return "The inputs do not help on points held out: the mean, or the commonest class, does as well."
    if gain < EVEN and not ends / least - 1 > EVEN:
        return f"Ridge and stopping hardly matter here: plain least squares has a loss {max(gain, 0):.1%} higher."
    first = f"Ridge matters: without any the loss is {gain:.1%} higher." if gain >= EVEN else "Ridge hardly matters."
    there = stop.evidence.get("held-out loss there", math.nan) / least - 1
    if math.isnan(there):
        return first
    beside = f"{there:.1%} above" if there >= 0 else f"{-there:.1%} below"
    return f"{first} Stopping descent in time instead is {beside} the best ridge."


def _how(problem: Any, ridge: float, time: float, stopped: bool, rate: float) -> list[str]:
    kind = "RidgeClassifier" if hasattr(problem, "classes") else "Ridge"
    lines = []
    if not math.isnan(ridge):
        alpha = problem.samples * max(ridge, 1e-6)
        best = "" if stopped else "Do: "
        lines.append(f"{best}make_pipeline(StandardScaler(), {kind}(alpha={alpha:.4g})), of scikit-learn.")
    if math.isfinite(time) and time > 0:
        step = min(0.5 * rate if math.isfinite(rate) else 0.05, time / 20)
        steps = max(1, round(time / step))
        name = "SGDClassifier(loss='squared_error', " if kind == "RidgeClassifier" else "SGDRegressor("
        eta = step / problem.samples
        lines.append(
            f"{'Do' if stopped else 'Or'}: descent from zero on standardised columns and centred targets, steps x "
            f"learning rate = {time:.3g}: {counted(steps, 'full step')} of {step:.3g}; of scikit-learn "
            f"{name}penalty=None, learning_rate='constant', eta0={eta:.2g}, max_iter={steps}, tol=None)."
        )
    return [*lines, "advice.estimator() makes it."]


def _estimator(problem: Any, ridge: float, time: float, stopped: bool, transformer: Any) -> Any:
    """A pipeline of scikit-learn that does as advised; with the transformer of the user's table, where there is one."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import Ridge, RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from ...learners import StoppedClassifier, StoppedRegressor

    classes = hasattr(problem, "classes")
    first = [] if transformer is None else [transformer]
    if stopped:
        return make_pipeline(*first, (StoppedClassifier if classes else StoppedRegressor)(flow_time=time))
    if math.isnan(ridge):
        return make_pipeline(*first, DummyClassifier() if classes else DummyRegressor())
    alpha = problem.samples * max(ridge, 1e-6)
    return make_pipeline(*first, StandardScaler(), (RidgeClassifier if classes else Ridge)(alpha=alpha))
