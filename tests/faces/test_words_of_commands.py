"""Commands about results: where they write, what they keep, errors as JSON, a user's own classes, sources."""

import json
import shlex
import subprocess
import sys
from types import SimpleNamespace

import click.testing
import numpy as np
import pytest

import thalweg as tw
from thalweg.catalogue import index as index_module
from thalweg.catalogue import outsiders
from thalweg.computing import memory
from thalweg.faces import again, notebook
from thalweg.faces.cli import cli
from thalweg.faces.output import Place
from thalweg.faces.values import read_grid
from thalweg.words import phrases

from .conftest import TIMES

SMALL = ["LinearClassifier", "--dimension", "8", "--samples", "16", "--times", "0:8:5"]


def run(*words):
    """The result of a command; a traceback is a failure of the test."""
    result = click.testing.CliRunner().invoke(cli, [str(w) for w in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def test_a_result_that_is_there_is_renamed_with_its_picture_and_the_user_is_told(tmp_path):
    for wanted in ("run", "other"):
        out = tmp_path if wanted == "run" else tmp_path / "other.nc"
        first = run("predict", *SMALL, "--mean-norm", "2", "--out", out)
        assert "note" not in first.stderr
        again_ = run("predict", *SMALL, "--mean-norm", "1", "--out", out)
        assert f"{wanted}-1.nc" in again_.stderr
        kept, new = (json.loads(tw.load(tmp_path / f"{wanted}{n}.nc").attrs["problem"]) for n in ("-1", ""))
        assert (kept["fields"]["mean_norm"], new["fields"]["mean_norm"]) == (2.0, 1.0)
    picture = {"picture.png", "picture-1.png", "other.png", "other-1.png"}
    assert picture <= {p.name for p in tmp_path.iterdir()}


@pytest.mark.parametrize("path", ["a.png", "b.html", "", " "])
def test_out_is_a_folder_or_a_result(path):
    with pytest.raises(ValueError, match="give a folder"):
        Place.of(path)


def test_errors_are_json_where_that_was_asked_for(tmp_path):
    for words, code in (
        (["compare", "LinearClasifier"], 2),
        (["predict", "LinearClassifier", "--nonsense", "1"], 2),
        (["compare"], 2),
        (["cite", tmp_path / "none.nc"], 2),
    ):
        told = run(*words, "--json")
        assert told.exit_code == code
        said = json.loads(told.stdout)
        assert said["exit_code"] == code
        assert said["error"]


def test_sources_of_a_result_a_preset_and_a_problem(saved, small):
    assert tw.cite(str(saved)) == run("cite", saved).stdout.strip()
    assert "@inproceedings{LiaoCouillet2018," in tw.cite(small)
    of_preset = run("cite", "CouilletLiao2022.flow")
    assert of_preset.stdout.count("@software{thalweg,") == 1
    assert "CouilletLiao2022" in of_preset.stdout
    assert "did you mean 'LinearClassifier'" in run("cite", "LinearClasifier").stderr
    with pytest.raises(ValueError, match="takes a result"):
        tw.cite(3)


def test_the_order_study_is_a_command(monkeypatch, tmp_path):
    asked = {}

    def stop(problem, grid, times, **more):
        asked.update(more, grid=grid)
        raise ValueError("enough")

    monkeypatch.setattr(tw, "order_study", stop)
    words = ["order-study", "LinearClassifier", "--theory", "MarchenkoPastur", "--seeds", "6", "--out", tmp_path]
    assert "needs sizes" in run(*words).stderr
    assert "enough" in run(*words, "--over", "dimension+samples=8+16,16+32,32+64").stderr
    assert asked["grid"] == {("dimension", "samples"): [(8, 16), (16, 32), (32, 64)]}
    assert (asked["theory"], asked["seeds"]) == ("MarchenkoPastur", 6)


OWN = '''
import thalweg as tw

class Mine(tw.LinearClassifier):
    """Mine is like theirs."""

class Slow(tw.GradientDescent):
    """Slow as snails."""

if __name__ == "__main__":
    tw.save(tw.predict(Mine(dimension=8, samples=16), [0, 1]), "script.nc")
'''


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """A file with classes of a user's own, forgotten again after the test."""
    monkeypatch.setattr(outsiders, "_GIVEN", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_for_a_test.py").write_text(OWN)
    yield tmp_path / "mine_for_a_test.py"
    index_module.index.cache_clear()
    sys.modules.pop("mine_for_a_test", None)


def test_classes_of_ones_own_are_imported_for_a_command(own_file, tmp_path):
    made = run("predict", "Mine", *SMALL[1:], "--rule", "Slow", "--import", own_file.name, "--out", "a")
    assert made.exit_code == 0, made.output
    found = tw.load(tmp_path / "a/run.nc")
    assert found.attrs["command"].endswith("--import mine_for_a_test.py --out a")
    assert again.modules_of(found) == ["mine_for_a_test"]
    again_ = run("--import", "mine_for_a_test", "rerun", "a/run.nc", "--out", "b.nc")
    assert again_.exit_code == 0, again_.output
    assert tw.load(tmp_path / "b.nc")["test_loss"].equals(found["test_loss"])
    # a script has no name of its own: the file that is given stands for it
    found.attrs["problem"] = found.attrs["problem"].replace("mine_for_a_test", "__main__")
    tw.save(found, "script.nc")
    assert run("rerun", "script.nc", "--out", "c.nc", "--import", own_file).exit_code == 0
    own_file.write_text("import nothing_of_this_name")
    sys.modules.pop("mine_for_a_test")
    assert "could not be imported (ModuleNotFoundError" in run("list", "--import", own_file).stderr


def test_what_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 1e9)
    with pytest.raises(memory.TooLarge, match=r"32 TB .* by dimension = 1000000 and samples = 500000.* 1 GB"):
        tw.train(tw.LinearClassifier(dimension=1_000_000, samples=500_000), [0, 1])
    with pytest.raises(memory.TooLarge, match="dimension = 3906 and samples = 1953 would fit"):
        tw.train(tw.LinearRegression(dimension=1_000_000, samples=500_000), [0, 1])
    with pytest.raises(ValueError, match="below 2\\^53"):
        tw.LinearClassifier(dimension=10**30)
    with pytest.raises(ValueError, match="at most 1000000"):
        tw.train(tw.LinearClassifier(), [0, 1], seeds=10**12)


def test_long_lists_are_cut():
    names = [f"name{i}" for i in range(500)]
    said = phrases.unknown("name", "x" * 10_000, names)
    assert len(said) < 400
    assert "500" in said
    assert "did you mean 'name77'" in phrases.unknown("name", "nane77", names)
    assert phrases.cut([str(i) for i in range(1000)]) == "0, 1, 2, 3, 4, 5, … (1000 numbers)"
    assert (
        phrases.first_sentence("A net f(x) = W_N ... W_1 x,\nof depth N. More.")
        == "A net f(x) = W_N ... W_1 x, of depth N"
    )


@pytest.mark.parametrize("text", ["mean_norm=1,2|mean-norm=3", "=1,2", "a+=1+2,3+4"])
def test_a_field_is_swept_once(text):
    with pytest.raises(ValueError, match="names"):
        read_grid(tuple(text.split("|")))


def test_the_python_and_the_command_of_a_report_run(compared, saved, small, tmp_path):
    code = again.python(compared, TIMES)
    made = {}
    exec(code, made)
    np.testing.assert_array_equal(made["result"]["training"]["test_loss"], compared["training"]["test_loss"])
    words = shlex.split(again.command(compared, TIMES))
    done = run(*words[1:], "--out", tmp_path / "x.nc")
    assert done.exit_code in (0, 3, 4), done.output
    made = tw.load(tmp_path / "x.nc")
    np.testing.assert_array_equal(made["training"]["test_loss"], compared["training"]["test_loss"])
    assert again.command(made, TIMES) == shlex.join([*words, "--out", str(tmp_path / "x.nc")])


def test_presets_are_named_in_reports_also_where_python_made_them():
    problem = tw.LinearClassifier(dimension=8)
    told = SimpleNamespace(attrs=tw.predict(problem, [0, 1]).attrs)
    assert again.named(told) == []
    preset = tw.predict(tw.linear_classifier.CouilletLiao2022.flow(), [0, 1])
    assert again.named(preset) == [("as preset", "CouilletLiao2022.flow")]


def test_notebooks_show_the_verdict_first(compared, small):
    page = notebook.shown(compared)
    word = compared.attrs["verdict"]
    assert page.index(f"<b>{word}</b>") < page.index("<details>")
    plain = compared["training"].to_dataset()[["test_loss"]].drop_attrs()
    assert notebook.shown(plain).startswith("<div>")
    assert "<summary>data</summary>" not in notebook.shown(plain)
    assert "strain" in tw.theories(small)._repr_html_()
    advice = tw.advise(small)
    assert all(item.name.replace("_", " ") in advice._repr_html_() for item in advice)


def test_importing_in_a_notebook_registers_and_loads_nothing():
    code = (
        "import sys, types\n"
        "asked = []\n"
        "html = types.SimpleNamespace(for_type_by_name=lambda *a: asked.append(a[:2]))\n"
        "shell = types.SimpleNamespace(display_formatter=types.SimpleNamespace(formatters={'text/html': html}))\n"
        "sys.modules['IPython'] = types.SimpleNamespace(get_ipython=lambda: shell)\n"
        "import thalweg\n"
        "assert asked == [('xarray.core.dataset', 'Dataset'), ('xarray.core.datatree', 'DataTree')], asked\n"
        "assert not {'jax', 'xarray', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
