"""The command line: a command for each verb, its options made from the index."""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from .._version import __version__
from ..catalogue.entries import PresetEntry
from ..catalogue.index import bring, index
from ..data.table_files import is_table
from . import rate_command, verbs
from .console import INTERRUPTED, heed_termination, keep_compiled
from .main_command import Main
from .subject import entry_of, options_of

MEANING = {
    "theories": "Which theories speak about a problem, and how far it is from their limits.",
    "predict": "What a theory says, without training.",
    "train": "Train for real, without theory.",
    "compare": "Predict, train and compare: a verdict with an error budget.",
    "advise": "What theory recommends, with interval, evidence and reason.",
    "sweep": "Theory, and training where asked for, over a grid of parameters.",
    "order-study": "Compare at several sizes: how the gap falls, and from which size a theory is good to 5 % and 1 %.",
}
OUT = "for the results: run.nc, picture, report; what was there is renamed [default out]"
EPILOG = """\b
Exit codes of compare and rerun:
  0  confirmed, consistent, better than promised, outside its regime
  2  bad input
  3  contradicted
  4  inconclusive
  130  interrupted; what was finished is saved"""


def _shared(*names: str) -> list[click.Option]:
    """Options by name, the same for every verb that has them."""
    known: dict[str, Callable[[], click.Option]] = {
        "times": lambda: click.Option(["--times"], metavar="A:B:N", help="start:stop:count, or numbers with commas"),
        "theory": lambda: click.Option(["--theory"], multiple=True, metavar="NAME", help="may be given several times"),
        "seeds": lambda: click.Option(["--seeds"], metavar="N", help="how many, or a list; of compare: enough"),
        "resolution": lambda: click.Option(
            ["--resolution"], type=float, help="share of a functional's scale that must be seen [default 0.1]"
        ),
        "strict": lambda: click.Option(["--strict/--no-strict"], default=None, help="stop at a run that went wrong"),
        "over": lambda: click.Option(
            ["--over"],
            multiple=True,
            metavar="FIELD=A,B,..",
            help="a field and its values (numbers or names), or A+B=1+2,3+4 for tied ones; may be repeated",
        ),
        "train": lambda: click.Option(["--train"], is_flag=True, help="train too; with --theory none, train alone"),
        "out": lambda: click.Option(["--out"], default="out", metavar="FOLDER|FILE.nc", help=OUT),
        "json": lambda: click.Option(["as_json", "--json"], is_flag=True, help="a summary for machines on stdout"),
    }
    return [known[name]() for name in names]


VERBS: dict[str, tuple[Callable[..., int], tuple[str, ...]]] = {
    "theories": (verbs.theories, ("json",)),
    "predict": (verbs.predict, ("times", "theory", "seeds", "out", "json")),
    "train": (verbs.train, ("times", "seeds", "strict", "out", "json")),
    "compare": (verbs.compare, ("times", "theory", "seeds", "resolution", "out", "json")),
    "advise": (verbs.advise, ("json",)),
    "sweep": (verbs.sweep, ("over", "train", "times", "theory", "seeds", "out", "json")),
    "order-study": (verbs.order_study, ("over", "times", "theory", "seeds", "out", "json")),
}


class Subject(click.Command):
    """A verb about one problem or preset; its options come from the index."""

    def __init__(self, verb: str, name: str) -> None:
        run, shared = VERBS[verb]
        entry = entry_of(name)
        own, fields = options_of(name)
        common = _shared(*shared)
        change = "Changes to what it sets" if isinstance(entry, PresetEntry) else "Parameters"
        self.groups = {"Parameters of the preset": own, change: fields, "Run": common}
        taken = {p.name for p in common}

        def callback(**said: Any) -> None:
            mine = {k: said.pop(k) for k in taken if k}
            click.get_current_context().exit(run(name, said, **mine))

        # \b keeps the lines of a paragraph as they are: equations stand in them
        words = "\n\n\b\n".join([MEANING[verb], *(entry.doc or entry.words).split("\n\n")])
        parameters = [p for group in self.groups.values() for p in group]
        super().__init__(name, callback=callback, params=parameters, help=words, short_help=entry.words)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under headings."""
        self.groups["Run"] = [*self.groups["Run"], *(o for o in [self.get_help_option(ctx)] if o)]
        for title, options in self.groups.items():
            records = [r for r in (o.get_help_record(ctx) for o in options) if r]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class AboutTable(click.Command):
    """`advise` about a table of the user's own, or one of scikit-learn's."""

    def __init__(self, source: str) -> None:
        parameters: list[click.Parameter] = [
            click.Option(["--target"], metavar="COLUMN", help="column to be predicted from all others"),
            click.Option(["--samples"], type=int, metavar="N", help="rows to train on [default four fifths]"),
            click.Option(["--drop"], multiple=True, metavar="COLUMN", help="leave it out; may be given several times"),
            click.Option(["--groups"], metavar="COLUMN", help="rows that belong together"),
            click.Option(["--order"], metavar="COLUMN", help="in which order the rows came"),
            *_shared("json"),
        ]

        def callback(as_json: bool, **said: Any) -> None:
            click.get_current_context().exit(verbs.advise_table(source, said, as_json))

        words = (
            "Advice about a table (.csv, .tsv, .parquet, .npz, .., sklearn:NAME), one row a point: classes if the "
            "target has two values or names them."
        )
        super().__init__(source, callback=callback, params=parameters, help=words)


def _is_subject(word: str) -> bool:
    # a folder, too, and a file of a kind that is not read: each is refused by its own sentence
    return is_table(word) or (("." in word or "/" in word) and word not in index().subjects() and word[0] != "-")


class Verb(click.Group):
    """A verb; its subcommands are the problems and presets of the index."""

    def __init__(self, name: str) -> None:
        usage = "NAME [OPTIONS]..." if name != "advise" else "NAME|FILE.csv|sklearn:NAME [OPTIONS]..."
        super().__init__(
            name, help=MEANING[name], subcommand_metavar=usage, epilog=EPILOG if name == "compare" else None
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Problems, then presets."""
        return index().subjects()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command about one of them, or about a table; ValueError with the nearest name otherwise."""
        if self.name == "advise" and _is_subject(cmd_name):
            return AboutTable(cmd_name)
        return Subject(self.name or "", cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options may stand before the name as well."""
        known = set(index().subjects())
        tables = [i for i, word in enumerate(args) if self.name == "advise" and _is_subject(word)]
        if (
            args
            and not known & set(args)
            and not tables
            and args[0].startswith("-")
            and not {"-h", "--help"} & set(args)
        ):
            raise click.UsageError(
                f"{self.name} needs the NAME of a problem or preset; `thalweg list` shows them.", ctx
            )
        first = next((i for i, word in enumerate(args) if word in known), next(iter(tables), 0))
        return super().parse_args(ctx, [*args[first : first + 1], *args[:first], *args[first + 1 :]])


