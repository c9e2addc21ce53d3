"""The command above all verbs: how errors and warnings are told, and what may stand anywhere on the line."""

import json
import shlex
import sys
from typing import Any

import click

from .console import INTERRUPTED, Sentence, note, spoken_warnings

LESS = "give smaller sizes, fewer seeds or fewer times."


def _is_lack_of_memory(trouble: Exception) -> bool:
    words = str(trouble)
    return isinstance(trouble, MemoryError) or "Out of memory" in words or "RESOURCE_EXHAUSTED" in words


class Main(click.Group):
    """The whole command: bad input becomes one sentence (JSON where that was asked for), and warnings too."""

    def main(self, args: Any = None, prog_name: Any = None, *rest: Any, **more: Any) -> Any:
        """Run it; under --json an error is a JSON object on stdout."""
        words = list(sys.argv[1:] if args is None else args)
        if "--json" not in words:
            return super().main(words, prog_name, *rest, **more)
        try:
            code = super().main(words, prog_name, *rest, **{**more, "standalone_mode": False})
        except click.ClickException as trouble:
            code = trouble.exit_code
            click.echo(json.dumps({"error": trouble.format_message(), "exit_code": code}))
        sys.exit(code if isinstance(code, int) else 0)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--import` may stand anywhere: it says what names there are, so it is read first."""
        first: list[str] = []
        left = iter(args)
        rest: list[str] = []
        for word in left:
            if word == "--import":
                first += [word, *(w for w in [next(left, None)] if w is not None)]
            else:
                (first if word.startswith("--import=") else rest).append(word)
        ctx.obj = shlex.join(["thalweg", *args])
        return super().parse_args(ctx, [*first, *rest])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand."""
        with spoken_warnings():
            try:
                return super().invoke(ctx)
            except (ValueError, FloatingPointError, ImportError) as trouble:
                raise Sentence(str(trouble)) from trouble
            except (MemoryError, RuntimeError) as trouble:
                if not _is_lack_of_memory(trouble):
                    raise
                raise Sentence(f"this machine's memory is too small for it ({trouble!s:.160}); {LESS}") from trouble
            except KeyboardInterrupt:
                note("interrupted.")
                ctx.exit(INTERRUPTED)
