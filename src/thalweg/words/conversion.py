"""How the numbers of a source turn into those of this library: one row for each thing that differs."""

import dataclasses

NOTHING = "–"


@dataclasses.dataclass(frozen=True)
class Convention:
    """A row of the table of docs/conventions.md, under a name that the test of it carries, such as C1.

    `does`: what the source does. The library's loss is `loss_factor` times the source's, its flow time `clock_factor`
    times the source's time; `other` says how the start and other symbols are written here. All are texts in Markdown;
    a dash means that nothing changes. `keys`: entries of a references.bib.
    """

    row: str
    source: str
    does: str
    loss_factor: str = NOTHING
    clock_factor: str = NOTHING
    other: str = NOTHING
    keys: tuple[str, ...] = ()
