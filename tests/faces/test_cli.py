"""The command line: options from the fields, one sentence for bad input, exit codes, files."""

import json
import subprocess
import sys

import click.testing
import numpy as np
import pytest

import thalweg as tw
from thalweg.catalogue.index import index
from thalweg.data.arrays_in_words import read_arrays
from thalweg.data.own_table import read_table
from thalweg.faces.cli import cli
from thalweg.faces.console import exit_code
from thalweg.faces.subject import build
from thalweg.faces.values import read_numbers, read_seeds

from .conftest import TIMES

SMALL = ["LinearClassifier", "--dimension", "8", "--samples", "16", "--times", "0:8:5"]
SMALL += ["--rule", "GradientDescent", "--rule.learning-rate", "0.3"]


def run(*words):
    """The result of a command; a traceback is a failure of the test."""
    result = click.testing.CliRunner().invoke(cli, [str(w) for w in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list"], ["compare", "LinearClassifier", "--help"]])
def test_answers_without_jax(words):
    code = (
        "import sys, thalweg.faces.cli as c\n"
        "try: c.main()\nexcept SystemExit as end: assert not end.code\n"
        "slow = {'jax', 'numpy', 'scipy', 'pandas', 'xarray', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_list_shows_everything_and_is_json_on_demand():
    shown = run("list").stdout
    found = index()
    assert all(name in shown for kind in vars(found).values() for name in kind)
    assert "recalled" in shown
    told = json.loads(run("list", "--json").stdout)
    assert [p["name"] for p in told["problems"]] == list(found.problems)
    assert "norm of the class mean" in run("list", "LinearClassifier").stdout
    assert run("list", "LinearClasifier").exit_code == 2


def test_options_come_from_the_fields():
    described = run("compare", "LinearClassifier", "--help").stdout
    for field in index().problems["LinearClassifier"].fields:
        assert f"--{field.name.replace('_', '-')}" in described
    assert "--rule.learning-rate" in described


def test_options_build_the_problem_that_python_builds():
    said = {"mean_norm": 2.0, "rule": "GradientDescent", "rule__learning_rate": 0.3, "samples": None}
    assert build("LinearClassifier", said) == tw.LinearClassifier(mean_norm=2.0, rule=tw.GradientDescent(0.3))
    tight = build("LinearClassifier", {"rule__tolerance": 1e-5})
    assert tight == tw.LinearClassifier(rule=tw.GradientFlow(tolerance=1e-5))
    changed = build("CouilletLiao2022.flow", {"dimension": 8, "rule__tolerance": 1e-5})
    assert (changed.dimension, changed.samples, changed.rule.tolerance) == (8, 512, 1e-5)
    adam = {"rule": "Optax", "rule__maker": "optax.adam", "rule__hyperparameters": (("b1", 0.8),)}
    assert build("LinearClassifier", adam).rule.hyperparameters == (("b1", 0.8),)
    assert build("DigitsClassifier", {"samples": 100, "groups": (3, 8)}).samples == 100


def test_compare_writes_everything_and_says_it_as_json(tmp_path):
    out = tmp_path / "new/out"
    result = run("compare", *SMALL, "--theory", "MarchenkoPastur", "--theory", "Eigenmodes", "--seeds", "3",
                 "--out", out, "--json")  # fmt: skip
    told = json.loads(result.stdout)
    assert sorted(p.name for p in out.iterdir()) == ["picture.png", "report.html", "run.nc"]
    saved = tw.load(out / "run.nc")
    assert told["verdict"] == saved.attrs["verdict"]
    assert result.exit_code == {"contradicted": 3, "inconclusive": 4}.get(told["verdict"], 0)
    assert [t["theory"] for t in told["theories"]] == ["MarchenkoPastur", "Eigenmodes"]
    assert len(told["theories"][0]["budget"]) == saved["budget/MarchenkoPastur"].sizes["functional"]
    np.testing.assert_array_equal(saved["training"]["time"], TIMES)
    again = run("rerun", out / "run.nc", "--out", tmp_path / "again", "--json")
    assert json.loads(again.stdout)["theories"] == told["theories"]


def test_options_may_stand_before_the_name(tmp_path, small):
    result = run("predict", "--json", "--out", tmp_path / "new", "--theory", "MarchenkoPastur", *SMALL)
    told = json.loads(result.stdout)
    direct = tw.predict(small, TIMES, theory="MarchenkoPastur")
    assert told["theory"]["end"]["test_loss"] == pytest.approx(float(direct["test_loss"][-1]))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["picture.png", "run.nc"]


def test_saved_results_can_be_drawn_and_reported(saved, tmp_path):
    assert run("plot", saved, "--out", tmp_path / "p.svg", "--observables", "test_loss").exit_code == 0
    assert run("report", saved, "--out", tmp_path / "r.html").exit_code == 0
    assert "<svg" in (tmp_path / "p.svg").read_text()
    assert "Error budget" in (tmp_path / "r.html").read_text()


def test_sweep_and_theories(tmp_path):
    told = json.loads(
        run(
            "sweep", *SMALL, "--over", "mean-norm=0.5,1", "--theory", "MarchenkoPastur", "--out", tmp_path, "--json"
        ).stdout
    )
    assert told["over"] == {"mean_norm": [0.5, 1.0]}
    assert len(told["theory"]["end"]["test_loss"]) == 2
    listed = json.loads(run("theories", "LinearClassifier", "--json").stdout)
    assert "MarchenkoPastur" in [row["theory"] for row in listed]
    assert "MarchenkoPastur" in run("theories", "LinearClassifier").stdout


def test_the_verdict_is_the_exit_code(capsys):
    said = ["confirmed", "consistent", "better than promised", "contradicted", "inconclusive", "outside its regime"]
    assert [exit_code(word) for word in said] == [0, 0, 0, 3, 4, 0]
    assert "refutes nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("compare LinearClasifier", "did you mean 'LinearClassifier'?"),
        ("compare LinearClassifier --mean-nrm 2", "--mean-norm"),
        ("compare LinearClassifier --dimension -3", "give a whole number >= 1"),
        ("compare LinearClassifier --dimension 2.5", "give a whole number >= 1"),
        ("compare LinearClassifier --mean-norm nan", "give a finite number >= 0"),
        ("compare LinearClassifier --mean-norm two", "'two' is no number"),
        ("compare LinearClassifier --times 3,2", "increasing"),
        ("compare LinearClassifier --times=-1,2", ">= 0"),
        ("compare LinearClassifier --times 0:1", "start:stop:count"),
        ("predict LinearClassifier --rule GradientDescent --times 0,0.5", "no whole step"),
        ("compare LinearClassifier --seeds many", "--seeds 'many'"),
        ("compare LinearClassifier --seeds 0", "seeds"),
        ("compare LinearClassifier --resolution 2", "resolution"),
        ("compare LinearClassifier --theory MarchenkoPaster", "did you mean 'MarchenkoPastur'?"),
        ("compare LinearClassifier --rule GradientDecent", "did you mean 'GradientDescent'?"),
        ("compare LinearClassifier --rule Nesterov --rule.tolerance 1", "unknown option '--rule.tolerance'"),
        (
            "compare LinearClassifier --rule.momentum 0.5",
            "GradientFlow here, which has no momentum; name one that has with --rule: HeavyBall",
        ),
        ("compare LinearClassifier --rule Optax", "Optax needs maker; give --rule.maker"),
        ("compare DatasetClassifier", "DatasetClassifier needs inputs, labels; give --data FILE"),
        ("compare MNISTClassifier", "needs path; give --path"),
        ("sweep LinearClassifier", "--over"),
        ("sweep LinearClassifier --over mean_nrm=1,2", "did you mean 'mean_norm'?"),
        ("sweep LinearClassifier --over mean_norm", "FIELD=A,B"),
        ("plot none.nc", "none.nc does not exist"),
        ("report pyproject.toml", "no netCDF file"),
    ],
)
def test_bad_input_is_a_sentence(words, sentence, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("no result")
    monkeypatch.chdir(tmp_path)
    result = run(*words.split())
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["pyproject.toml"], "nothing half-written"


def test_an_unwritable_folder_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("predict", *SMALL, "--out", tmp_path / "file/out")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_data_comes_from_files(tmp_path):
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(40, 3)), np.tile([-1.0, 1.0], 20)
    np.savez(tmp_path / "mine.npz", inputs=inputs, labels=labels)
    rows = "\n".join(",".join(map(repr, map(float, [*x, y]))) for x, y in zip(inputs, labels, strict=True))
    (tmp_path / "mine.csv").write_text(f"a,b,c,kind\n{rows}\n")
    expected = tw.DatasetClassifier(inputs=inputs, labels=labels, samples=10)
    for source in ({"data": str(tmp_path / "mine.npz")}, {"data": str(tmp_path / "mine.csv"), "target": "kind"}):
        made = build("DatasetClassifier", {**source, "samples": 10})
        np.testing.assert_allclose(made.inputs, expected.inputs)
        np.testing.assert_array_equal(made.labels, expected.labels)
    bunch = read_arrays("sklearn:breast_cancer", ["inputs", "labels"])
    assert bunch["inputs"].shape == (569, 30)


@pytest.mark.parametrize(
    ("name", "text", "target", "sentence"),
    [
        ("a.csv", "x,y\n1,2\n3,4\n", None, "--target COLUMN"),
        ("a.csv", "x,kind\n1,2\n3,4\n", "kid", "did you mean 'kind'"),
        ("a.csv", "x,y\n1,2\nred,4\n3,5\n", "y", r"column 'x' holds text \('red'\) in row 2 among numbers"),
        ("a.csv", "x,y\n1,2\n3,4,5\n", "y", "row 2 has 3 entries, but the header names 2"),
        ("a.csv", "", "y", "no readable table"),
        ("a.npz", "nothing", None, "no readable .npz"),
        ("a.sav", "1 2", None, "give a .csv, .tsv"),
    ],
)
def test_bad_files_are_sentences(name, text, target, sentence, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_arrays(str(tmp_path / name), ["inputs", "labels"], target)


def test_advice_about_a_table(tmp_path, monkeypatch):
    """Numbers as target: regression; two values: classes. Both shapes are small; nothing else is named."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((80, 3))
    y = x @ [1.0, 0.5, 0.0] + 0.3 * rng.standard_normal(80)
    np.savetxt("t.csv", np.column_stack([x, y, y > 0]), delimiter=",", header="a,b,c,height,tall", comments="")
    shown = run("advise", "t.csv", "--target", "height")
    assert shown.exit_code == 0, shown.output
    assert "80 rows, 4 columns to predict 'height' from; 64 rows are training points" in shown.stdout
    assert "Advice for DatasetRegression" in shown.stdout
    assert "stopping time: " in shown.stdout
    told = json.loads(run("advise", "--samples", "20", "--target", "tall", "t.csv", "--json").stdout)
    assert {"ridge", "test_accuracy", "test_loss_with_twice_the_points"} <= {item["name"] for item in told}
    for words, sentence in (
        (["--target", "heigth"], "did you mean 'height'"),
        ([], "--target COLUMN; there are a, b, c, height, tall"),
        (["--target", "a", "--samples", "78"], "lower samples to 76"),
        (["--target", "a", "--samples", "many"], "is not a valid integer"),
    ):
        refused = run("advise", "t.csv", *words)
        assert refused.exit_code == 2
        assert sentence in refused.output
    assert "there is no such file" in run("advise", "u.csv", "--target", "a").output
    assert "NAME|FILE.csv" in run("advise", "--help").output
    assert run("predict", "t.csv").exit_code == 2


def test_advice_about_a_table_of_named_classes(tmp_path, monkeypatch):
    """Names become classes in their order, and the user is told; the advice is that about the same numbers."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((80, 3))
    side = x @ [1.0, 0.5, 0.0] + 0.3 * rng.standard_normal(80) > 0
    rows = [",".join(f"{v:.6f}" for v in row) for row in x]
    for name, words in (("text.csv", ("tall", "small")), ("numbers.csv", ("1", "0"))):
        kinds = [words[0] if one else words[1] for one in side]
        lines = [f"{row},{kind}" for row, kind in zip(rows, kinds, strict=True)]
        (tmp_path / name).write_text("a,b,c,kind\n" + "\n".join(lines))
    shown = run("advise", "text.csv", "--target", "kind", "--samples", "20")
    assert shown.exit_code == 0, shown.output
    assert "Classes of 'kind': small = -1, tall = +1." in shown.stdout
    plain = run("advise", "numbers.csv", "--target", "kind", "--samples", "20")
    assert "Classes of" not in plain.stdout
    assert shown.stdout.split("Advice for")[1] == plain.stdout.split("Advice for")[1]
    # of three names each has its output
    (tmp_path / "three.csv").write_text((tmp_path / "text.csv").read_text().replace(",tall", ",big", 20))
    three = run("advise", "three.csv", "--target", "kind", "--samples", "50")
    assert three.exit_code == 0, three.output
    assert "big = output 0, small = output 1, tall = output 2" in three.stdout
    assert "Advice for DatasetClasses" in three.stdout
    spoken = run("advise", "text.csv", "--target", "kind", "--samples", "20", "--json")
    assert "ridge" in {item["name"] for item in json.loads(spoken.stdout)}
    assert "small = -1" in spoken.stderr


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (["a", "a", "a"], "'a' in every row; there is nothing to learn"),
        (["1", "2", "red"], r"text \('red'\) in row 3 among numbers"),
        (["a", "", "b"], "names 2 classes in 2 rows"),
    ],
)
def test_names_that_are_no_classes(column, sentence, tmp_path):
    (tmp_path / "t.csv").write_text("x,kind\n" + "".join(f"{i},{one}\n" for i, one in enumerate(column)))
    with pytest.raises(ValueError, match=sentence):
        read_table(str(tmp_path / "t.csv"), "kind")


