"""advise: what theory recommends for a problem, or for a user's own table."""

from typing import Any

import numpy as np

from ..catalogue import registry
from ..computing.float64 import float64
from ..data.own_table import OwnTable, read_table
from ..data.table_files import mapping, numbered
from ..systems.shared.least_squares import TableProblem, four_fifths
from ..words.problem import Problem, seed_keys
from ..words.recommendations import Advice, Adviser, Recommendation
from ..words.theory import Setting


def advise(
    subject: Any, *, target: Any = None, samples: int | None = None, data: Any = None, start: Any = None
) -> Advice:
    """What theory recommends: values with intervals, each with its evidence and the sentence why.

    `subject` is a problem, a table read by `read_table`, or anything that it reads: a file, a data frame, or
    `"sklearn:diabetes"`. Of a table, `target` names the column to be predicted from all others (scikit-learn's bring
    their own) and `samples` the number of rows to train on, four fifths unless given; the problem is the one that suits
    the target: numbers, two values, or names of classes. `print(advice)` tells all, as `thalweg advise` does;
    `advice["stopping_time"].value` is one number; `advice.estimator()` is scikit-learn's way to do as advised. What
    theory cannot say is told with the reason, not left out.
    Of a problem, `data` and `start` are read as by `predict`; where an adviser needs a draw and none is given it takes
    that of seed 0. Raises ValueError for a problem about which no adviser speaks, and for a table that cannot be read.
    """
    if isinstance(subject, Problem):
        _refuse("a problem has its columns and numbers in its own fields", target=target, samples=samples)
        return _advice(subject, data, start)
    if isinstance(subject, np.ndarray | list | tuple):
        raise ValueError(
            f"advise takes a problem, the path of a table, sklearn:NAME or a data frame; it was given "
            f"{type(subject).__name__} (of arrays make a problem: tw.DatasetRegression(inputs=..., targets=...))."
        )
    _refuse("a table is its own data", data=data, start=start)
    if isinstance(subject, OwnTable):
        _refuse("a table that was read has its target", target=target)
    table = subject if isinstance(subject, OwnTable) else read_table(subject, target)
    if table.weights is not None:
        raise ValueError(f"{table.title}: advice counts all rows alike; leave weights out.")
    problem, about = problem_of(table, samples)
    return _advice(problem, None, None, about, table)


def _refuse(why: str, **given: Any) -> None:
    """ValueError for the first argument that has no place here."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} = {value!r:.40} is not allowed here: {why}; leave {name} out.")


def problem_of(table: OwnTable, samples: int | None = None) -> tuple[TableProblem, tuple[str, ...]]:
    """The problem that suits the target of a table, and the lines that say what was made of it.

    Medians and levels are those of the rows that train under seed 0.
    """
    kind = next(kind for kind in registry.everything(TableProblem).values() if kind.suits(table.targets))
    numbers, names = numbered(table.targets)
    count = len(numbers)
    used = four_fifths(numbers) if samples is None else samples
    with float64():
        places = kind.from_table(np.arange(count, dtype=float)[:, None], numbers, used)
        inputs, columns = table.encoded(np.asarray(places.training_rows(seed_keys(np.int64(0))[0])))
        problem = kind.from_table(inputs, numbers, used)
    share = " (four fifths, unless samples says otherwise)" if samples is None else ""
    lines = [
        f"{table.title}: {count} rows, {len(columns)} columns to predict {table.target!r} from; {used} rows are "
        f"training points{share}."
    ]
    lines += table.account.lines()[1:] if table.account.is_worth_a_word else []
    lines += [f"Classes of {table.target!r}: {mapping(names)}."] if names else []
    return problem, tuple(lines)


def _of_rows_apart(
    kinds: list[Any], setting: Setting, table: OwnTable, items: tuple[Recommendation, ...]
) -> tuple[Recommendation, ...]:
    problem: Any = setting.problem
    rows = np.asarray(problem.training_rows(seed_keys(np.int64(0))[0]))
    given = [None if column is None else column[rows] for column in (table.groups, table.order)]
    return tuple(item for kind in kinds if kind.parts is not None for item in kind.parts(setting, *given, items))


def _advice(problem: Problem, data: Any, start: Any, about: tuple[str, ...] = (), table: Any = None) -> Advice:
    """What all advisers of a problem say."""
    kinds: list[Any] = registry.about(problem, Adviser)
    advisers = [kind() for kind in kinds]
    if not advisers:
        names = sorted({of.__name__ for kind in registry.everything(Adviser).values() for of in kind.of})
        raise ValueError(
            f"there is no advice about {type(problem).__name__}; there is about {', '.join(names) or 'none yet'}. "
            "theories(problem) lists what is known about yours."
        )
    with float64():
        given = (None if data is None else problem.as_data(data), None if start is None else problem.as_start(start))
        setting = Setting(problem, *given)
        items = tuple(item for one in advisers for item in one.advise(setting))
        if table is not None and (table.groups is not None or table.order is not None):
            items += _of_rows_apart(kinds, setting, table, items)
        plan = next((kind.plans(setting, items) for kind in kinds if kind.plans is not None), None)
    transformer = None if table is None or not table.has_to_be_made else table.transformer()
    return Advice(type(problem).__name__, items, about, plan, transformer)
