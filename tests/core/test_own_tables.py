"""A table as it comes: what is read, what is made of it, what is left out, and what is refused in one sentence."""

import gzip

import numpy as np
import pandas
import pytest
from click.testing import CliRunner

import thalweg as tw
from thalweg.faces.cli import cli

ROWS = 60


def field(seed=0):
    """Numbers, text, gaps, a date, an id, a constant, an empty column, and a target."""
    rng = np.random.default_rng(seed)
    size = rng.normal(20.0, 4.0, ROWS)
    kind = rng.choice(["NA", "DE", "FR"], ROWS)
    frame = pandas.DataFrame(
        {
            "id": rng.permutation(ROWS) + 500,
            "size": size,
            "wet": np.where(rng.random(ROWS) < 0.2, np.nan, rng.normal(size=ROWS)),
            "kind": kind,
            "day": [f"2021-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)],
            "note": [f"field {i}" for i in range(ROWS)],
            "one": 1.0,
            "empty": np.nan,
            "yield": 0.3 * size + (kind == "NA") + rng.normal(0.0, 0.5, ROWS),
        }
    )
    return frame


def test_the_account_says_by_name_what_was_made_of_what():
    table = tw.read_table(field().assign(again=field()["yield"]), "yield")
    account = table.account
    assert account.used == ("size", "wet")
    assert account.made == ("kind (3)",)
    assert [name for name, _ in account.filled] == ["wet"]
    why = dict(account.dropped)
    assert {k: v.split(" (")[0] for k, v in why.items()} == {
        "id": "a name of the row",
        "day": "dates",
        "note": "text of its own in nearly every row",
        "one": "the same number in every row",
        "empty": "all entries are missing",
        "again": "the target once more",
    }
    inputs, names = table.encoded()
    assert names == ["size", "wet", "missingindicator_wet", "kind_DE", "kind_FR", "kind_NA"]
    assert inputs.shape == (ROWS, 6)
    gaps = field()["wet"].isna().to_numpy()
    np.testing.assert_array_equal(inputs[:, 2], gaps)
    # the median of the rows that train, not of all
    few = np.arange(20)
    np.testing.assert_allclose(table.encoded(few)[0][gaps, 1], field()["wet"][:20].median())
    assert "left out: note: text of its own" in str(account)


@pytest.mark.parametrize("kind", ["csv", "tsv", "semicolon", "gz", "bom", "quoted"])
def test_the_same_table_in_another_dress(kind, tmp_path):
    plain = field().drop(columns="kind")
    path, more, text = tmp_path / "t.csv", {}, None
    if kind == "tsv":
        path, more = tmp_path / "t.tsv", {"sep": "\t"}
    elif kind == "semicolon":
        more = {"sep": ";", "decimal": ","}
    elif kind == "quoted":
        more = {"quoting": 1}
    text = plain.to_csv(index=False, **more)
    if kind == "gz":
        path = tmp_path / "t.csv.gz"
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8-sig" if kind == "bom" else "utf-8")
    told, own = tw.read_table(path, "yield"), tw.read_table(plain, "yield")
    np.testing.assert_allclose(told.inputs, own.inputs, rtol=1e-12)
    np.testing.assert_allclose(told.targets, own.targets, rtol=1e-12)
    assert told.account.dropped == own.account.dropped


def test_numbers_as_people_write_them(tmp_path):
    (tmp_path / "t.csv").write_text('a;b;c\n1,5;"1.234,5";0,1\n2,25;7,0;0,2\n-3;12,0;0,4\n')
    table = tw.read_table(tmp_path / "t.csv", "c")
    np.testing.assert_allclose(table.inputs, [[1.5, 1234.5], [2.25, 7.0], [-3.0, 12.0]])
    (tmp_path / "t.csv").write_text('a,b\n"1,234",1\n"12,500,000",2\n99,4\n')
    np.testing.assert_allclose(tw.read_table(tmp_path / "t.csv", "b").inputs[:, 0], [1234, 12500000, 99])


def test_names_of_classes_may_be_any_words():
    frame = field().drop(columns="yield")
    table = tw.read_table(frame, "kind")
    assert sorted(set(table.targets)) == ["DE", "FR", "NA"]
    rare = frame.assign(kind=np.where(np.arange(ROWS) < 3, "XX", frame["kind"]))
    table = tw.read_table(rare, "kind")
    assert len(table.targets) == ROWS - 3
    assert any("XX" in one for one in table.account.remarks)


def test_numbers_of_the_row_are_no_inputs():
    """120 rows of noise sorted by class: an index would tell the class."""
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"Unnamed: 0": np.arange(120), "x": rng.normal(size=120), "y": np.repeat(["a", "b"], 60)})
    assert tw.read_table(frame, "y").account.used == ("x",)
    doubled = pandas.DataFrame({"x": frame["x"], "z": np.repeat([0.0, 1.0], 60), "y": frame["y"]})
    assert dict(tw.read_table(doubled, "y").account.dropped) == {"z": "the target once more"}


@pytest.mark.parametrize("value", [9.96921e36, -9999.0, 1e20])
def test_fill_values_deserve_a_remark(value):
    frame = field()[["size", "yield"]]
    frame.loc[[3, 8], "size"] = value
    assert any(f"holds {value:.6g} in 2 rows" in one for one in tw.read_table(frame, "yield").account.remarks)
    assert not tw.read_table(field()[["size", "yield"]], "yield").account.remarks