class Advice(click.Group):
    """advise-rate; its subcommands are the small network on a table, and the problems and presets of the index."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The network, then problems and presets."""
        return [rate_command.NETWORK, *index().subjects()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command about one of them; ValueError with the nearest name otherwise."""
        common = rate_command.common_options()
        network = cmd_name == rate_command.NETWORK
        own, fields = (rate_command.network_options(), []) if network else options_of(cmd_name)
        # a field of the problem (the seed of a preset's data) goes before an option of the same name
        names = {p.name for p in [*own, *fields]}
        common = [p for p in common if p.name not in names]

        def callback(**said: Any) -> None:
            mine = {p.name: said.pop(p.name) for p in common if p.name}
            told = rate_command.on_network(said, **mine) if network else rate_command.on_problem(cmd_name, said, **mine)
            ctx.exit(told)

        words = "A small dense network on your own table." if network else entry_of(cmd_name).words
        return click.Command(cmd_name, callback=callback, params=[*own, *fields, *common], help=words, short_help=words)


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="thalweg")
@click.option("--import", "files", multiple=True, metavar="FILE.py", help="a file with classes of your own; anywhere")
def cli(files: tuple[str, ...]) -> None:
    """Predict how a network will train, train it for real, and compare the two.

    \b
    thalweg list
    thalweg compare NAME --help
    """
    for file in files:
        bring(file)


@cli.command("list")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="the whole index as JSON on stdout")
def list_(name: str | None, as_json: bool) -> None:
    """Problems, theories, rules and presets; with NAME, all about one of them."""
    verbs.show_index(name, as_json)


for _name in VERBS:
    cli.add_command(Verb(_name))


cli.add_command(Advice("advise-rate", help=rate_command.HELP, subcommand_metavar="NAME [OPTIONS]..."))


@cli.command("plot")
@click.argument("result")
@click.option("--out", default="picture.png", metavar="FILE", help="a .png, .svg or .pdf [default picture.png]")
@click.option("--observables", metavar="A,B,..", help="curves to show; all by default")
@click.option("--view", metavar="NAME", help="a picture of the problem's own instead, such as growth")
def plot_(result: str, out: str, observables: str | None, view: str | None) -> None:
    """Draw a saved result (run.nc)."""
    verbs.draw(result, out, observables, view)


@cli.command("report")
@click.argument("result")
@click.option("--out", default="report.html", metavar="FILE", help="[default report.html]")
def report_(result: str, out: str) -> None:
    """Write a saved result (run.nc) as one HTML page."""
    verbs.write_report(result, out)


@cli.command("cite")
@click.argument("about", metavar="RESULT|NAME")
@click.option("--json", "as_json", is_flag=True, help="the entries for machines on stdout")
def cite_(about: str, as_json: bool) -> None:
    """BibTeX of what a saved result (run.nc), a preset or a problem rests on."""
    verbs.cite(about, as_json)


@cli.command("rerun", epilog=EPILOG)
@click.argument("result")
@click.option("--out", default="out", metavar="FOLDER|FILE.nc", help=OUT)
@click.option("--json", "as_json", is_flag=True, help="a summary for machines on stdout")
@click.pass_context
def rerun_(ctx: click.Context, result: str, out: str, as_json: bool) -> None:
    """Run again what a saved result (run.nc) describes."""
    ctx.exit(verbs.rerun(result, out, as_json))


def main() -> None:
    """The console script."""
    keep_compiled()
    heed_termination()
    try:
        cli(prog_name="thalweg")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # seeds that still run in other threads are not waited for
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise
