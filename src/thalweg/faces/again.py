"""How to run a result again: the Python and the command line that say the same."""

import json
import shlex
from typing import Any

import numpy as np

from ..catalogue.entries import Entry
from ..catalogue.index import index
from ..results.kinds import kind_of
from .reading import problem_of

# the resolution of compare where none is named
RESOLUTION = 0.1


def _own(described: dict[str, Any]) -> bool:
    """Whether the class is one of thalweg's."""
    return described["module"].split(".")[0] == "thalweg"


def _entry(described: dict[str, Any]) -> Entry | None:
    """The entry of this very class, by module and name; of thalweg's wherever it stands by now."""
    found = index()
    known = [*found.problems.values(), *found.parts.values(), *found.theories.values()]
    name, wanted = described["class"], f"{described['module']}:{described.get('qualname', described['class'])}"
    same = [e for e in known if e.identity == wanted]
    own = [e for e in known if _own(described) and e.qualname == name and e.module.split(".")[0] == "thalweg"]
    return next(iter([*same, *own]), None)


def _changed(described: dict[str, Any]) -> dict[str, Any]:
    """The fields that differ from their defaults; all of them where nothing is known of the class."""
    entry = _entry(described)
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
    name = f"tw.{described['class']}" if _own(described) else described["class"]
    return f"{name}({', '.join(f'{k}={_literal(v)}' for k, v in _changed(described).items())})"


def even(times: np.ndarray) -> tuple[float, float, int] | None:
    """Start, stop and count of evenly spread times; None for others."""
    if times.size < 2:
        return None
    same = np.array_equal(np.linspace(times[0], times[-1], times.size), times)
    return (float(times[0]), float(times[-1]), int(times.size)) if same else None


def _seeds(result: Any) -> int | str | list[int]:
    """The seeds as they are given: how many, which, or "enough" where they were doubled until it was decided."""
    listed = json.loads(result.attrs["seeds"])
    if "looks" in result.attrs:
        return "enough"
    return len(listed) if listed == list(range(len(listed))) else listed


def _foreign(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The classes among these, and inside them, that are none of thalweg's."""
    inner = [v for d in described for v in d["fields"].values() if isinstance(v, dict) and "class" in v]
    return [d for d in described if not _own(d)] + (_foreign(inner) if inner else [])


def modules_of(result: Any) -> list[str]:
    """The modules that hold the user's own classes in a result; `__main__` is a notebook or a script."""
    told = json.loads(result.attrs.get("theory_json", "[]"))
    listed = [problem_of(result), *(told if isinstance(told, list) else [told])]
    return sorted({d["module"] for d in _foreign(listed)})


def python(result: Any, times: np.ndarray) -> str:
    """A few lines that make this result again."""
    described = problem_of(result)
    if not _said_in_words(result, times) or "__main__" in modules_of(result):
        imports = [f"import {m}" for m in modules_of(result) if m != "__main__"]
        note = ["# run this where its classes are defined"] if "__main__" in modules_of(result) else []
        return "\n".join(["import thalweg as tw", *imports, "", *note, 'result = tw.rerun("run.nc")'])
    start, stop, count = even(times) or (0.0, 0.0, 1)
    told = json.loads(result.attrs.get("theory_json", "[]"))
    theories = [construct(one) for one in told]
    theory = theories[0] if len(theories) == 1 else f"[{', '.join(theories)}]"
    imports = sorted({f"from {d['module']} import {d['class']}" for d in _foreign([described, *told])})
    lines = ["import numpy as np", "import thalweg as tw", *imports, "", f"problem = {construct(described)}"]
    lines.append(f"times = np.linspace({start!r}, {stop!r}, {count})")
    more = "" if _resolution(result) is None else f", resolution={_resolution(result)!r}"
    lines.append(f"result = tw.compare(problem, times, theory={theory}, seeds={_seeds(result)!r}{more})")
    return "\n".join(lines)


def _said_in_words(result: Any, times: np.ndarray) -> bool:
    """Whether a call without arrays says all of it."""
    return bool(kind_of(result).spelled and even(times) and not _arrays(problem_of(result)["fields"]))


def _resolution(result: Any) -> float | None:
    """The resolution, where it is not the usual one."""
    found = float(result.attrs.get("resolution", RESOLUTION))
    return None if found == RESOLUTION else found


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
    """The command that makes this result again: the user's own, or one in words, or one that reads the file."""
    if "command" in result.attrs and not result.attrs["command"].startswith("thalweg rerun"):
        return str(result.attrs["command"])
    brought = [word for module in modules_of(result) for word in ("--import", _file_of(module))]
    described, span = problem_of(result), even(times)
    plain = _said_in_words(result, times) and not any(map(_changed, json.loads(result.attrs.get("theory_json", "[]"))))
    if not plain or span is None or "__main__" in modules_of(result):
        return shlex.join(["thalweg", "rerun", "run.nc", "--out", "again", *brought])
    words = ["thalweg", "compare", described["class"], *_flags(described)]
    words += ["--times", f"{span[0]!r}:{span[1]!r}:{span[2]}".replace(".0:", ":")]
    for name in json.loads(result.attrs["theories"]):
        words += ["--theory", name]
    seeds = _seeds(result)
    words += ["--seeds", ",".join(map(str, seeds)) if isinstance(seeds, list) else str(seeds)]
    words += [] if _resolution(result) is None else ["--resolution", repr(_resolution(result))]
    return shlex.join([*words, *brought])


def _file_of(module: str) -> str:
    """What `--import` takes for a module: its name, or a file for a script that has none."""
    return "FILE.py" if module == "__main__" else module


def named(result: Any) -> list[tuple[str, str]]:
    """Preset, table and target, as the command named them; a preset also where the problem is the same as its own."""
    attrs = result.attrs
    found = [(words, str(attrs[k])) for k, words in (("data_file", "table"), ("target", "target")) if k in attrs]
    if "preset" in attrs:
        return [("preset", str(attrs["preset"])), *found]
    same = _preset_like(problem_of(result))
    return [("as preset", same), *found] if same else found


def _preset_like(described: dict[str, Any]) -> str:
    """The preset whose problem, without changes, is this one; empty where there is none."""
    entry = _entry(described)
    if entry is None or _arrays(described["fields"]):
        return ""
    from ..catalogue import registry
    from ..results.serial import describe

    for name, preset in index().presets.items():
        if preset.returns == entry.name and not any(f.required for f in preset.fields):
            made = registry.find_preset(name)
            if made is not None and json.loads(json.dumps(describe(made(), {}))) == described:
                return name
    return ""
