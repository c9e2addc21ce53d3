"""Results in a notebook: the verdict first, what xarray shows of the data below it.

Results are xarray's own classes, so they bring no display of their own. Where IPython runs, a formatter for these
classes is registered as thalweg is imported; it leaves all that is no result of thalweg to xarray.
"""

import sys
from html import escape
from typing import Any

CLASSES = (("xarray.core.dataset", "Dataset"), ("xarray.core.datatree", "DataTree"))


def register() -> None:
    """Show results this way in the notebook that runs; nothing where none does. Imports nothing."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if "text/html" in formatters:
        for module, name in CLASSES:
            formatters["text/html"].for_type_by_name(module, name, shown)


def shown(found: Any) -> str:
    """A result of thalweg with its verdict above the data; anything else as xarray shows it."""
    plain = found._repr_html_()
    if not isinstance(found.attrs.get("verb"), str) or "thalweg" not in found.attrs:
        return plain
    try:
        head = summary_html(found)
    except (ValueError, KeyError):
        # a result that was cut to pieces is xarray's alone
        return plain
    return f"{head}<details><summary>data</summary>{plain}</details>"


def summary_html(result: Any) -> str:
    """Verdict, or the last values, and what must be said beside them."""
    from .reading import Comparison, title_of
    from .style import VERDICT_COLOURS
    from .summary import kind_of, lines

    if not kind_of(result).judged:
        return f"<p>{'<br>'.join(escape(line.strip()) for line in lines(result))}</p>"
    said = []
    for theory in Comparison(result).theories:
        word, _, rest = theory.sentence.partition(": ")
        tone = VERDICT_COLOURS.get(theory.verdict, "currentColor")
        said.append(
            f'<p style="border-left:5px solid {tone};padding:2px 0 2px 12px;margin:6px 0">'
            f"<b>{escape(word)}</b>: {escape(rest)}<br><small>{escape(theory.name)}</small></p>"
        )
    beside = [line.strip() for line in lines(result) if line.startswith("  ")]
    remarks = "".join(f"<p><small>{escape(line)}</small></p>" for line in beside)
    return f"{''.join(said)}<p><small>{escape(title_of(result))}</small></p>{remarks}"
