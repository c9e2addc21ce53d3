"""What the command line does around a verb: progress, warnings, folders, exit codes, interruption."""

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ..computing.interrupts import press

CODES = {"contradicted": 3, "inconclusive": 4}
INTERRUPTED = 130


class Sentence(click.ClickException):
    """Bad input: one sentence on stderr, exit code 2, no traceback; Python's keywords become options."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        words = {"strict=False": "--no-strict", "theory=...": "--theory NAME", "give times=.": "give --times."}
        words["import it first."] = "give --import FILE.py, the file that holds it."
        words["must be imported first."] = "is found in a file that --import FILE.py names."
        for python, option in words.items():
            message = message.replace(python, option)
        super().__init__(message)


def note(text: str) -> None:
    """A sentence beside the results, on stderr."""
    click.echo(text, err=True)


@contextlib.contextmanager
def spoken_warnings() -> Iterator[None]:
    """Warnings of the theories as sentences on stderr, each once."""
    said: set[str] = set()
    plain = warnings.showwarning

    def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
        if category.__name__ != "TheoryWarning":
            plain(message, category, *rest, **more)
        elif str(message) not in said:
            said.add(str(message))
            note(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def printer() -> Any:
    """A rich console on stdout; wide enough for tables where it is no terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=110)


def hear_theories() -> None:
    """Let the warnings of theories pass every filter; called once jax is there."""
    from ..words.theory import TheoryWarning

    warnings.filterwarnings("always", category=TheoryWarning)


@contextlib.contextmanager
def progress(words: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr, if that is a terminal: `progress(done, total)` moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=None)

        def move(done: int, total: int) -> None:
            # what follows the last seed takes its time as well
            said = words if done < total else f"{words}: done, now the rest"
            bar.update(task, completed=done, total=total, description=said)

        yield move


def heed_termination() -> None:
    """Let SIGTERM (a scheduler, `kill`) end a command as Ctrl-C does: with what was finished."""

    with contextlib.suppress(ValueError):  # outside the main thread no handler can be set
        signal.signal(signal.SIGTERM, press)


def exit_code(verdict: str | None) -> int:
    """0 unless the verdict asks for attention; says why where 0 could be misread."""
    if verdict == "outside its regime":
        note("note: an assumption of the theory is broken here, so the disagreement refutes nothing.")
    return CODES.get(verdict or "", 0)


def keep_compiled() -> None:
    """Let jax keep compiled programs between commands, unless the user has said otherwise."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    default = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    cache = (Path(home) if home else default) / "thalweg" / "jax"
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
