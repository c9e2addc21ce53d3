"""How the faces read a result: its parts, its words, its main parameters."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from ..results.kinds import held, kind_of
from ..words.phrases import counted, cut, plain_number, pretty
from .swept import swept


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a problem or of its rule, as a report shows it."""

    path: str
    value: Any
    words: str = ""
    symbol: str = ""
    unit: str = ""
    log: bool = False

    @property
    def text(self) -> str:
        """`n = 512`, or `samples = 512` where there is no symbol."""
        return f"{pretty(self.symbol) or self.path.rpartition('.')[2]} = {self.shown}"

    @property
    def shown(self) -> str:
        """The value in print."""
        if isinstance(self.value, dict):
            return str(self.value.get("class") or self.value.get("function") or "the user's array")
        if isinstance(self.value, list):
            return cut([plain_number(v) for v in self.value]) or "none"
        return plain_number(self.value)


@dataclasses.dataclass(frozen=True)
class TheoryPart:
    """What a comparison holds about one theory."""

    name: str
    told: xr.Dataset
    gap: xr.Dataset
    budget: xr.Dataset

    @property
    def sentence(self) -> str:
        """The verdict with both of its numbers."""
        return str(self.told.attrs.get("sentence", ""))

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        return str(self.told.attrs.get("verdict", ""))

    def claims(self) -> dict[str, tuple[str, ...]]:
        """How each variable is meant, where it is no plain value; in the order of the claims."""
        pairs = zip(self.budget["variable"].values, self.budget["claim"].values, strict=True)
        found: dict[str, tuple[str, ...]] = {}
        for variable, kind in dict.fromkeys((str(v), str(c)) for v, c in pairs):
            found[variable] = (*found.get(variable, ()), kind)
        return {variable: kinds for variable, kinds in found.items() if kinds != ("value",)}


class Comparison:
    """The nodes of a comparison, the same for one theory and for several."""

    def __init__(self, tree: xr.DataTree) -> None:
        self.attrs = tree.attrs
        self.training = tree["training"].to_dataset()
        names = json.loads(tree.attrs["theories"])
        paths = {name: "" if len(names) == 1 else f"/{name}" for name in names}
        self.theories = [
            TheoryPart(name, *(tree[f"{kind}{path}"].to_dataset() for kind in ("theory", "gap", "budget")))
            for name, path in paths.items()
        ]

    @property
    def good(self) -> xr.Dataset:
        """The runs that ended well (all, where none did): those that the comparison looks at."""
        return good_runs(self.training)

    def curves(self) -> list[str]:
        """Curves that training and some theory share, in the order of the training."""
        shared = {str(n) for t in self.theories for n in t.told.data_vars}
        return [n for n in curves_of(self.training, self) if n in shared]


def good_runs(seen: xr.Dataset) -> xr.Dataset:
    """The runs that ended well; all, where none did or it is not told."""
    if "outcome" not in seen or "seed" not in seen.dims:
        return seen
    ended = np.asarray(seen["outcome"].values == "ok")
    return seen.isel(seed=ended) if ended.any() else seen


def is_curve(values: xr.DataArray) -> bool:
    """Whether it is a number at every time."""
    return "time" in values.dims and values.dtype.kind == "f"


def is_two_time(values: xr.DataArray) -> bool:
    """Whether it is a number at every pair of times."""
    return "time2" in values.dims


def equal_times(values: xr.DataArray) -> xr.DataArray:
    """A curve of two times where both are the same; any other as it is."""
    if not is_two_time(values):
        return values
    both = xr.DataArray(np.arange(values.sizes["time"]), dims="time")
    return values.isel(time=both, time2=both).drop_vars("time2")


def sides(values: xr.DataArray) -> dict[str, xr.DataArray]:
    """What each of several claims says, by its kind; under "" the variable as it is where there is one claim."""
    if "claim" not in values.dims:
        return {"": values}
    each = {str(kind): values.sel(claim=kind, drop=True) for kind in values["claim"].values}
    # other variables of the same result may have claims of more kinds
    return {kind: side for kind, side in each.items() if np.isfinite(side.values).any()} or each


def curves_of(dataset: xr.Dataset, whole: Any = None) -> list[str]:
    """Names of all curves, in the order in which the problem of the `whole` result lists its observables."""
    found = [str(n) for n, v in dataset.data_vars.items() if is_curve(v)]
    listed = [o.name for o in getattr(class_of(problem_of(whole or dataset)), "observables", ())]
    return sorted(found, key=lambda name: listed.index(name) if name in listed else len(listed))


