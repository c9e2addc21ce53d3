"""What exists by name: problems, their parts, presets and theories, without jax unless other packages add systems."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Set

from .entries import Entry, Field, Index, PresetEntry
from .outsiders import are_there, import_given
from .stored import stored


@functools.cache
def index() -> Index:
    """The index of this installation: the package, and the systems that other packages add."""
    classes, presets = stored()
    if are_there():
        # what other packages bring is read from their classes, which needs all that these need
        from .registry import foreign

        more, settings = foreign()
        classes, presets = (*classes, *more), (*presets, *settings)
    return made_of(classes, presets)


def bring(path: str) -> None:
    """Import a user's own file or module, and list what it holds beside all else; ValueError where that fails."""
    import_given(path)
    index.cache_clear()


def made_of(classes: Iterable[Entry], presets: Iterable[PresetEntry]) -> Index:
    """An index of these; classes of one name go by `module:qualname`."""
    classes = list(classes)
    count = Counter(e.name for e in classes)
    shown = {e.identity: e.name if count[e.name] == 1 else e.identity for e in classes}
    concrete = {older for e in classes if e.concrete for older in (e.identity, *e.ancestors)}
    known = {shown[e.identity]: _in_names(e, shown, concrete) for e in classes}
    problems, theories = (
        {n: e for n, e in known.items() if e.concrete and e.kind == kind} for kind in ("Problem", "Theory")
    )
    settings = {p.name: _preset_in_names(p, shown, concrete) for p in presets}
    families = _reached([*problems.values(), *settings.values()], known)
    parts = {n: e for n, e in known.items() if e.concrete and families.keys() & {n, *e.ancestors}}
    return Index(problems, families, parts, theories, settings)


def _in_names(entry: Entry, shown: dict[str, str], concrete: Set[str]) -> Entry:
    return dataclasses.replace(
        entry,
        name=shown[entry.identity],
        ancestors=tuple(shown.get(a, a) for a in entry.ancestors),
        of=tuple(shown.get(o, o) for o in entry.of),
        fields=tuple(_field_in_names(f, shown, concrete) for f in entry.fields),
    )


def _preset_in_names(entry: PresetEntry, shown: dict[str, str], concrete: Set[str]) -> PresetEntry:
    fields = tuple(_field_in_names(f, shown, concrete) for f in entry.fields)
    return dataclasses.replace(entry, returns=shown.get(entry.returns, entry.returns), fields=fields)


def _field_in_names(field: Field, shown: dict[str, str], concrete: Set[str]) -> Field:
    """A field of parts is told by their base class; a base of which nobody has an heir offers no choice."""
    if not field.family:
        return field
    if field.family not in concrete:
        return dataclasses.replace(field, kind="plain", family="")
    return dataclasses.replace(field, family=shown.get(field.family, field.family))


def _reached(subjects: Iterable[Entry | PresetEntry], known: dict[str, Entry]) -> dict[str, Entry]:
    """The families that fields of these hold, then those that fields of their members hold."""
    found: dict[str, Entry] = {}
    waiting = [f.family for s in subjects for f in s.fields if f.family]
    for name in waiting:
        if name not in found:
            found[name] = known[name]
            heirs = [e for e in known.values() if e.concrete and name in (e.name, *e.ancestors)]
            waiting += [f.family for e in heirs for f in e.fields if f.family]
    return found
