"""What each command does: build the problem, call the verb, write and print the result."""

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..catalogue.entries import PresetEntry
from ..catalogue.index import index
from ..words.phrases import unknown
from . import listing
from .console import hear_theories, printer, progress
from .delivery import deliver
from .output import finish, writable_place
from .subject import build, entry_of
from .values import read_grid, read_numbers, read_seeds


def _said(**options: Any) -> dict[str, Any]:
    """Options that were given; the verb's own defaults stand for the others."""
    return {k: v for k, v in options.items() if v is not None and v != ()}


def _theory(subject: str, names: Sequence[str]) -> Any:
    found, entry = index(), entry_of(subject)
    problem = entry.returns if isinstance(entry, PresetEntry) else entry.name
    for name in names:
        if name not in found.theories:
            speaking = [t.name for t in found.about(problem)]
            raise ValueError(unknown("theory", name, speaking, f" about {problem}"))
    return list(names) if len(names) > 1 else (*names, None)[0]


class Asked:
    """A problem made from words, with the times and seeds of its preset where nothing else was said."""

    def __init__(self, name: str, said: dict[str, Any], times: str | None = None, seeds: str | None = None) -> None:
        from ..catalogue import registry

        hear_theories()
        given = None if times is None else read_numbers(times, "--times")
        listed = read_seeds(seeds)
        self.problem = build(name, said)
        preset = registry.find_preset(name)
        self.times = preset.times(self.problem) if preset is not None and given is None else given
        self.seeds = preset.seeds if preset is not None and listed is None else listed
        self.theories: list[str] = list(preset.theories) if preset is not None else []
        table = {"data_file": said.get("data"), "target": said.get("target")}
        self.named = {k: str(v) for k, v in {"preset": preset and name, **table}.items() if v}


def show_index(name: str | None, as_json: bool) -> None:
    """`list`."""
    found = index()
    if as_json:
        listed = listing.as_json(found)
        if name is not None:
            listing.about(found, name)
            listed = {k: [e for e in entries if e["name"] == name] for k, entries in listed.items()}
        click.echo(json.dumps(listed, indent=1))
        return
    _print(*(listing.tables(found) if name is None else listing.about(found, name)))


def _print(*parts: Any) -> None:
    console = printer()
    for part in parts:
        console.print(part, highlight=False, markup=False, soft_wrap=isinstance(part, str))


def theories(name: str, said: dict[str, Any], as_json: bool) -> int:
    """`theories`."""
    import thalweg as tw

    from .summary import clean

    table = tw.theories(Asked(name, said).problem)
    if as_json:
        click.echo(json.dumps([clean(row) for row in table.to_dict("records")], indent=1))
    else:
        click.echo(str(table))
    return 0


def advise(name: str, said: dict[str, Any], as_json: bool) -> int:
    """`advise` about a problem."""
    import thalweg as tw

    return _tell(tw.advise(Asked(name, said).problem), as_json)


def advise_table(source: str, said: dict[str, Any], as_json: bool) -> int:
    """`advise` about a table."""
    from ..data.own_table import read_table

    samples = said.pop("samples")
    # before jax is imported: a table that cannot be read is refused at once
    table = read_table(source, **said)
    import thalweg as tw

    return _tell(tw.advise(table, samples=samples), as_json)


def _tell(told: Any, as_json: bool) -> int:
    from .summary import clean

    if not as_json:
        click.echo(str(told))
        return 0
    click.echo(json.dumps([clean(vars(item)) for item in told], indent=1))
    for line in told.about:
        # beside the JSON, not in it: a list of recommendations stays one
        click.echo(line, err=True)
    return 0


def predict(
    name: str,
    said: dict[str, Any],
    times: str | None,
    theory: tuple[str, ...],
    seeds: str | None,
    out: str,
    as_json: bool,
) -> int:
    """`predict`."""
    import thalweg as tw

    if len(theory) > 1:
        raise ValueError(f"predict takes one theory, not {len(theory)}; compare shows several side by side.")
    chosen = _theory(name, theory)
    asked = Asked(name, said, times)
    more = _said(theory=chosen, seeds=read_seeds(seeds))
    with writable_place(out) as place:
        with progress("predicting") as told:
            result = finish(lambda: tw.predict(asked.problem, asked.times, progress=told, **more), place, asked.named)
        return deliver(result, place, as_json)


