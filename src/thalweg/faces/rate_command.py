"""advise-rate on the command line: a learning rate for a small network on a table, or for a problem of the library."""

import json
from typing import Any

import click

from .console import hear_theories, printer
from .output import Place, writable_place
from .subject import build

NETWORK = "network"
HELP = """A learning rate with reasons, or a refusal, from limits at the start and a few short runs.

\b
thalweg advise-rate network --data sklearn:digits --hidden 64 --optimiser adamw
thalweg advise-rate network --data points.npz --batch 16 --steps 2000
thalweg advise-rate NAME --rule GradientDescent
"""
OPTIMISERS = ("sgd", "momentum", "nesterov", "adam", "adamw")


def common_options() -> list[click.Parameter]:
    """Options of every advice."""
    return [
        click.Option(["--steps"], type=int, default=1000, help="length of the training to come [default 1000]"),
        click.Option(
            ["--budget"], type=float, default=0.5, help="share of the training to spend on advice [default 0.5]"
        ),
        click.Option(["--seed"], type=int, default=0, help="of the start, and the order of batches [default 0]"),
        click.Option(["--study"], is_flag=True, help="also every limit on one axis: run.nc and picture.png in --out"),
        click.Option(["--out"], default="out", metavar="FOLDER", help="for the study [default out]"),
        click.Option(["as_json", "--json"], is_flag=True, help="the advice for machines on stdout"),
    ]


def network_options() -> list[click.Parameter]:
    """Options of the small network on a user's table."""
    words = "inputs, labels: FILE.npz with these keys, FILE.csv, or sklearn:NAME such as sklearn:digits"
    return [
        click.Option(["--data"], required=True, metavar="FILE", help=words),
        click.Option(["--target"], metavar="COLUMN", help="column of FILE.csv to be learned"),
        click.Option(["--hidden"], default="32", metavar="A,B,..", help="widths of the hidden layers [default 32]"),
        click.Option(["--activation"], default="tanh", help="tanh, relu or sigmoid [default tanh]"),
        click.Option(["--batch"], type=int, default=32, help="points in a minibatch, 0: all [default 32]"),
        click.Option(["--optimiser"], type=click.Choice(OPTIMISERS), default="sgd", help="[default sgd]"),
    ]


def _rule(name: str) -> Any:
    import optax

    import thalweg as tw

    if name in ("adam", "adamw"):
        return tw.Optax(getattr(optax, name))
    return {"sgd": tw.GradientDescent, "momentum": tw.HeavyBall, "nesterov": tw.Nesterov}[name]()


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(f"--hidden {text!r} cannot be read; give widths with commas, such as 64,32.") from None


def on_network(said: dict[str, Any], steps: int, budget: float, seed: int, study: bool, out: str, as_json: bool) -> int:
    """`advise-rate network`."""
    import thalweg as tw

    from ..data.arrays_in_words import read_arrays
    from ..data.small_network import network_task

    arrays = read_arrays(said["data"], ["inputs", "labels"], said["target"])
    widths = _widths(said["hidden"])
    task = network_task(**arrays, hidden=widths, activation=said["activation"], batch=said["batch"], seed=seed)
    rule = _rule(said["optimiser"])
    parts = (task.loss, task.params, task.batches, task.states, rule)
    advice = tw.diagnostics.advise_rate(*parts, steps=steps, budget=budget, seed=seed)

    def whole() -> Any:
        return tw.learning_rate_study(*parts, seed=seed)

    return _deliver(f"{task.words}, {said['optimiser']}", advice, whole if study else None, {}, out, as_json)


def on_problem(
    name: str, said: dict[str, Any], steps: int, budget: float, study: bool, out: str, as_json: bool, seed: int = 0
) -> int:
    """`advise-rate NAME`, with the stable rates that are known exactly."""
    import thalweg as tw

    from ..verbs.known_rates import rates_known_of

    hear_theories()
    problem = build(name, said)
    advice = tw.diagnostics.advise_rate(problem, steps=steps, budget=budget, seed=seed)
    known = rates_known_of(problem, seed)

    def whole() -> Any:
        return tw.rate_study_of(problem, seed=seed)

    words = f"{name}, {type(problem.rule).__name__}"
    return _deliver(words, advice, whole if study else None, known, out, as_json)


def _deliver(words: str, advice: Any, whole: Any, known: dict[str, float], out: str, as_json: bool) -> int:
    """Print the advice, and write the study where one is asked for; exit code 4 for a refusal."""
    files = {}
    if whole is not None:
        with writable_place(out) as place:
            files = _write(whole(), place)
    if as_json:
        click.echo(json.dumps(_plain(words, advice, known, files), indent=1))
    else:
        told = [f"{name}, known exactly: {rate:.4g}" for name, rate in known.items()]
        console = printer()
        for line in [words, str(advice), *told, *(f"written: {path}" for path in files.values())]:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 4 if advice.refused else 0


def _write(study: Any, place: Place) -> dict[str, str]:
    import thalweg as tw

    place.make_room()
    result, picture = tw.save(study, place.result), place.file("picture", ".png")
    tw.plot(study, picture)
    return {"result": str(result), "picture": str(picture)}


def _plain(words: str, advice: Any, known: dict[str, float], files: dict[str, str]) -> dict[str, Any]:
    from .summary import clean

    kept = ("low", "high", "rate", "refused", "reasons", "warnings", "cost")
    rows = advice.table.reset_index().to_dict("records")
    said = {k: clean(getattr(advice, k)) for k in kept}
    return {"about": words, **said, "known": known, "table": [clean(row) for row in rows], "files": files}
