"""check: whether a result follows the written schema."""

import json
from collections.abc import Iterator
from typing import Any

import xarray as xr

from .schema import FORMAT, KINDS, OLDER, SCHEMA, TYPES, Entry, Node, parsed

REPAIR = "give one that predict, train, compare or sweep returned, or a file that save wrote"


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
    verb = result.attrs.get("verb")
    if not isinstance(verb, str) or verb not in SCHEMA:
        raise ValueError(
            f"attribute 'verb' of this result is {verb!r:.40}; it must be one of {', '.join(SCHEMA)}: {REPAIR}."
        )
    for node, place, content in _nodes(result, verb):
        _check_node(node, place, content)
    if verb == "sweep":
        _check_grid(result)


def _nodes(result: Any, verb: str) -> Iterator[tuple[Node, str, xr.Dataset]]:
    """Nodes of the schema with the data sets that they describe: a theory's are several where there are several."""
    for node in SCHEMA[verb]:
        if node.path == "/":
            # what the rest is looked for by must be right first
            root = result if isinstance(result, xr.Dataset) else result.to_dataset(inherit=False)
            yield node, "this result", root
            continue
        if verb == "sweep" and node.path[1:] not in getattr(result, "children", ()):
            continue
        names = json.loads(result.attrs["theories"]) if verb == "compare" else []
        several = node.path in ("/theory", "/gap", "/budget") and len(names) > 1
        for path in [f"{node.path}/{name}" for name in names] if several else [node.path]:
            yield node, f"node {path}", _at(result, path)


def _at(result: Any, path: str) -> xr.Dataset:
    found = result
    for name in path.strip("/").split("/"):
        children = getattr(found, "children", {})
        if name not in children:
            raise ValueError(f"this result has no node {path}: {REPAIR}.")
        found = children[name]
    return found.to_dataset()


def _check_node(node: Node, place: str, content: xr.Dataset) -> None:
    for one in node.attributes:
        _check_attribute(one, place, content.attrs)
    for what, entries, held in (
        ("coordinate", node.coordinates, content.coords),
        ("variable", node.variables, content.data_vars),
    ):
        for one in entries:
            if one.name in held:
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
    value, (as_json, words, test) = attrs[one.name], KINDS[one.kind]
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


def _check_grid(result: Any) -> None:
    over = json.loads(result.attrs["over"])
    nodes = {name: node for name, node in getattr(result, "children", {}).items() if name in ("theory", "training")}
    if not nodes:
        raise ValueError(f"this sweep has neither a node /theory nor a node /training: {REPAIR}.")
    for name in over:
        for place, node in nodes.items():
            if name not in node.dims and name not in node.coords:
                raise ValueError(f"node /{place} has no dim {name!r}, which was swept: {REPAIR}.")
