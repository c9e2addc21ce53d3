"""Systems of other packages: two files and an entry point, and they are there for every verb and face."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXTENDING = (Path(__file__).parents[2] / "docs/extending.md").read_text()
# the first block of the page, up to where it is used
SKELETON = EXTENDING.partition("```python\n")[2].partition("```")[0].partition("result = ")[0]
SETTING = """
from thalweg import preset

from noisy_means.model import NoisyMean


@preset("a hundred measurements", source="Gauss1809")
def Gauss1809(samples: int = 100) -> NoisyMean:
    return NoisyMean(samples=samples)
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder of installed packages: one that adds a system, one that cannot be imported."""
    place = tmp_path_factory.mktemp("site")
    (place / "noisy_means").mkdir()
    (place / "noisy_means/__init__.py").write_text('"""Means of noisy numbers."""\nfrom .model import NoisyMean\n')
    (place / "noisy_means/model.py").write_text(SKELETON.replace("LiaoCouillet2018", "Gauss1809"))
    (place / "noisy_means/references.bib").write_text("@book{Gauss1809,\n  title = {Theoria motus},\n}\n")
    (place / "noisy_means/published.py").write_text(SETTING)
    (place / "broken_waves.py").write_text("import no_such_library\n")
    for package, name, module in (("noisy-means", "means", "noisy_means"), ("broken-waves", "waves", "broken_waves")):
        folder = place / f"{package.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[thalweg.systems]\n{name} = {module}\n")
    return place


def run(outside, *command, fails=False):
    path = os.pathsep.join([str(outside), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert fails == (done.returncode != 0), done.stdout + done.stderr
    return done


PYTHON = """
import thalweg as tw
from noisy_means.model import Relaxation
from thalweg.testing.declared import check_declarations
problem = tw.means.NoisyMean(samples=30)
assert "means" in dir(tw) and "NoisyMean" not in dir(tw)
told = tw.predict(problem, theory="Relaxation")
result = tw.compare(problem, seeds=8)
print(result.attrs["verdict"])
tw.save(result, "means.nc")
assert tw.rerun(tw.load("means.nc")).attrs["verdict"] == result.attrs["verdict"]
tw.plot(result, "means.png")
assert "@book{Gauss1809" in tw.report(result, "means.html").read_text()
check_declarations(Relaxation())
tw.sweep(problem, {"samples": [10, 20]}, [0, 1], seeds=2)
print(sorted(tw.theories(problem)["theory"]))
try:
    tw.waves
except AttributeError:
    print("no waves")
"""


def test_every_verb_and_face_knows_it(outside, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(outside, "-c", PYTHON)
    assert done.stdout.splitlines()[-2:] == ["['Relaxation']", "no waves"]
    # the package that fails is told once, with what to do
    assert done.stderr.count("SystemWarning") == 1
    assert "the system 'waves' of broken-waves (broken_waves) could not be imported (ModuleNotFoundError" in done.stderr


def test_the_command_line_knows_it(outside, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = json.loads(run(outside, "-m", "thalweg", "list", "--json").stdout)
    assert "NoisyMean" in [e["name"] for e in told["problems"]]
    assert "Relaxation" in [e["name"] for e in told["theories"]]
    assert [f["name"] for e in told["presets"] if e["name"] == "Gauss1809" for f in e["fields"]] == ["samples"]
    run(
        outside,
        "-m",
        "thalweg",
        "compare",
        "NoisyMean",
        "--samples",
        "40",
        "--out",
        "out",
    )
    assert (tmp_path / "out/report.html").is_file()
    run(outside, "-m", "thalweg", "predict", "Gauss1809", "--out", "again")


NAMESAKE = """
import thalweg as tw
import thalweg.catalogue.registry as registry
own, theirs = "thalweg.systems.linear_classifier.problem", "second"
for name in ("LinearClassifier", f"{own}:LinearClassifier", f"{theirs}:LinearClassifier"):
    try:
        print(registry.find(name, tw.Problem).__module__)
    except ValueError as refused:
        print(refused)
"""


def test_two_systems_with_a_class_of_one_name(tmp_path):
    (tmp_path / "second.py").write_text(SKELETON.replace("NoisyMean", "LinearClassifier"))
    folder = tmp_path / "second-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[thalweg.systems]\nsecond = second\n")
    both, *found = run(tmp_path, "-c", NAMESAKE).stdout.splitlines()
    assert "2 classes are called LinearClassifier: second:LinearClassifier and thalweg.systems.linear" in both
    assert found == ["thalweg.systems.linear_classifier.problem", "second"]
