"""check: whether a result follows the written schema."""

import json
from typing import Any

import xarray as xr

from .kinds import held, kind_of
from .schema import ATTRIBUTE_KINDS, FORMAT, OLDER, REPAIR, TYPES, Entry, Node, parsed


def check(result: Any) -> None:
    """ValueError, in a sentence that names the part, unless `result` follows the written schema."""
    if not isinstance(result, xr.Dataset | xr.DataTree):
        raise ValueError(f"this is a {type(result).__name__}, not a result of predict, train, compare or sweep.")
    found = result.attrs.get("format")
    if not isinstance(found, str) or found not in (FORMAT, *OLDER):
        later = isinstance(found, str) and found.startswith("thalweg-result-")
        raise ValueError(
            f"this is no thalweg result (format {found if found is None else str(found)!r:.40}, wanted {FORMAT!r}); "
            + ("a later thalweg wrote it: install that one." if later else f"{REPAIR}.")
        )
    kind = kind_of(result)
    for node in kind.nodes:
        for path, content in held(result, node):
            _check_node(node, "this result" if path == "/" else f"node {path}", content)
    if kind.check:
        kind.ask("check")(result)


def _check_node(node: Node, place: str, content: xr.Dataset) -> None:
    for one in node.attributes:
        _check_attribute(one, place, content.attrs)
    for what, entries, values in (
        ("coordinate", node.coordinates, content.coords),
        ("variable", node.variables, content.data_vars),
    ):
        for one in entries:
            if one.name in values:
                _check_values(one, what, place, content)
            elif one.needed:
                raise ValueError(f"{what} {one.name!r} of {place} is missing ({one.words}): {REPAIR}.")
    if node.filled and not any(v.dtype.kind in "fiub" for v in content.data_vars.values()):
        raise ValueError(f"{place} is empty, with no variable of numbers: {REPAIR}.")


def _check_attribute(one: Entry, place: str, attrs: Any) -> None:
    if one.name not in attrs:
        if one.needed:
            raise ValueError(f"attribute {one.name!r} of {place} is missing ({one.words}): {REPAIR}.")
        return
    value, (as_json, words, test) = attrs[one.name], ATTRIBUTE_KINDS[one.kind]
    try:
        fits = test(parsed(value) if as_json else value)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"attribute {one.name!r} of {place} must be {words}; it is {value!r:.60}: {REPAIR}.")


def _check_values(one: Entry, what: str, place: str, content: xr.Dataset) -> None:
    values = content[one.name]
    if values.dtype.kind not in TYPES[one.kind]:
        raise ValueError(f"{what} {one.name!r} of {place} must be of type {one.kind}; it is {values.dtype}: {REPAIR}.")
    # a part that was selected (one seed, one time) has lost a dim; a sweep's variables have more
    dims = set(one.dims or ())
    fits = one.dims is None or (
        set(values.dims) <= dims if what == "coordinate" else dims & set(content.dims) <= set(values.dims)
    )
    if not fits:
        raise ValueError(f"{what} {one.name!r} of {place} has dims {values.dims}; {one.dims} are wanted: {REPAIR}.")


def check_grid(result: Any) -> None:
    """ValueError unless a sweep holds a theory or a training, over all that was swept."""
    over = json.loads(result.attrs["over"])
    nodes = {name: node for name, node in getattr(result, "children", {}).items() if name in ("theory", "training")}
    if not nodes:
        raise ValueError(f"this sweep has neither a node /theory nor a node /training: {REPAIR}.")
    for name in over:
        for place, node in nodes.items():
            if name not in node.dims and name not in node.coords:
                raise ValueError(f"node /{place} has no dim {name!r}, which was swept: {REPAIR}.")
