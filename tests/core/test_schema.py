"""The written schema: the document and the code say the same, results follow it, and what does not is named."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import thalweg as tw
from thalweg.faces.cli import cli
from thalweg.faces.summary import lines, summary
from thalweg.results.checks import check
from thalweg.results.kinds import KINDS, ResultKind, kind_of
from thalweg.results.schema import ATTRIBUTE_KINDS, FORMAT, Entry, Node

DOCUMENT = Path(__file__).parents[2] / "docs/results.md"
SMALL = tw.LinearClassifier(dimension=6, samples=9)
TIMES = np.array([0.0, 0.5, 2.0])
SEAL = 15 + 64


def rows(node: Node) -> list[str]:
    """The lines of the document's table about a node."""

    def line(what: str, one: Entry) -> str:
        kind = ATTRIBUTE_KINDS[one.kind][1] if what == "attribute" else one.kind
        dims = f" ({', '.join(one.dims)})" if one.dims else ""
        return f"| {what} | `{one.name}` | {kind}{dims} | {'' if one.needed else 'where known'} | {one.words} |"

    parts = (("attribute", node.attributes), ("coordinate", node.coordinates), ("variable", node.variables))
    return [line(what, one) for what, entries in parts for one in entries]


def document() -> str:
    """The part of the document that lists nodes, as the code has them."""
    said = []
    for verb, kind in KINDS.items():
        said += [f"## {verb}", ""]
        for node in kind.nodes:
            filled = " At least one variable of numbers." if node.filled else ""
            said += [f"`{node.path}`: {node.words}.{filled}", ""]
            if rows(node):
                said += ["| what | name | kind | | words |", "|---|---|---|---|---|", *rows(node), ""]
    return "\n".join(said).rstrip() + "\n"


def test_the_document_is_what_is_checked():
    text = DOCUMENT.read_text()
    assert f"`{FORMAT}`" in text
    written = text[text.index("## predict") : text.index("## What may stand beside")]
    assert written.strip() == document().strip(), f"docs/results.md must say:\n{document()}"


@pytest.fixture(scope="module")
def results():
    told = tw.predict(SMALL, TIMES, theory=tw.MarchenkoPastur())
    seen = tw.train(SMALL, TIMES, seeds=3)
    result = tw.compare(SMALL, TIMES, theory=[tw.Eigenmodes(), tw.MarchenkoPastur()], seeds=3)
    swept = tw.sweep(SMALL, {"mean_norm": [0.5, 1.0]}, TIMES, theory=tw.MarchenkoPastur(), seeds=3)
    sizes = {("dimension", "samples"): [(4, 6), (8, 12), (16, 24)]}
    orders = tw.order_study(SMALL, sizes, TIMES, theory=tw.MarchenkoPastur(), seeds=3)
    return {"predict": told, "train": seen, "compare": result, "sweep": swept, "order_study": orders}


def parts(result):
    nodes = result.subtree if isinstance(result, xr.DataTree) else [xr.DataTree(result)]
    return {node.path: node.to_dataset(inherit=False) for node in nodes}


def places(node: Node, verb: str) -> list[str]:
    names = ("Eigenmodes", "MarchenkoPastur") if verb == "compare" else ()
    several = node.each and names
    return [f"{node.path}/{name}" for name in names] if several else [node.path]


NEEDED = [
    (verb, place, what, one.name)
    for verb, kind in KINDS.items()
    if verb != "learning_rate_study"
    for node in kind.nodes
    for what in ("attributes", "coordinates", "variables")
    for one in getattr(node, what)
    if one.needed
    for place in places(node, verb)
]


def back(content, verb):
    tree = xr.DataTree.from_dict(content)
    return tree.to_dataset() if KINDS[verb].container is xr.Dataset else tree