def test_other_bad_data_are_sentences(tmp_path):
    np.savez(tmp_path / "a.npz", input=np.ones(2), labels=np.ones(2))
    with pytest.raises(ValueError, match=r"missing key 'inputs'.*did you mean 'input'"):
        read_arrays(str(tmp_path / "a.npz"), ["inputs", "labels"])
    with pytest.raises(ValueError, match="there is no such file"):
        read_arrays("none.npz", ["inputs", "labels"])
    with pytest.raises(ValueError, match="did you mean 'digits'"):
        read_arrays("sklearn:digit", ["inputs", "labels"])


def test_an_interrupted_run_keeps_what_was_finished(tmp_path, small, monkeypatch):
    finished = tw.train(small, TIMES, seeds=2)

    def stop(*args, **more):
        raise tw.Interrupted(finished)

    monkeypatch.setattr(tw, "compare", stop)
    result = run("compare", *SMALL, "--out", tmp_path)
    assert result.exit_code == 130
    assert tw.load(tmp_path / "run.nc").sizes["seed"] == 2


def test_a_theory_outside_its_regime_warns_in_one_sentence(tmp_path):
    result = run("predict", *SMALL, "--correlation", "0.9", "--theory", "MarchenkoPastur", "--out", tmp_path)
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: MarchenkoPastur is outside its regime")
    assert result.stderr.count("\n") == 1


