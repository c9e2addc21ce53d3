"""How to run a result again: the Python and the command line that say the same."""

import json
import shlex
from typing import Any

import numpy as np

from ..catalogue.index import index
from ..results.kinds import kind_of
from .reading import problem_of


def _changed(described: dict[str, Any]) -> dict[str, Any]:
    """The fields that differ from their defaults; all of them where the class is none of thalweg's."""
    found = index()
    entry = {**found.problems, **found.parts, **found.theories}.get(described["class"])
    usual = {f.name: f.default for f in entry.fields if not f.required} if entry else {}
    return {k: v for k, v in described["fields"].items() if k not in usual or not _usual(v, usual[k])}


def _usual(value: Any, default: Any) -> bool:
    if isinstance(value, dict) and "class" in value:
        return default == f"{value['class']}()" and not _changed(value)
    return value == (list(default) if isinstance(default, tuple) else default)


def _arrays(fields: dict[str, Any]) -> bool:
    """Whether a user's own array or function stands in these fields; the result file alone holds it."""
    return any(isinstance(v, dict) and ("class" not in v or _arrays(v["fields"])) for v in fields.values())


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return construct(value)
    if isinstance(value, list):
        return f"({', '.join(_literal(v) for v in value)}{',' if len(value) == 1 else ''})"
    return repr(value)


def construct(described: dict[str, Any]) -> str:
    """The Python expression that makes a described module."""
    own = described["module"].split(".")[0] == "thalweg"
    name = f"tw.{described['class']}" if own else described["class"]
    return f"{name}({', '.join(f'{k}={_literal(v)}' for k, v in _changed(described).items())})"


def even(times: np.ndarray) -> tuple[float, float, int] | None:
    """Start, stop and count of evenly spread times; None for others."""
    if times.size < 2:
        return None
    same = np.array_equal(np.linspace(times[0], times[-1], times.size), times)
    return (float(times[0]), float(times[-1]), int(times.size)) if same else None


def _seeds(listed: list[int]) -> int | list[int]:
    return len(listed) if listed == list(range(len(listed))) else listed


def python(result: Any, times: np.ndarray) -> str:
    """A few lines that make this result again."""
    described = problem_of(result)
    if _arrays(described["fields"]) or even(times) is None or not kind_of(result).spelled:
        return 'import thalweg as tw\n\nresult = tw.rerun("run.nc")'
    start, stop, count = even(times) or (0.0, 0.0, 1)
    theories = [construct(one) for one in json.loads(result.attrs["theory_json"])]
    theory = theories[0] if len(theories) == 1 else f"[{', '.join(theories)}]"
    imports = sorted(
        f"from {d['module']} import {d['class']}"
        for d in [described, *json.loads(result.attrs["theory_json"])]
        if d["module"].split(".")[0] != "thalweg"
    )
    seeds = _seeds(json.loads(result.attrs["seeds"]))
    lines = ["import numpy as np", "import thalweg as tw", *imports, "", f"problem = {construct(described)}"]
    lines.append(f"times = np.linspace({start!r}, {stop!r}, {count})")
    lines.append(f"result = tw.compare(problem, times, theory={theory}, seeds={seeds})")
    return "\n".join(lines)


def _flags(described: dict[str, Any], head: str = "") -> list[str]:
    words: list[str] = []
    for name, value in _changed(described).items():
        flag = "--" + (head + name).replace("_", "-")
        if isinstance(value, dict) and "class" in value:
            words += [flag, value["class"], *_flags(value, f"{head}{name}.")]
        elif isinstance(value, list) and all(isinstance(v, int | float) for v in value):
            words += [flag, ",".join(repr(v) for v in value)] if value else []
        elif isinstance(value, int | float | str):
            words += [flag, str(value)]
    return words


def command(result: Any, times: np.ndarray) -> str:
    """The command that makes this result again; from the file where it cannot be said in words."""
    described, span = problem_of(result), even(times)
    own = described["module"].split(".")[0] == "thalweg"
    if _arrays(described["fields"]) or span is None or not own or not kind_of(result).spelled:
        return "thalweg rerun run.nc --out again"
    words = ["thalweg", "compare", described["class"], *_flags(described)]
    words += ["--times", f"{span[0]:g}:{span[1]:g}:{span[2]}"]
    for name in json.loads(result.attrs["theories"]):
        words += ["--theory", name]
    seeds = _seeds(json.loads(result.attrs["seeds"]))
    words += ["--seeds", str(seeds) if isinstance(seeds, int) else ",".join(map(str, seeds))]
    return shlex.join(words)
