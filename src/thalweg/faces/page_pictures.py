"""Pictures inside a page: as SVG whose inks follow the page's light or dark, whole and curve by curve."""

import contextlib
import io
import re
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from ..results.kinds import parts
from .layout import NothingToDraw
from .picture import drawn, viewed
from .reading import Comparison, curves_of
from .style import clean_style
from .view_picture import views_in

# inks of the pictures, and the variables of the page that take their place
INKS = {
    "#222222": "--ink", "#000000": "--ink", "#6b6b6b": "--soft", "#8c8c8c": "--soft", "#808080": "--soft",
    "#e6e6e6": "--line", "#e9edf0": "--line", "#ffffff": "--ground", "#0072b2": "--blue",
}  # fmt: skip
# more curves are not drawn once more for narrow screens
MOST_CURVES = 12


def pictures(result: Any) -> list[dict[str, Any]]:
    """Pictures for a wide page, each with those that take its place, one below the other, on a narrow one."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(NothingToDraw):
        curves = _curves(result)
        single = [picture(drawn, result, [name]) for name in curves] if 1 < len(curves) <= MOST_CURVES else []
        found.append({"whole": picture(drawn, result), "single": single})
        found += [{"whole": picture(viewed, result, view), "single": []} for view in views_in(result)]
    for i, one in enumerate(found):
        one["whole"] = _named_apart(one["whole"], f"p{i}")
        one["single"] = [_named_apart(svg, f"p{i}s{j}") for j, svg in enumerate(one["single"])]
    return found


def _curves(result: Any) -> list[str]:
    """The names of the curves, each once."""
    if parts(result, "gap"):
        return Comparison(result).curves()
    several = [*parts(result, "theory"), *parts(result, "training")]
    return list(dict.fromkeys(name for part in several for name in curves_of(part, result)))


def picture(draw: Callable[..., Figure], *shown: Any) -> str:
    """A plot as SVG text that can stand inside a page."""
    with clean_style():
        figure = draw(*shown, titled=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"#[0-9a-f]{6}\b", lambda m: f"var({INKS[m[0]]})" if m[0] in INKS else m[0], svg)
    # its width is an upper limit in the page, and the height follows
    return re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)


def _named_apart(svg: str, head: str) -> str:
    """The same with names of its own: a picture that is hidden must not lend its parts to one that is shown."""
    # what is marked alike for the layout has no name in a page, where names are different
    svg = re.sub(r' id="(?:event|curve)"', "", svg)
    svg = re.sub(r'\bid="', f'id="{head}-', svg)
    return re.sub(r"(url\(|href=\")#", rf"\1#{head}-", svg)
