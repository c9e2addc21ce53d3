"""The report stands alone and says the numbers of the result."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import thalweg as tw
from thalweg.catalogue import bibliography as sources
from thalweg.catalogue.index import index
from thalweg.faces import again
from thalweg.faces.page import report
from thalweg.faces.page_tables import number, percent
from thalweg.faces.typesetting import equations, mathml
from thalweg.results.serial import to_json

from .conftest import TIMES


class Page(HTMLParser):
    """Tags in balance, addresses that something is loaded from, and the text outside the picture."""

    def __init__(self):
        super().__init__()
        self.open, self.loaded, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)
        self.loaded += [v for k, v in attrs if k in ("src", "href", "xlink:href") and not v.startswith("#")]

    def handle_startendtag(self, tag, attrs):
        self.loaded += [v for k, v in attrs if k in ("src", "href", "xlink:href") and not v.startswith("#")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"svg", "style"} & set(self.open):
            self.text += data


@pytest.fixture(scope="module")
def page(saved, tmp_path_factory):
    path = report(saved, tmp_path_factory.mktemp("report") / "report.html")
    read = Page()
    read.feed(path.read_text(encoding="utf-8"))
    return read


def test_it_is_one_file_that_loads_nothing(page):
    assert page.open == []
    assert page.loaded == []


def test_it_reads_on_a_telephone_and_in_the_dark(saved, tmp_path):
    text = report(saved, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert text.count('class="single"') == 6, "one picture a curve where the page is narrow"
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {f"#{i}" for i in ids} >= set(re.findall(r'href="(#[^"]+)"', text))
    assert "#222222" not in text[text.index("<svg") :]
    rows = re.findall(r'<table class="cards">.*?</table>', text, re.DOTALL)
    cells = re.findall(r"<td[^>]*>", rows[0])
    assert all("data-label" in cell or "head" in cell for cell in cells)


def test_it_typesets_model_and_theory(page, saved, tmp_path):
    text = report(saved, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn><mi>n</mi></mrow></mfrac>" in text
    assert "Learning curves in the limit of many features" in page.text
    assert "3 of 3 runs ended well" in page.text


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("x_i^2", "<msubsup><mi>x</mi><mrow><mi>i</mi></mrow><mrow><mn>2</mn></mrow></msubsup>"),
        ("e^{-2 t}", "<msup><mi>e</mi><mrow><mrow><mo>−</mo><mn>2</mn><mspace"),
        ("sum_{i != j} a", '<munder><mo largeop="true">∑</mo><mrow><mrow><mi>i</mi><mo>≠</mo><mi>j</mi>'),
        ("|x| <= <g^2>_T", "<mo>≤</mo><msub><mrow><mo>⟨</mo><msup>"),
        ("sqrt(a) < b", "<msqrt><mrow><mi>a</mi></mrow></msqrt><mo>&lt;</mo>"),
        ("train_loss & <b>", "train_loss</mi><mo>&amp;</mo>"),
        ("WW' (", "<mi>W</mi><mi>W</mi>"),
    ],
)
def test_equations_become_mathml(line, made):
    found = mathml(line)
    assert made in found
    assert ElementTree.fromstring(found).tag == "math"


def test_every_equation_of_every_docstring_is_well_formed():
    every = [e.doc for kind in (index().problems, index().theories, index().parts) for e in kind.values()]
    lines = [line for doc in every for line in equations(doc)]
    assert len(lines) > 60
    assert all(ElementTree.fromstring(mathml(line)).tag == "math" for line in lines)
    mute = [name for name, e in index().problems.items() if e.made_in_words and not equations(e.doc)]
    assert mute == [], "a problem says its model in an indented line of its docstring"


def test_it_says_verdict_budget_assumptions_and_sources(page, compared):
    text = re.sub(r"\s+", " ", page.text)
    for name in ("MarchenkoPastur", "Eigenmodes"):
        told = compared[f"theory/{name}"].attrs
        assert told["verdict"].capitalize() in text
        assert percent(told["agreement"]) in text
        assert all(assumption in text for assumption in json.loads(told["strains"]))
        budget = compared[f"budget/{name}"]
        assert all(str(f) in text for f in budget["functional"].values)
        assert all(number(float(x)) in text for x in budget["measured"].values)
    assert "@inproceedings{LiaoCouillet2018," in text
    assert text.index(told["verdict"].capitalize()) < text.index("Error budget") < text.index("Setting")


def test_predictions_sweeps_and_failed_runs_have_reports(small, tmp_path):
    told = tw.predict(small, TIMES, theory=tw.MarchenkoPastur())
    assert "Assumptions" in report(told, tmp_path / "a.html").read_text(encoding="utf-8")
    wild = tw.LinearClassifier(dimension=8, samples=16, rule=tw.GradientDescent(learning_rate=1e9))
    seen = tw.train(wild, [0, 100], seeds=2)
    assert "seed 1 left the finite numbers" in report(seen, tmp_path / "b.html").read_text(encoding="utf-8")


def test_the_command_and_the_python_make_the_same_problem(compared, small):
    made = again.construct(json.loads(compared.attrs["problem"]))
    assert to_json(eval(made, {"tw": tw})) == to_json(small)
    text = again.python(compared, TIMES)
    assert "np.linspace(0.0, 8.0, 5)" in text
    words = again.command(compared, TIMES)
    assert words.startswith("thalweg compare LinearClassifier --dimension 8 --samples 16 --rule GradientDescent")
    assert "--rule.learning-rate 0.3 --times 0:8:5 --theory MarchenkoPastur --theory Eigenmodes --seeds 3" in words
    assert again.command(compared, np.array([0.0, 1.0, 5.0])) == "thalweg rerun run.nc --out again"


def test_every_source_of_a_theory_has_its_entry(compared):
    for name in ("MarchenkoPastur", "Eigenmodes"):
        for source in json.loads(compared[f"theory/{name}"].attrs["source"]):
            assert sources.entry(source).startswith("@")
    assert sources.entry("Nobody1900, section 1") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.12345, "0.1235"), (-1234.5, "−1234"), (2e-7, "2.0·10⁻⁷"), (float("nan"), "–"), (float("inf"), "∞")],
)
def test_numbers_for_people(value, text):
    assert number(value) == text
