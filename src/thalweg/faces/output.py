"""Where a command writes: a folder, or the file that `--out x.nc` names; what was there before is kept."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ..computing.interrupts import patient
from .console import INTERRUPTED, note

# what beginners take --out for
OTHERS = (".png", ".svg", ".pdf", ".jpg", ".html", ".htm", ".json", ".csv", ".npz", ".h5", ".txt", ".py")


@dataclasses.dataclass
class Place:
    """Files of one result: run.nc, picture.png, report.html in a folder, or x.nc, x.png, x.html beside each other.

    A file of the same name from before is renamed (run-1.nc, with its picture and report) as soon as a new result is
    written, and the user is told: nothing is lost, and the newest result always has the plain name.
    """

    folder: Path
    stem: str = ""
    number: int = 0

    @classmethod
    def of(cls, path: str) -> "Place":
        """The place that `--out` names; ValueError for a file of another kind."""
        if not path.strip():
            raise ValueError("--out is empty; give a folder (. is this one), or a file that ends in .nc.")
        target = Path(path)
        ending = target.suffix.lower()
        if ending == ".nc" and not target.is_dir():
            return cls(target.parent, target.stem)
        if ending in OTHERS and not target.is_dir():
            raise ValueError(f"--out {path}: give a folder, or a file that ends in .nc; pictures and pages lie beside.")
        return cls(target)

    @property
    def result(self) -> Path:
        """The result file."""
        return self._path("run", ".nc")

    @property
    def points(self) -> Path:
        """The folder of a sweep's points."""
        return self._path("points", "")

    def file(self, name: str, ending: str) -> Path:
        """The path of another file of this result; one of before is renamed like the result that it belonged to."""
        path = self._path(name, ending)
        if self.number and path.exists():
            path.replace(self._numbered(path))
        return path

    def make_room(self) -> None:
        """Rename a result that is there, and tell; called when the new one is about to be written."""
        if not self.result.exists():
            return
        self.number = 1
        while self._numbered(self.result).exists():
            self.number += 1
        self.result.replace(self._numbered(self.result))
        note(f"note: the result that was in {self.result} is now {self._numbered(self.result)}.")

    def _path(self, name: str, ending: str) -> Path:
        if not self.stem:
            return self.folder / f"{name}{ending}"
        plain = {"run": "", "picture": "", "report": ""}
        return self.folder / f"{self.stem}{plain.get(name, f'.{name}')}{ending}"

    def _numbered(self, path: Path) -> Path:
        return path.with_name(f"{path.stem}-{self.number}{path.suffix}")


@contextlib.contextmanager
def writable_place(path: str) -> Iterator[Place]:
    """The place, its folder made and tried before the work; taken away again if it stayed empty."""
    place = Place.of(path)
    target = place.folder
    made = [p for p in (target, *target.parents) if not p.exists()]
    try:
        target.mkdir(parents=True, exist_ok=True)
        probe = target / f".try-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as trouble:
        why = getattr(trouble, "strerror", None) or type(trouble).__name__
        raise ValueError(f"--out {path:.80}: results cannot be written there ({why}); choose another folder.") from None
    try:
        yield place
    finally:
        for empty in made:
            with contextlib.suppress(OSError):
                empty.rmdir()


def _command() -> str:
    """The words of the command that is at work."""
    return str(click.get_current_context().find_root().obj)


def finish(work: Callable[[], Any], place: Place, named: dict[str, str] | None = None) -> Any:
    """`work()`, saved with the command that asked for it, and what it `named`.

    On Ctrl-C or SIGTERM what had ended is saved, and the command leaves with code 130.
    The file is written before anything else can be interrupted: no finished work is lost on the way to it.
    """
    from ..results.kinds import kind_of
    from ..results.storage import save

    try:
        with patient() as stop:
            result = work()
            result.attrs |= {"command": _command(), **(named or {})}
            place.make_room()
            written = save(result, place.result)
    except KeyboardInterrupt as trouble:
        finished = getattr(trouble, "finished", None)
        if finished is None:
            note("interrupted before anything was finished.")
        else:
            with patient():
                place.make_room()
                written = save(finished, place.result)
            more = "; the same command goes on from there" if kind_of(finished).resumes else ""
            note(f"interrupted; what had finished is in {written}{more}.")
        raise click.exceptions.Exit(INTERRUPTED) from None
    if stop.pressed:
        note(f"interrupted; the whole result is in {written}, undrawn.")
        raise click.exceptions.Exit(INTERRUPTED)
    return result
