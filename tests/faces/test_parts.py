"""Parts of problems on the command line: rules, schedules, starts, laws by name, with options of their own."""

import shlex
from types import SimpleNamespace

import click.testing
import equinox as eqx
import numpy as np
import pytest

import thalweg as tw
from thalweg.catalogue.index import index
from thalweg.faces import again, rate_command, reading
from thalweg.faces.cli import Subject, cli
from thalweg.faces.subject import build, options_of
from thalweg.faces.values import read_grid
from thalweg.results.serial import to_json


def run(*words):
    """The result of a command; a traceback is a failure of the test."""
    result = click.testing.CliRunner().invoke(cli, [str(w) for w in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def parsed(name, *words):
    """The problem that these options describe."""
    own, fields = options_of(name)
    said = Subject("predict", name).make_context(name, [*words]).params
    return build(name, {o.name: said[o.name] for o in [*own, *fields]})


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("--start BalancedLayers --start.rank 1", {"start": tw.BalancedLayers(rank=1)}),
        ("--start AlignedLayers --start.values 0.5", {"start": tw.AlignedLayers(0.5)}),
        ("--start AlignedLayers --start.values 1,2", {"start": tw.AlignedLayers((1.0, 2.0))}),
        ("--weight-decay 0.1", {"weight_decay": 0.1}),
        ("--rule Scheduled --rule.schedule Drop --rule.schedule.at 5",
         {"rule": tw.Scheduled(schedule=tw.rules.Drop(at=5.0))}),
        ("--rule Scheduled --rule.rule.learning-rate 0.3", {"rule": tw.Scheduled(tw.GradientDescent(0.3))}),
        ("--rule Averaged --rule.rule Scheduled --rule.rule.rule HeavyBall --rule.rule.rule.momentum 0.5",
         {"rule": tw.Averaged(tw.Scheduled(tw.HeavyBall(momentum=0.5)))}),
    ],
)  # fmt: skip
def test_parts_are_chosen_by_name(words, made):
    expected = tw.DeepLinear(widths=(3, 3, 3), **made)
    assert eqx.tree_equal(parsed("DeepLinear", "--widths", "3,3,3", *words.split()), expected)


def test_parts_of_presets_and_of_other_systems():
    changed = parsed("Saxe2014.shallow", "--start", "BalancedLayers", "--start.rank", "2")
    assert changed.start == tw.BalancedLayers(rank=2)
    assert parsed("Saxe2014.shallow", "--start.values", "0.5").start.values == 0.5
    net = parsed("QuadraticRegression", "--inputs", "VectorInputs", "--inputs.centred", "false", "--teacher",
                 "GaussianStart", "--teacher.init-scale", "0.1")  # fmt: skip
    assert (net.inputs, net.teacher) == (tw.VectorInputs(centred=False), tw.GaussianStart(init_scale=0.1))


def test_parts_are_listed_with_their_defaults():
    described = " ".join(run("compare", "DeepLinear", "--help").stdout.split())
    assert "--start NAME a law of all layers at the start: AlignedLayers, BalancedLayers, GaussianLayers" in described
    assert "[BalancedLayers None]" in described
    assert "--rule.schedule.growth" in described
    assert "--rule.rule.momentum" not in described
    listed = run("list").stdout
    assert all(name in listed for name in index().parts)
    assert "rank of every layer" in " ".join(run("list", "BalancedLayers").stdout.split())
    assert "AlignedLayers" in run("list", "LayerLaw").stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("DeepLinear --start BalancedLayer", "did you mean 'BalancedLayers'?"),
        ("DeepLinear --start BalancedLayers --start.rnk 1", "--start.rank"),
        ("DeepLinear --start BalancedLayers --start.values 1", "unknown option '--start.values' of BalancedLayers"),
        ("DeepLinear --start BalancedLayers --start.rank 9", "rank = 9 is above the smallest width"),
        ("DeepLinear --start BalancedLayers --start.rank one", "'one' is no number; give a whole number >= 1"),
        ("DeepLinear --start.rank 1", "--start.rank: no start is set; name one that has with --start: BalancedLayers"),
        ("DeepLinear --start GivenLayers", "GivenLayers needs layers; give --start.layers"),
        ("LinearClassifier --rule Scheduled --rule.schedule Dorp", "did you mean 'Drop'?"),
        ("LinearClassifier --rule SGD --rule.rule.momentum 1", "unknown option '--rule.rule.momentum' of SGD"),
    ],
)
def test_a_wrong_part_is_a_sentence(words, sentence):
    result = run("compare", *words.split())
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_sweep_inside_a_part():
    words = ["--widths", "2,2,2", "--target", "2,1", "--start", "BalancedLayers"]
    grid = read_grid(("start.rank=1,2",))
    swept = tw.sweep(parsed("DeepLinear", *words), grid, [0.0, 1.0], theory="TwoLayerRiccati")
    assert swept["theory"]["late_rate"].attrs["units"] == "1/flow time"
    values = swept["theory"]["singular_values"].isel(time=0, seed=0)
    assert [int(np.sum(v > 1e-9)) for v in values.transpose("start.rank", ...).values] == [1, 2]


def test_a_result_says_its_parts_and_the_words_that_make_it_again():
    problem = tw.DeepLinear(
        widths=(2, 2, 2), target=(2.0, 1.0), start=tw.BalancedLayers(rank=1), rule=tw.Scheduled(tw.HeavyBall())
    )
    told = {"verb": "compare", "problem": to_json(problem)[0], "theories": '["RankOneFlow"]', "seeds": "[0, 1]"}
    result = SimpleNamespace(attrs=told)
    assert "BalancedLayers (r = 1)" in reading.title_of(result)
    assert "Scheduled (HeavyBall (η = 0.1, β = 0.9))" in reading.title_of(result)
    said = shlex.split(again.command(result, np.linspace(0, 3, 4)))[2:]
    assert eqx.tree_equal(parsed(said[0], *said[1 : said.index("--times")]), problem)


def test_a_seed_of_the_preset_is_not_that_of_the_advice(monkeypatch):
    asked = []
    monkeypatch.setattr(rate_command, "on_problem", lambda name, said, **more: asked.append((said["seed"], more)) or 0)
    assert run("advise-rate", "JiTelgarsky2019.plane", "--seed", "3", "--steps", "7").exit_code == 0
    assert asked[0][0] == 3
    assert asked[0][1]["steps"] == 7
    assert "seed" not in asked[0][1]


def test_a_sweep_can_train_where_no_theory_speaks(monkeypatch, tmp_path):
    asked = {}

    def stop(*args, **more):
        asked.update(more)
        raise ValueError("enough")

    monkeypatch.setattr(tw, "sweep", stop)
    words = ["sweep", "LinearClassifier", "--over", "mean-norm=1,2", "--theory", "none", "--out", tmp_path]
    assert "unknown theory 'none'" in run(*words).stderr
    assert "enough" in run(*words, "--train").stderr
    assert (asked["theory"], asked["seeds"]) == (False, 8)
