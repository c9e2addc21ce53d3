"""Tables of a page: what each seed did, and numbers in print."""

import json
import math
from typing import Any

import numpy as np
import xarray as xr

from ..results.kinds import parts
from ..words.phrases import counted, pretty

# seeds that are shown one by one; those that went wrong stand first
MOST_SEEDS = 8


def runs(result: Any) -> dict[str, Any] | None:
    """Outcome, events and last values of each run; None for a result without seeds in a row."""
    seen = next((p for p in parts(result, "training") if "outcome" in p and p["outcome"].dims == ("seed",)), None)
    if seen is None:
        return None
    outcomes = [str(o) for o in seen["outcome"].values]
    order = sorted(range(len(outcomes)), key=lambda i: outcomes[i] == "ok")
    names = [str(n) for n, v in seen.data_vars.items() if v.dtype.kind == "f" and set(v.dims) <= {"seed", "time"}]
    names = [n for n in names if "seed" in seen[n].dims]
    columns = [{"name": n, "when": "at the end" if "time" in seen[n].dims else "event"} for n in names]
    rows = [
        {"seed": int(seen["seed"].values[i]), "outcome": outcomes[i], "values": [_last(seen[n], i) for n in names]}
        for i in order[:MOST_SEEDS]
    ]
    well = outcomes.count("ok")
    said = f"{well} of {counted(len(outcomes), 'run')} ended well" + ("." if well == len(outcomes) else ";")
    said += "" if well == len(outcomes) else f" {len(outcomes) - well} went wrong and stand first."
    left = len(outcomes) - len(rows)
    return {"columns": columns, "rows": rows, "said": said, "left": left, "wrong": len(outcomes) - well}


def _last(values: xr.DataArray, seed: int) -> float:
    one = values.isel(seed=seed)
    return float(one.isel(time=-1) if "time" in one.dims else one)


def failures(result: Any, most: int = 4) -> list[str]:
    """Sentences about runs that did not end well; of many the first, and how many there are."""
    found = []
    for node in [result] if isinstance(result, xr.Dataset) else [node.to_dataset() for node in result.subtree]:
        if "outcome" in node and node["outcome"].dims == ("seed",):
            pairs = zip(node["seed"].values, node["outcome"].values, strict=True)
            found += [f"seed {int(s)} {text}" for s, text in pairs if str(text) != "ok"]
    return found if len(found) <= most else [*found[: most - 1], f"{len(found) - most + 1} other runs went wrong, too."]


def seeds_text(listed: list[int]) -> str:
    """`24 (0 to 23)`; of a long list without order the first ones."""
    if listed == list(range(listed[0], listed[0] + len(listed))):
        return f"{len(listed)} ({listed[0]} to {listed[-1]})" if len(listed) > 1 else f"1 ({listed[0]})"
    shown = ", ".join(map(str, listed[:MOST_SEEDS]))
    return f"{len(listed)} ({shown}{', …' if len(listed) > MOST_SEEDS else ''})"


def told_seeds(result: Any) -> str:
    """The seeds of a result; empty where there are none."""
    return seeds_text(json.loads(result.attrs["seeds"])) if "seeds" in result.attrs else ""


def number(value: Any, digits: int = 4) -> str:
    """A number for a table: a few digits, a dash where there is none."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return "–"
    if isinstance(value, float | int) and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        mantissa, power = f"{value:.1e}".split("e")
        return f"{mantissa}·10{pretty('^' + str(int(power)))}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}".replace("-", "−")


def percent(value: Any) -> str:
    """A share as a percentage with two digits that matter."""
    if value is None or not math.isfinite(float(value)):
        return "–"
    share = 100 * float(value)
    if 0 < abs(share) < 0.01:
        return "< 0.01 %"
    return f"{share:.0f} %" if abs(share) >= 10 else f"{share:.2g} %"
