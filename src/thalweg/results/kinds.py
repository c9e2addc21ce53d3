"""Kinds of results: what each holds, and who draws it, tells it, reports it and makes it again. A verb is one row."""

import dataclasses
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import xarray as xr

from .node_entries import (
    BUDGET,
    EACH_OUTCOME,
    GIVEN,
    HEAD,
    OPTIONAL_SEEDS,
    OPTIONAL_THEORY,
    OUTCOME,
    PROBLEM,
    SEED,
    SEED_IF,
    SEEDS,
    STUDY,
    SWEPT_TIME,
    THEORY,
    TIME,
    VERDICT,
)
from .schema import REPAIR, Entry, Node, parsed


@dataclasses.dataclass(frozen=True)
class ResultKind:
    """What one verb returns: the schema of its nodes (the root first), and who works on it.

    Functions are told as `folder.module:name` and imported when they are first asked for, since they stand in folders
    that know the results: check(result) (what nodes cannot say), picture(result, observables) (figure, sentences,
    legend), lines(result) (texts), report(result) (its theories as plain data), rerun(result, progress).
    `views`: it is about one setting, of which a run can be drawn as the problem's own views. `spelled`: its attributes
    alone say a call that makes it again. `resumes`: the same command goes on where it was interrupted.
    """

    verb: str
    container: type[xr.Dataset] | type[xr.DataTree]
    nodes: tuple[Node, ...]
    picture: str
    lines: str
    rerun: str
    report: str = ""
    check: str = ""
    views: bool = False
    spelled: bool = False
    resumes: bool = False

    @property
    def judged(self) -> bool:
        """Whether it holds a verdict with an error budget."""
        return any(node.role == "budget" for node in self.nodes)

    def ask(self, task: str) -> Callable[..., Any]:
        """The function for a task, such as "picture"; ValueError where this kind has none."""
        told = getattr(self, task)
        if not told:
            able = ", ".join(kind.verb for kind in KINDS.values() if getattr(kind, task))
            raise ValueError(f"there is no {task} of what {self.verb} returns; give a result of {able}.")
        module, _, name = told.partition(":")
        return getattr(importlib.import_module(f"thalweg.{module}"), name)


def kind_of(result: Any) -> ResultKind:
    """The kind of a result, by the verb that made it; ValueError, in one sentence, for an unknown one."""
    verb = result.attrs.get("verb")
    if not isinstance(verb, str) or verb not in KINDS:
        raise ValueError(
            f"attribute 'verb' of this result is {verb!r:.40}; it must be one of {', '.join(KINDS)}: {REPAIR}."
        )
    return KINDS[verb]


def held(result: Any, node: Node) -> Iterator[tuple[str, xr.Dataset]]:
    """The data sets that a node describes, by their paths: one for each theory where there are several.

    ValueError for one that is missing, unless it may be.
    """
    if node.path == "/":
        yield "/", result if isinstance(result, xr.Dataset) else result.to_dataset(inherit=False)
        return
    if not node.needed and node.path[1:] not in getattr(result, "children", ()):
        return
    names = parsed(result.attrs["theories"]) if node.each else []
    for path in [f"{node.path}/{name}" for name in names] if len(names) > 1 else [node.path]:
        yield path, _at(result, path)


def _at(result: Any, path: str) -> xr.Dataset:
    found = result
    for name in path.strip("/").split("/"):
        children = getattr(found, "children", {})
        if name not in children:
            raise ValueError(f"this result has no node {path}: {REPAIR}.")
        found = children[name]
    return found.to_dataset()


def parts(result: Any, role: str) -> list[xr.Dataset]:
    """The data sets of one role: "theory" or "training", "gap" or "budget"."""
    return [content for node in kind_of(result).nodes if node.role == role for _, content in held(result, node)]


