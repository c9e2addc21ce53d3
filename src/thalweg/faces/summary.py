"""A result in a few numbers: for `--json`, and for the lines that a command prints."""

import json
import math
from collections.abc import Iterator
from typing import Any

from ..results.kinds import kind_of, parts
from ..words.phrases import plain_number
from .reading import Comparison, is_curve, is_two_time, mean_over_seeds, parts_of, sides, title_of

# as many values are shown one by one
MOST = 8


def clean(value: Any) -> Any:
    """Plain data that JSON can hold: NaN and infinities as null, arrays as lists."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _numbers(dataset: Any) -> dict[str, Any]:
    """Curves at their last time and events, averaged over seeds."""
    found: dict[str, Any] = {"end": {}, "events": {}}
    for name, values in dataset.data_vars.items():
        if values.dtype.kind != "f":
            continue
        told = {side: _at_the_end(one) for side, one in sides(mean_over_seeds(values)).items()}
        found["end" if is_curve(values) else "events"][str(name)] = told.get("", told)
    return found


def _at_the_end(mean: Any) -> Any:
    """The last value of a curve, what is no curve as it is; two values of a curve of two times."""
    if is_two_time(mean):
        places = {"equal times": -1, "last against first": 0}
        return {words: clean(mean.isel(time=-1, time2=place).values) for words, place in places.items()}
    return clean((mean.isel(time=-1) if is_curve(mean) else mean).values)


def _part(dataset: Any) -> dict[str, Any]:
    kept = ("theory", "verdict", "sentence", "agreement", "sensitivity")
    said: dict[str, Any] = {k: clean(dataset.attrs[k]) for k in kept if k in dataset.attrs}
    for key in ("strains", "source", "seeds"):
        if key in dataset.attrs:
            said[key] = json.loads(dataset.attrs[key])
    if "outcome" in dataset:
        said["outcome"] = [str(o) for o in dataset["outcome"].values]
    return {**said, **_numbers(dataset)}


def summary(result: Any, files: dict[str, str] | None = None) -> dict[str, Any]:
    """All that a script wants to know of a result, as plain data."""
    attrs = result.attrs
    kept = ("verb", "verdict", "sentence", "agreement", "sensitivity", "resolution", "thalweg", "jax")
    said: dict[str, Any] = {k: clean(attrs[k]) for k in kept if k in attrs}
    said |= {k: json.loads(attrs[k]) for k in ("problem", "remarks", "seeds", "over") if k in attrs}
    said |= parts_of(result, _part)
    if kind_of(result).judged:
        for told, budget in zip(said["theories"], parts(result, "budget"), strict=True):
            told["budget"] = [clean(row) for row in budget.to_dataframe().reset_index().to_dict("records")]
    return {**said, "files": files or {}}


def lines(result: Any) -> list[str]:
    """The same for people: the verdict or the last values, and what must be said beside them."""
    remarks = json.loads(result.attrs.get("remarks", "[]"))
    return kind_of(result).ask("lines")(result) + [f"  {remark}" for remark in remarks]


def verdict_lines(result: Any) -> list[str]:
    """The verdict on each theory, and what was compared."""
    theories = Comparison(result).theories
    if len(theories) == 1:
        return [theories[0].sentence, title_of(result), f"theory: {theories[0].name}"]
    return [*(f"{theory.name}: {theory.sentence}" for theory in theories), title_of(result)]


def value_lines(result: Any) -> list[str]:
    """Curves at their end, and events."""
    return [title_of(result), *_values(result)]


def sweep_lines(result: Any) -> list[str]:
    """What was swept, and the values at all points."""
    said = [f"  {n} = {', '.join(map(plain_number, v))}" for n, v in json.loads(result.attrs["over"]).items()]
    told = [line for part in parts(result, "theory") for line in _values(part)]
    seen = [line for part in parts(result, "training") for line in ["training:", *_values(part)]]
    return [title_of(result), *said, *told, *seen]


def study_lines(study: Any) -> list[str]:
    """The learning rates that were marked, the smallest first."""
    marks = zip(study["mark"].values, study["mark_rate"].values, study["mark_words"].values, strict=True)
    known = sorted((float(rate), str(name), str(words)) for name, rate, words in marks if math.isfinite(rate))
    return [title_of(study), *(f"  {name} at {_short(rate)} ({words})" for rate, name, words in known)]


def order_lines(study: Any) -> list[str]:
    """The order of each functional whose gap is seen, and from which size on the theory is good."""
    size, said, unseen = str(study["gap"].dims[0]), [title_of(study), f"theory: {study.attrs['theory']}"], []
    for name in map(str, study["functional"].values):
        one = study.sel(functional=name)
        if math.isnan(float(one["order"])):
            unseen.append(name)
            continue
        declared = float(one["declared_order"])
        told = f" (declared {declared:g})" if math.isfinite(declared) else ""
        least = [math.ceil(float(one[f"good_to_{share}_percent"])) for share in (5, 1)]
        order = f"{float(one['order']):.2f} ± {float(one['order_error']):.2f}"
        said.append(f"  {name}: order {order}{told}; good to 5 % from {size} = {least[0]}, to 1 % from {least[1]}")
    if unseen:
        said.append(f"  no gap beyond chance at these sizes: {', '.join(unseen)}")
    return said


def _values(dataset: Any) -> list[str]:
    """Curves at their end and events, a line each, below the theory that says them."""
    found = _numbers(dataset)
    said = [f"theory: {dataset.attrs['theory']}"] if "theory" in dataset.attrs else []
    for kind in ("end", "events"):
        for name, value in found[kind].items():
            word = "at the end" if kind == "end" else _word(dataset[name].attrs)
            unit = str(dataset[name].attrs.get("units", "")) if kind == "events" else ""
            told = _short(value)
            said.append(f"  {name} ({word}): {told}{f' {unit}' if unit and not told.endswith('happen') else ''}")
    return said


def _word(attrs: dict[str, Any]) -> str:
    """What a number without time is: told of a curve (they alone have a scale), as claimed, or an event."""
    if "scale" not in attrs:
        return "event"
    kind = str(attrs.get("claim", "limit"))
    return kind if kind in ("limit", "upper", "lower") else "at all times"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_short(one)}" for key, one in value.items())
    if not isinstance(value, list):
        return "did not happen" if value is None else plain_number(float(f"{value:.5g}"))
    nested = any(isinstance(v, list) for v in value)
    if len(value) <= MOST:
        return ", ".join(f"({_short(v)})" if nested else _short(v) for v in value)
    every = list(_flat(value))
    known = [v for v in every if v is not None]
    span = f", from {_short(min(known))} to {_short(max(known))}" if known else ""
    return f"{len(every)} values{span}" + (
        f"; {len(every) - len(known)} did not happen" if len(known) < len(every) else ""
    )


def _flat(value: Any) -> Iterator[Any]:
    """The numbers of nested lists."""
    for one in value:
        yield from _flat(one) if isinstance(one, list) else (one,)