def train(
    name: str,
    said: dict[str, Any],
    times: str | None,
    seeds: str | None,
    strict: bool | None,
    out: str,
    as_json: bool,
) -> int:
    """`train`."""
    import thalweg as tw

    asked = Asked(name, said, times, seeds)
    more = _said(seeds=asked.seeds, strict=strict)
    with writable_place(out) as place:
        with progress("training") as told:
            result = finish(lambda: tw.train(asked.problem, asked.times, progress=told, **more), place, asked.named)
        return deliver(result, place, as_json)


def compare(
    name: str,
    said: dict[str, Any],
    times: str | None,
    theory: tuple[str, ...],
    seeds: str | None,
    resolution: float | None,
    out: str,
    as_json: bool,
) -> int:
    """`compare`."""
    import thalweg as tw

    chosen = _theory(name, theory)
    asked = Asked(name, said, times, seeds)
    more = _said(theory=chosen or asked.theories or None, resolution=resolution)
    with writable_place(out) as place:
        # the number of a preset is that of its source; where it does not decide, as many as do
        for wanted in [asked.seeds] if seeds is not None or asked.seeds is None else [asked.seeds, "enough"]:
            with progress("training") as told:
                ask = partial(tw.compare, asked.problem, asked.times, progress=told, **more, **_said(seeds=wanted))
                result = finish(ask, place, asked.named)
            if not 0 < result.attrs["seeds_needed"] < math.inf:
                break
        return deliver(result, place, as_json)


def sweep(
    name: str,
    said: dict[str, Any],
    over: tuple[str, ...],
    train: bool,
    times: str | None,
    theory: tuple[str, ...],
    seeds: str | None,
    out: str,
    as_json: bool,
) -> int:
    """`sweep`."""
    import thalweg as tw

    grid = read_grid(over)
    if len(theory) > 1:
        raise ValueError(f"sweep takes one theory, not {len(theory)}.")
    chosen = False if theory == ("none",) and train else _theory(name, theory)
    asked = Asked(name, said, times, seeds)
    trained = asked.seeds or 8 if train or seeds is not None else None
    more = _said(theory=chosen, seeds=trained)
    with writable_place(out) as place:
        with progress("sweeping") as told:
            more |= {"out": place.points, "progress": told}
            work = finish(lambda: tw.sweep(asked.problem, grid, asked.times, **more), place, asked.named)
        return deliver(work, place, as_json)


def order_study(
    name: str,
    said: dict[str, Any],
    over: tuple[str, ...],
    times: str | None,
    theory: tuple[str, ...],
    seeds: str | None,
    out: str,
    as_json: bool,
) -> int:
    """`order-study`."""
    import thalweg as tw

    grid = read_grid(over, "order-study")
    if len(theory) > 1:
        raise ValueError(f"order-study takes one theory, not {len(theory)}.")
    chosen = _theory(name, theory)
    asked = Asked(name, said, times, seeds)
    more = _said(theory=chosen or (asked.theories or [None])[0], seeds=asked.seeds)
    with writable_place(out) as place:
        with progress("comparing at each size") as told:
            work = finish(
                lambda: tw.order_study(asked.problem, grid, asked.times, progress=told, **more), place, asked.named
            )
        return deliver(work, place, as_json)


def cite(about: str, as_json: bool) -> None:
    """`cite`."""
    from ..verbs.citation import cite

    told = cite(about)
    click.echo(json.dumps({"about": about, "bibtex": told}, indent=1) if as_json else told)


def rerun(path: str, out: str, as_json: bool) -> int:
    """`rerun`."""
    import thalweg as tw

    hear_theories()
    found = tw.load(path)
    kept = {k: str(found.attrs[k]) for k in ("command", "preset", "data_file", "target") if k in found.attrs}
    with writable_place(out) as place:
        with progress("running again") as told:
            result = finish(lambda: tw.rerun(found, progress=told), place, kept)
        return deliver(result, place, as_json)


def draw(path: str, out: str, observables: str | None, view: str | None) -> None:
    """`plot`."""
    from .picture import plot

    there = Path(out).exists()
    plot(path, out, observables.split(",") if observables else None, view)
    click.echo(_written(out, there))


def write_report(path: str, out: str) -> None:
    """`report`."""
    from .page import report

    there = Path(out).exists()
    click.echo(_written(str(report(path, out)), there))


def _written(path: str, again: bool) -> str:
    return f"written: {path}{', in place of the one that was there' if again else ''}"