def test_times_and_seeds_in_words():
    np.testing.assert_array_equal(read_numbers("0:10:201", ""), np.linspace(0, 10, 201))
    np.testing.assert_array_equal(read_numbers("0,1.5,2", ""), [0, 1.5, 2])
    assert read_seeds("24") == 24
    assert read_seeds("0,3") == [0, 3]


def test_advice_about_a_rate(tmp_path):
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((64, 3))
    np.savez(tmp_path / "points.npz", inputs=inputs, labels=inputs[:, 0] > 0)
    words = ["advise-rate", "network", "--data", tmp_path / "points.npz", "--hidden", "6", "--steps", "60"]
    done = run(*words, "--optimiser", "momentum", "--json")
    assert done.exit_code in (0, 4)
    told = json.loads(done.stdout)
    assert told["about"].startswith("3-6-2 tanh network, cross entropy, batches of 32, momentum")
    assert told["cost"] > 0
    plain = run("advise-rate", *SMALL[:5], "--rule", "GradientDescent", "--steps", "40", "--out", tmp_path, "--study")
    assert plain.exit_code == 0, plain.output
    assert "Eigenmodes, known exactly" in plain.output
    assert (tmp_path / "picture.png").is_file()
    assert tw.load(tmp_path / "run.nc").attrs["verb"] == "learning_rate_study"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["network", "--data", "sklearn:iris", "--hidden", "many"], "widths with commas"),
        (["network", "--data", "sklearn:iris", "--batch", "1000"], "0 to 150 points"),
        (["network", "--data", "sklearn:iris", "--activation", "tan"], "not known"),
        (["network", "--data", "no.npz"], "no such file"),
        (["LinearClasifier"], "did you mean"),
    ],
)
def test_advice_about_a_rate_refuses_bad_words(words, said):
    done = run("advise-rate", *words)
    assert done.exit_code == 2
    assert said in done.stderr
