"""A problem of a sweep in words: its own values would be those of no point."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from ..words.phrases import plain_number


def swept(described: dict[str, Any], grid: str | None) -> dict[str, Any]:
    """A problem with the values of a sweep, in words, in the place of its own; parts that change are left out."""
    changed = copy.deepcopy(described)
    for axis in json.loads(grid or "[]"):
        for name, values in zip(axis["fields"], zip(*axis["rows"], strict=True), strict=True):
            *path, last = name.split(".")
            inside = changed
            for step in path:
                inside = inside["fields"].get(step) if isinstance(inside, dict) and "fields" in inside else None
            if isinstance(inside, dict) and "fields" in inside:
                inside["fields"][last] = _range_of(values)
    return changed


def _range_of(values: Sequence[Any]) -> Any:
    """Values in print: all of a few numbers, the ends of many; None for what is no number."""
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return None
    told = [plain_number(v) for v in values]
    return ", ".join(told) if len(told) <= 4 else f"{told[0]} … {told[-1]}"