def centre(values: xr.DataArray) -> xr.DataArray:
    """The mean over seeds as it is judged: geometric where a curve is looked at on a logarithmic scale."""
    if values.attrs.get("scale") != "log" or "seed" not in values.dims:
        return mean_over_seeds(values)
    positive = values.where(values > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = positive.copy(data=np.log(positive.values))
        mean = mean_over_seeds(logs)
        found = mean.copy(data=np.exp(mean.values))
    # what is 0 in some run has no logarithm
    return found.where(positive.count("seed") == values.count("seed"), mean_over_seeds(values)).assign_attrs(
        values.attrs
    )


def mean_over_seeds(values: xr.DataArray) -> xr.DataArray:
    """The mean over seeds of what is finite; as it is where there are none."""
    if "seed" not in values.dims:
        return values
    known = values.where(abs(values) < np.inf)
    count = known.count("seed")
    return (known.sum("seed") / count.where(count > 0)).assign_attrs(values.attrs)


def parts_of(result: Any, read: Callable[[xr.Dataset], Any]) -> dict[str, Any]:
    """`read` of every data set in a result, by its role; those of a comparison's theories in a list."""
    found: dict[str, Any] = {}
    for node in kind_of(result).nodes:
        if node.role not in ("theory", "training"):
            continue
        several = [read(content) for _, content in held(result, node)]
        if node.each:
            found["theories"] = several
        elif several:
            found[node.role] = several[0]
    return found


def problem_of(result: Any) -> dict[str, Any]:
    """Class, module and fields of the problem."""
    return json.loads(result.attrs["problem"])


def parameters(described: dict[str, Any], head: str = "") -> list[Parameter]:
    """All parameters of a described module, those of its rule with dotted names."""
    declared = _declared(described)
    found: list[Parameter] = []
    for name, value in described["fields"].items():
        if isinstance(value, dict) and "class" in value:
            found.append(Parameter(head + name, value, "law of motion" if name == "rule" else ""))
            found += parameters(value, f"{head}{name}.")
        else:
            about = declared.get(name)
            words = {k: getattr(about, k) for k in ("words", "symbol", "unit", "log")} if about else {}
            found.append(Parameter(head + name, value, **words))
    return found


def class_of(described: dict[str, Any]) -> Any:
    """The class of a described module; None where it is not at hand (a notebook's own, not imported)."""
    from ..catalogue import registry

    try:
        name = described["class"]
        return registry.revived(name, described.get("module", ""), described.get("qualname", name))
    except ValueError:
        return None


def _declared(described: dict[str, Any]) -> dict[str, Any]:
    """What a class says about its fields."""
    from ..words.fields import parameters as declared

    kind = class_of(described)
    return declared(kind) if kind else {}


def _defaults(described: dict[str, Any]) -> dict[str, Any]:
    kind = class_of(described)
    return {f.name: f.default for f in dataclasses.fields(kind)} if kind else {}


def main_parameters(described: dict[str, Any]) -> list[Parameter]:
    """Sizes, and whatever differs from its default: what a title can hold."""
    declared, usual = _declared(described), _defaults(described)
    chosen = []
    for one in parameters(described):
        if "." in one.path or isinstance(one.value, dict):
            continue
        sized = one.path in declared and declared[one.path].kind == "size" and one.value
        if sized or not _same(usual.get(one.path), one.value):
            chosen.append(one)
    return chosen


def _same(default: Any, value: Any) -> bool:
    return default is not dataclasses.MISSING and bool(np.array_equal(np.asarray(default), np.asarray(value)))


def rule_of(described: dict[str, Any]) -> str:
    """The rule with its main parameters: `GradientDescent (η = 0.1)`."""
    return part_text(described["fields"].get("rule"))


def part_text(part: Any) -> str:
    """A rule, a start or another part with its main parameters: `BalancedLayers (r = 1)`; empty for anything else."""
    if not isinstance(part, dict) or "class" not in part:
        return ""
    usual = _defaults(part)
    # a part without parameters that is there by default says nothing
    inside = [
        part_text(value)
        for name, value in part["fields"].items()
        if isinstance(value, dict) and (value.get("fields") or value.get("class") != type(usual.get(name)).__name__)
    ]
    told = [
        p.text
        for p in parameters(part)
        if "." not in p.path and p.value is not None and (p.symbol or p.path == "maker")
    ]
    listed = ", ".join([t for t in inside if t] + told)
    return part["class"] + (f" ({listed})" if listed else "")


def own_parts(described: dict[str, Any]) -> list[str]:
    """The parts of a problem beside its rule: its start, its inputs."""
    return [text for name, value in described["fields"].items() if name != "rule" and (text := part_text(value))]


def title_of(result: Any) -> str:
    """Problem, main parameters, rule and number of seeds in one line; the own title of a result without a problem."""
    if "problem" not in result.attrs:
        return str(result.attrs["title"])
    described = swept(problem_of(result), result.attrs.get("grid"))
    numbers = ", ".join(p.text for p in main_parameters(described))
    listed = [described["class"], numbers, *own_parts(described), rule_of(described)]
    seeds = result.attrs.get("seeds")
    if seeds:
        listed.append(counted(len(json.loads(seeds)), "seed"))
    return " · ".join(part for part in listed if part)


def units_text(values: xr.DataArray) -> str:
    """Words and unit of a variable for an axis."""
    words, unit = values.attrs.get("long_name", values.name), values.attrs.get("units", "")
    return f"{words} ({unit})" if unit and unit != words else str(words)