@pytest.mark.parametrize(("verb", "place", "what", "name"), NEEDED)
def test_each_needed_part_is_named_where_it_is_missing(results, verb, place, what, name):
    content = parts(results[verb])
    check(back(content, verb))
    if what == "attributes":
        content[place] = content[place].assign_attrs()
        del content[place].attrs[name]
    else:
        content[place] = content[place].drop_vars(name)
    with pytest.raises(ValueError, match=f"'{name}'|format None") as caught:
        check(back(content, verb))
    assert str(caught.value).count("\n") == 0


JSON_ATTRIBUTES = [
    (verb, place, one.name)
    for verb, place, what, name in NEEDED
    if what == "attributes"
    for node in KINDS[verb].nodes
    if place in places(node, verb)
    for one in node.attributes
    if one.name == name and ATTRIBUTE_KINDS[one.kind][0]
]


@pytest.mark.parametrize(("verb", "place", "name"), JSON_ATTRIBUTES)
def test_attributes_that_say_nothing(results, verb, place, name):
    nested = json.dumps({"class": "A", "module": "b", "fields": {}})
    for _ in range(40):
        nested = f'{{"class": "A", "module": "b", "fields": {{"x": {nested}}}}}'
    for bad in ("", "{", "[" * 100_000, nested, "[]", "{}", "null", '"text"', "1" * 5000, '{"class": 1}', "[[1]]", 3.0):
        content = parts(results[verb])
        content[place] = content[place].assign_attrs({name: bad})
        with pytest.raises(ValueError, match=rf"attribute '{name}' of .* must be JSON") as caught:
            check(back(content, verb))
        assert len(str(caught.value)) < 400


def test_values_of_another_type_or_shape(results):
    seen = results["train"]
    for name, change, told in (
        ("seed", seen.assign_coords(seed=["a", "b", "c"]), "'seed' of this result must be of type whole"),
        ("time", seen.drop_vars("time").assign_coords(time=("seed", TIMES)), "'time' of this result has dims"),
        ("outcome", seen.assign(outcome=seen.outcome == "ok"), "'outcome' of this result must be of type text"),
        ("all", seen.drop_vars(list(seen.data_vars)), "this result is empty"),
        ("all", xr.Dataset(attrs=seen.attrs), "'time' of this result is missing"),
    ):
        with pytest.raises(ValueError, match=told):
            check(change)
        assert name
    tree = results["compare"]
    content = parts(tree)
    content["/budget/Eigenmodes"] = content["/budget/Eigenmodes"].rename_dims(functional="other")
    with pytest.raises(ValueError, match="functional"):
        check(xr.DataTree.from_dict(content))
    content = parts(tree)
    content["/"] = content["/"].assign_attrs(theories='["Eigenmodes", "Nobody"]')
    with pytest.raises(ValueError, match="no node /theory/Nobody"):
        check(xr.DataTree.from_dict(content))
    content = parts(results["sweep"])
    content["/"] = content["/"].assign_attrs(over='{"samples": [1, 2]}')
    with pytest.raises(ValueError, match="no dim 'samples', which was swept"):
        check(xr.DataTree.from_dict(content))
    for kind in ("theory", "training"):
        del content[f"/{kind}"]
    with pytest.raises(ValueError, match="neither a node /theory nor a node /training"):
        check(xr.DataTree.from_dict(content))


def test_a_selection_is_a_result_still(results):
    seen = results["train"]
    for chosen in (seen.isel(seed=0), seen.isel(time=-1), seen.isel(seed=[0, 2])[["test_loss"]], seen.mean("seed")):
        kept = chosen.assign_attrs(seen.attrs)
        if "seed" in kept.coords:
            check(kept)
        else:
            with pytest.raises(ValueError, match="coordinate 'seed'"):
                check(kept)
    # more keys beside the class of a problem, nodes and variables of one's own
    problem = json.loads(seen.attrs["problem"])
    check(seen.assign_attrs(problem=json.dumps({**problem, "qualname": "LinearClassifier"}), mine=None))
    check(xr.DataTree.from_dict({**parts(results["compare"]), "/mine": xr.Dataset()}))