_ROWS = (
    ResultKind(
        "predict",
        xr.Dataset,
        (
            Node("/", "what a theory says", HEAD + PROBLEM + THEORY + GIVEN, TIME + SEED_IF, role="theory"),
        ),
        picture="faces.picture:one_picture",
        lines="faces.summary:value_lines",
        report="faces.page:told_theories",
        rerun="verbs.reruns:predict_again",
        views=True,
    ),
    ResultKind(
        "train",
        xr.Dataset,
        (
            Node("/", "what was seen", HEAD + PROBLEM + SEEDS + GIVEN, TIME + SEED, OUTCOME, role="training"),
        ),
        picture="faces.picture:one_picture",
        lines="faces.summary:value_lines",
        report="faces.page:told_theories",
        rerun="verbs.reruns:train_again",
        views=True,
    ),
    ResultKind(
        "compare",
        xr.DataTree,
        (
            Node("/", "the verdict of the first theory", (
                *HEAD, *PROBLEM,
                Entry("theories", "names", "the theories, by the names of their nodes"),
                Entry("theory_json", "modules", "class and fields of each theory"),
                *VERDICT,
                Entry("resolution", "number", "what share of a scale the run was asked to see"),
                Entry("looks", "number", "how often seeds were added until it was decided", needed=False),
                Entry("seeds_needed", "number", "about how many would decide; 0: it is, inf: none would", needed=False),
                *SEEDS,
            ), filled=False),
            Node("/training", "what was seen", SEEDS, TIME + SEED, EACH_OUTCOME, role="training"),
            Node("/theory", "what a theory says, with its own verdict", THEORY + VERDICT, TIME + SEED_IF,
                 role="theory", each=True),
            Node("/gap", "mean gap, error and allowance of the common curves, for the eyes", filled=False,
                 role="gap", each=True),
            Node("/budget", "the error budget, a line for each functional", (), (
                Entry("functional", "text", "name of the functional", True, ("functional",)),
            ), BUDGET, filled=False, role="budget", each=True),
            Node("/inputs", "what the user gave as arrays, and the problem's own (`problem.` before their paths)",
                 variables=(Entry("times", "float or whole", "the times looked at", True, ("times_axis0",)),)),
        ),
        picture="faces.picture:comparison_picture",
        lines="faces.summary:verdict_lines",
        report="faces.page:judged_theories",
        rerun="verbs.reruns:compare_again",
        views=True,
        spelled=True,
    ),
    ResultKind(
        "sweep",
        xr.DataTree,
        (
            Node("/", "the grid", (
                *HEAD, *PROBLEM, Entry("over", "grid", "the values of each swept name, which is a dim of the nodes"),
                Entry("grid", "axes", "fields and values of each dim, tied ones together, parts as modules", False),
                Entry("chosen", "text", "there where no theory was named and each point took its own", False),
            ), filled=False),
            Node("/theory", "what a theory says at every point", OPTIONAL_THEORY, SWEPT_TIME + SEED_IF, (
                Entry("strain", "float", "strain of the worst assumption of each point", False),
            ), role="theory", needed=False),
            Node("/training", "what was seen at every point",
                 OPTIONAL_SEEDS, SWEPT_TIME + SEED_IF, OUTCOME,
                 role="training", needed=False),
        ),
        check="results.checks:check_grid",
        picture="faces.sweep_picture:sweep_picture",
        lines="faces.summary:sweep_lines",
        report="faces.page:told_theories",
        rerun="verbs.reruns:sweep_again",
        resumes=True,
    ),
    ResultKind(
        "order_study",
        xr.Dataset,
        (
            Node("/", "gaps at several sizes, and their orders", (
                *HEAD, *PROBLEM, *THEORY, *SEEDS,
                Entry("over", "grid", "the values of each size"),
                Entry("grid", "axes", "the sizes, tied ones together", False),
            ), (
                Entry("functional", "text", "name of the functional", True, ("functional",)),
                *(Entry(n, "float", w, True, ("functional",)) for n, w in (
                    ("order_error", "one standard error"), ("declared_order", "by the theory; NaN where it says none"),
                    ("good_to_5_percent", "the size from which the gap is below"),
                    ("good_to_1_percent", "the size from which the gap is below"))),
            ), (
                Entry("order", "float", "power of the size by which the gap falls", True, ("functional",)),
                Entry("amount", "float", "gap at the geometric mean of the sizes", True, ("functional",)),
                Entry("gap", "float", "measured minus predicted over the scale", True, ("functional",)),
                Entry("error", "float", "one standard error", True, ("functional",)),
                Entry("verdict", "text", "the word at each size"),
            ), role="theory"),
        ),
        picture="faces.order_picture:order_picture",
        lines="faces.summary:order_lines",
        rerun="verbs.reruns:order_study_again",
    ),
    ResultKind(
        "learning_rate_study",
        xr.Dataset,
        (
            Node("/", "losses and marks on one axis of learning rates", HEAD + STUDY, (
                Entry("rate", "float", "learning rates of the short runs", True, ("rate",)),
                Entry("step", "float or whole", "steps of a short run", True, ("step",)),
                Entry("sweep_rate", "float", "learning rates of the one run of growing rate", True, ("sweep",)),
                Entry("mark", "text", "names of the marks", True, ("mark",)),
            ), (
                Entry("loss", "float", "of the short runs", True, ("rate", "step")),
                Entry("final_loss", "float", "at their end", True, ("rate",)),
                Entry("regime", "text", "convergent, chaotic or divergent", True, ("rate",)),
                Entry("sweep_loss", "float", "of the run of growing rate", True, ("sweep",)),
                *(Entry(f"mark_{n}", "float", w, True, ("mark",)) for n, w in (
                    ("rate", "the rate"), ("low", "smallest over batches"), ("high", "largest over batches"),
                    ("cost", "gradients of a minibatch"))),
                Entry("mark_words", "text", "what the mark means", True, ("mark",)),
            ), role="training"),
        ),
        picture="faces.rate_picture:rate_picture",
        lines="faces.summary:study_lines",
        rerun="verbs.reruns:refuse_study",
    ),
)  # fmt: skip
KINDS = {kind.verb: kind for kind in _ROWS}