def test_rows_that_hang_together_are_remarked():
    frame = field()[["size", "yield"]].assign(
        year=np.arange(ROWS) // 12 + 1990, farm=[f"f{i % 12}" for i in range(ROWS)]
    )
    said = " ".join(tw.read_table(frame, "yield").account.remarks)
    assert "'farm' has 12 levels of 5 rows" in said
    assert "'year' looks like a time" in said
    table = tw.read_table(frame, "yield", groups="farm", order="year")
    assert not table.account.remarks
    assert np.unique(table.groups).size == 12
    again = pandas.concat([frame, frame[:7]], ignore_index=True)
    assert any("7 rows of inputs are a repetition" in one for one in tw.read_table(again, "yield").account.remarks)


def test_other_libraries_and_arrays(tmp_path):
    class Polars:
        """As polars has it."""

        def __init__(self, frame):
            self.frame, self.columns, self.schema = frame, list(frame.columns), {}

        def to_dict(self, as_series):
            return {c: self.frame[c].tolist() for c in self.columns}

    frame = field()[["size", "kind", "yield"]]
    np.testing.assert_allclose(tw.read_table(Polars(frame), "yield").inputs, tw.read_table(frame, "yield").inputs)
    np.savez(tmp_path / "t.npz", inputs=frame[["size"]].to_numpy(), targets=frame["yield"].to_numpy())
    np.testing.assert_allclose(tw.read_table(tmp_path / "t.npz").inputs[:, 0], frame["size"])
    assert tw.read_table("sklearn:wine").frame.shape == (178, 13)


BAD = [
    ("a,b\n1,2\n3,4,5\n", "b", "row 2 has 3 entries, but the header names 2"),
    ("a,b\n1,2\n3\n", "b", "row 2 has 1 entries, but the header names 2"),
    ("1,2\n3,4\n5,6\n", "2", "the first line holds numbers alone .*no header"),
    ("a,b\n", "b", "2 columns, but no row"),
    ("", "b", "empty"),
    ("a,b,b\n1,2,2\n3,4,4\n", "b", "two columns are called 'b'"),
    ("a,b\n1,2\n3,2\n", "b", "column 'b' holds 2.0 in every row"),
    ("a,b\n1,2\nx,3\n4,5\n", "b", r"column 'a' holds text \('x'\) in row 2 among numbers"),
    ("a,b\n1,2\ninf,3\n4,5\n", "b", "column 'a' has an infinite entry in row 2"),
    ("a,b\n1,2\n4,inf\n5,1\n", "b", "column 'b' has an infinite entry in row 2"),
    ("a,b\n1,u\n2,v\n3,w\n4,x\n", "b", "names 4 classes in 4 rows"),
    ("a,b\n1,\n2,\n", "b", "holds nothing in every row"),
    ("a,b\n,1\n,2\n", "b", "no column beside 'b' can be used"),
    ("a,b\n1,2\n2,3\n", "c", "unknown column 'c'"),
]


@pytest.mark.parametrize(("text", "target", "sentence"), BAD)
def test_bad_tables_are_one_sentence_and_exit_code_2(text, target, sentence, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        tw.read_table(tmp_path / "t.csv", target)
    shown = CliRunner().invoke(cli, ["advise", str(tmp_path / "t.csv"), "--target", target])
    assert shown.exit_code == 2
    assert shown.output.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"groups": "kind2"}, "unknown column 'kind2'"),
        ({"groups": "one"}, "makes 1 group of 60 rows"),
        ({"groups": "note"}, "makes 60 groups of 60 rows"),
        ({"weights": "minus"}, "weights, holds -1 in row 4"),
        ({"order": "note"}, "order, holds 'field 0' in row 1"),
        ({"drop": ["yield"]}, "column 'yield' is target and drop"),
        ({"groups": "size", "order": "size"}, "column 'size' is groups and order"),
        ({"order": "wet"}, "order, has a missing entry in row"),
    ],
)
def test_roles_are_checked(more, sentence):
    frame = field().assign(minus=np.where(np.arange(ROWS) == 3, -1.0, 1.0))
    with pytest.raises(ValueError, match=sentence):
        tw.read_table(frame, "yield", **more)


def test_files_that_cannot_be_read(tmp_path):
    for name, sentence in (("none.csv", "no such file"), ("t.sav", "give a .csv")):
        with pytest.raises(ValueError, match=sentence):
            tw.read_table(tmp_path / name, "b")
    with pytest.raises(ValueError, match="folder"):
        tw.read_table(tmp_path, "b")
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"thalweg\[tables\]|no readable .parquet"):
        tw.read_table(tmp_path / "t.parquet", "b")
    with pytest.raises(ValueError, match="it was given int"):
        tw.read_table(3, "b")


def test_text_and_gaps_reach_the_advice():
    table = tw.read_table(field(), "yield", drop=["note"])
    told = tw.advise(table, samples=40)
    assert told.subject == "DatasetRegression"
    assert told.about[0].startswith("DataFrame: 60 rows, 6 columns to predict 'yield' from; 40 rows are training")
    assert told["test_loss"].value < 0.5 * np.var(field()["yield"])