@pytest.mark.parametrize(
    ("verb", "name", "value"),
    [("train", "problem", None), ("compare", "theories", "[" * 100_000), ("compare", "seeds", "3")],
)
def test_every_reader_says_one_sentence(results, tmp_path, verb, name, value):
    path = tw.save(results[verb], tmp_path / "run.nc")
    path.write_bytes(path.read_bytes()[:-SEAL])
    with h5py.File(path, "r+") as file:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value
    readers = (tw.load, tw.rerun, tw.plot, lambda p: tw.report(p, tmp_path / "report.html"))
    for read in readers:
        with pytest.raises(ValueError, match=f"attribute '{name}' of this result (is missing|must be)"):
            read(path)
    for words in (["report", str(path)], ["plot", str(path)], ["rerun", str(path), "--out", str(tmp_path / "out")]):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 2
        assert f"attribute '{name}'" in done.output
        assert "Traceback" not in done.output


def test_save_refuses_what_load_would(results, tmp_path):
    for verb, result in results.items():
        broken = result.copy()
        del broken.attrs["verb"]
        with pytest.raises(ValueError, match=r"attribute 'verb' of this result is None; it must be one of"):
            tw.save(broken, tmp_path / f"{verb}.nc")
    assert not list(tmp_path.iterdir())


def test_the_format_is_named_in_the_document():
    assert re.search(r"thalweg-result-1", DOCUMENT.read_text())


TASKS = ("check", "picture", "lines", "report", "rerun")


@pytest.mark.parametrize("verb", KINDS)
def test_each_kind_names_functions_that_are_there(verb):
    kind = KINDS[verb]
    assert kind.nodes[0].path == "/"
    for task in TASKS:
        if getattr(kind, task):
            assert callable(kind.ask(task))
        else:
            with pytest.raises(ValueError, match=rf"there is no {task} of what {verb} returns; give a result of \w+"):
                kind.ask(task)


@pytest.mark.parametrize("verb", ["dream", "", None, 7, ["predict"]])
def test_an_unknown_kind_is_one_sentence(results, verb, tmp_path):
    strange = results["predict"].assign_attrs(verb=verb)
    for ask in (kind_of, check, tw.plot, tw.rerun, lambda one: tw.report(one, tmp_path / "page.html")):
        with pytest.raises(ValueError, match=r"attribute 'verb' of this result is .*one of predict, train, ") as caught:
            ask(strange)
        assert str(caught.value).count(".") == 1


def test_a_verb_more_is_one_row(results, monkeypatch, tmp_path):
    """A kind of its own, made of another's functions: written, read, drawn, told, reported and made again."""
    row = ResultKind(
        "foresee", xr.Dataset, KINDS["predict"].nodes, "faces.picture:one_picture", "faces.summary:value_lines",
        "verbs.reruns:predict_again", report="faces.page:told_theories", views=True,
    )  # fmt: skip
    made = results["predict"].assign_attrs(verb="foresee")
    with pytest.raises(ValueError, match="'foresee'; it must be one of"):
        check(made)
    monkeypatch.setitem(KINDS, "foresee", row)
    back = tw.load(tw.save(made, tmp_path / "run.nc"))
    assert isinstance(back, xr.Dataset)
    assert tw.plot(back).axes
    assert lines(back) == lines(results["predict"])
    assert "MarchenkoPastur" in tw.report(back, tmp_path / "page.html").read_text(encoding="utf-8")
    assert tw.rerun(back).drop_attrs().equals(results["predict"].drop_attrs())


def test_a_study_is_told_but_not_reported(tmp_path):
    study = tw.rate_study_of(tw.LinearClassifier(dimension=4, samples=7, rule=tw.GradientDescent()), steps=9)
    said = lines(study)
    assert said[0] == study.attrs["title"]
    assert any(line.startswith("  largest stable rate of the draw at ") for line in said)
    assert summary(study)["verb"] == "learning_rate_study"
    with pytest.raises(ValueError, match="no report of what learning_rate_study returns; give a result of predict"):
        tw.report(study, tmp_path / "page.html")
    with pytest.raises(ValueError, match="no views of its own"):
        tw.plot(study, view="growth")
