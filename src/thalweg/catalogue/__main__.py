"""`python -m thalweg.catalogue`: write what is collected from the systems, after one was added or changed.

It writes into a checkout: the stored catalogue, the stubs of public names, the rows of docs/conventions.md, the
families' pages in docs/api.
"""

import importlib
import pkgutil
from pathlib import Path

from ..words.fields import Parametrised
from . import conventions_page, family_pages
from .class_entries import entry_of, preset_entry
from .names import families, root_stub, systems_stub
from .registry import all_heirs, presets_known
from .stored import FILE, written

FOLDER = Path(__file__).parents[1]
ROOT = FOLDER.parents[1]


def texts() -> dict[Path, str]:
    """The files that are collected, with what should stand in them."""
    import thalweg

    for name in ("rules", "systems", "own_network"):
        package = importlib.import_module(f"{thalweg.__name__}.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    own = f"{thalweg.__name__}."
    classes = [c for c in all_heirs(Parametrised) if c.__module__.startswith(own) and not c.__name__.startswith("_")]
    settings = [preset_entry(n, p) for n, p in presets_known().items() if p.build.__module__.startswith(own)]
    stub, page = FOLDER / "__init__.pyi", ROOT / "docs/conventions.md"
    pages = {family: ROOT / f"docs/api/{family}.md" for family in families()}
    return {
        FOLDER / "catalogue" / FILE: written(map(entry_of, classes), settings),
        stub: root_stub(stub.read_text(encoding="utf-8")),
        FOLDER / "systems" / "__init__.pyi": systems_stub(),
        page: conventions_page.written(page.read_text(encoding="utf-8")),
        **{place: family_pages.written(family, _text(place)) for family, place in pages.items()},
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    for path, text in texts().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
