"""A file is a closed box: what points elsewhere, claims more than it holds, or is damaged is refused in a sentence."""

import contextlib
import datetime

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import thalweg as tw
from thalweg.results import intake
from thalweg.results.inputs import inputs as kept_arrays
from thalweg.results.inputs import kept

SMALL = tw.LinearClassifier(dimension=6, samples=9)
TIMES = np.array([0.0, 0.5, 2.0])
SEAL = 15 + 64


@pytest.fixture(scope="module")
def seen():
    return tw.train(SMALL, TIMES, seeds=3)


@pytest.fixture(scope="module")
def compared():
    return tw.compare(SMALL, TIMES, theory=tw.Eigenmodes(), seeds=3)


@pytest.fixture
def file(seen, tmp_path):
    """A saved result, open for a change."""
    path = tw.save(seen, tmp_path / "run.nc")
    whole = path.read_bytes()[:-SEAL]

    def change(by):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as opened:
            by(opened)
        return path

    return change


def test_data_of_another_file_never_arrive(file, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(9.0).tobytes())

    def external(opened):
        opened.create_dataset("secret", (9,), "f8", external=[(str(secret), 0, 72)])

    with pytest.raises(ValueError, match=r"/secret is kept in another file \(external storage\)"):
        tw.load(file(external))


def test_no_way_out_is_followed(file, seen, tmp_path):
    other = tw.save(seen, tmp_path / "other.nc")

    def virtual(opened):
        layout = h5py.VirtualLayout((3, 3), "f8")
        layout[:] = h5py.VirtualSource(str(other), "test_loss", (3, 3))
        opened.create_virtual_dataset("out", layout)

    def external(opened):
        opened["out"] = h5py.ExternalLink(str(other), "/test_loss")

    def soft(opened):
        opened["out"] = h5py.SoftLink("/test_loss")

    def cycle(opened):
        opened["out"] = opened["/"]

    def twice(opened):
        opened["out"] = opened["test_loss"]

    def reference(opened):
        opened["out"] = np.array([opened["test_loss"].ref], h5py.ref_dtype)

    def region(opened):
        opened["out"] = np.array([opened["test_loss"].regionref[0]], h5py.regionref_dtype)

    def attribute(opened):
        opened.attrs["out"] = opened["test_loss"].ref

    def packed(opened):
        opened.create_dataset("out", data=np.zeros(64), chunks=(64,), compression="lzf")

    def opaque(opened):
        opened["out"] = np.zeros(3, "V4")

    def ragged(opened):
        opened.create_dataset("out", (2,), h5py.vlen_dtype(np.float64))

    told = {
        virtual: "/out is made of other data sets",
        external: "/out is a link to another place",
        soft: "/out is a link to another place",
        cycle: "/out is a second name",
        twice: "is a second name",
        reference: "/out holds references",
        region: "/out holds references",
        attribute: "attribute 'out' of / is a reference",
        packed: "/out is packed by filter 32000",
        opaque: "/out holds references, or something other",
        ragged: "/out holds references, or something other",
    }
    for by, words in told.items():
        path = file(by)
        with pytest.raises(ValueError, match=words) as caught:
            tw.load(path)
        assert str(caught.value).count("\n") == 0


def test_dims_that_point_out_of_sight(file):
    """A data set that stands under no name, reached by a reference alone."""

    def hidden(opened):
        other = opened.create_dataset(None, (3,), "f8", data=np.zeros(3))
        opened["test_loss"].attrs["DIMENSION_LIST"][0][0] = other.ref
        rows = np.empty(2, object)
        rows[:] = [np.array([other.ref], h5py.ref_dtype), np.array([opened["time"].ref], h5py.ref_dtype)]
        del opened["test_loss"].attrs["DIMENSION_LIST"]
        opened["test_loss"].attrs.create("DIMENSION_LIST", rows, dtype=h5py.vlen_dtype(h5py.ref_dtype))

    with pytest.raises(ValueError, match=r"corrupt|dims of /test_loss lie outside"):
        tw.load(file(hidden))


def test_sizes_without_bytes(file):
    def unwritten(opened):
        opened.create_dataset("big", (10**6, 10**6), "f8", chunks=(1000, 1000))

    def compressed(opened):
        opened.create_dataset("big", (10**6, 10**6), "f8", chunks=(1000, 1000), compression="gzip")[0, 0] = 1.0

    def contiguous(opened):
        opened.create_dataset("big", (10**6, 10**6), "f8")

    def dim_alone(opened):
        opened.create_dataset("big", (10**12,), ">f4").make_scale("This is a netCDF dimension, but it is not")

    def texts(opened):
        opened.create_dataset("big", (10**9,), h5py.string_dtype(), chunks=(10**6,))

    def shared_text(opened):
        opened.create_dataset("big", data=np.array(["x" * 100_000] + [""] * 2000, object), dtype=h5py.string_dtype())

    for by in (unwritten, compressed, contiguous, dim_alone, texts, shared_text):
        path = file(by)
        with pytest.raises(ValueError, match=r"/big claims \d+ (bytes|texts)"):
            tw.load(path)


def test_a_box_of_very_many_boxes(file):
    def deep(opened):
        opened.create_group("/".join(["g"] * 12))

    def wide(opened):
        for i in range(501):
            opened.create_group(f"g{i}")

    with pytest.raises(ValueError, match="lies more than 8 groups deep"):
        tw.load(file(deep))
    with pytest.raises(ValueError, match="more than 500 groups"):
        tw.load(file(wide))


def test_what_compresses_well_is_read(file, seen):
    """Zeros take a thousandth of their room under gzip, and that is honest."""
    zeros = np.zeros((64, 4096))

    def add(opened):
        made = opened.create_dataset("zeros", data=zeros, compression="gzip", shuffle=True, fletcher32=True)
        for i, name in enumerate(("row", "column")):
            opened.create_dataset(name, data=np.arange(zeros.shape[i])).make_scale(name)
            made.dims[i].attach_scale(opened[name])

    found = tw.load(file(add))
    np.testing.assert_array_equal(found["zeros"], zeros)
    xr.testing.assert_identical(found[list(seen.data_vars)].drop_vars(["row", "column"], errors="ignore"), seen)


def test_memory(file, monkeypatch):
    monkeypatch.setattr(intake, "_memory", lambda: 100)
    with pytest.raises(ValueError, match="more than this machine's memory"):
        tw.load(file(lambda opened: None))


OWN = {
    "flag": True,
    "nothing": None,
    "day": datetime.date(2026, 1, 2),
    "moment": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
    "table": {"a": [1, 2.5, None, ("x", False)], "class": {"date": "no date"}},
    "pair": (1, 2),
    "one": [3],
    "empty": "",
    "lines": "two\nlines",
    "units": "days since 2000-01-01",
    "spaced name": "x",
    "_FillValue": 3.0,
    "coordinates": "nonsense",
    "large": 2**70,
    "turned": 1 + 2j,
    "numbers": np.arange(3.0),
    "when": np.datetime64("2026-01-02", "ns"),
    "attributes_json": "mine",
    "half": float("nan"),
}


def same(one, other):
    if isinstance(other, float):
        return isinstance(one, float) and np.array_equal(one, other, equal_nan=True)
    return type(one) is type(other) and np.array_equal(one, other)


def test_own_attributes_come_back(seen, compared, tmp_path):
    mine = seen.copy()
    mine.attrs = {**seen.attrs, **OWN}
    mine["test_loss"].attrs = {**mine["test_loss"].attrs, **OWN}
    mine["time"].attrs = {**mine["time"].attrs, **OWN}
    found = tw.load(tw.save(mine, tmp_path / "run.nc"))
    for attrs in (found.attrs, found["test_loss"].attrs, found["time"].attrs):
        assert {name: same(attrs[name], value) for name, value in OWN.items()} == dict.fromkeys(OWN, True)
    assert mine.attrs["flag"] is True
    assert set(found.attrs) == set(mine.attrs)
    tree = compared.copy()
    tree["gap"].attrs["mine"] = {"deep": None}
    assert tw.load(tw.save(tree, tmp_path / "tree.nc"))["gap"].attrs["mine"] == {"deep": None}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("mine", object(), "attribute 'mine' of this result is a object, which no file keeps"),
        ("mine", {1: 2}, "attribute 'mine' of this result is a dict"),
        ("mine", [lambda: 0], "attribute 'mine' of this result is a function"),
        (3, "x", "attribute 3 of this result cannot be saved; its name must be text"),
    ],
)
def test_an_attribute_that_no_file_keeps_is_named(seen, tmp_path, name, value, told):
    with pytest.raises(ValueError, match=told):
        tw.save(seen.assign_attrs({name: value}), tmp_path / "run.nc")
    deep = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="'mine' of this result is nested too deeply"):
        tw.save(seen.assign_attrs(mine=deep), tmp_path / "run.nc")
    assert not list(tmp_path.iterdir())


def test_own_variables_come_back_or_are_named(seen, tmp_path):
    own = {
        "turned": ("time", np.array([1j, 2, 3])),
        "flags": ("time", np.array([True, False, True])),
        "days": ("time", np.array(["2026-01-01", "2026-01-02", "NaT"], "M8[ns]")),
        "spans": ("time", np.array([1, 2, 3], "m8[s]").astype("m8[ns]")),
        "texts": ("time", ["", "ä", "c"]),
        "short": ("time", np.array([1, 2, 3], np.float16)),
        "whole": ("time", np.array([1, 2, 2**64 - 1], np.uint64)),
        "none": (("empty", "time"), np.zeros((0, 3))),
    }
    mine = seen.assign(own).assign_coords(label=("time", ["a", "b", "c"]), note=3.5)
    found = tw.load(tw.save(mine, tmp_path / "run.nc"))
    xr.testing.assert_identical(found, mine)
    two = xr.Dataset(coords=xr.Coordinates.from_pandas_multiindex(pd.MultiIndex.from_product([[0], [1, 2]]), "both"))
    bad = {
        "mixed": (seen.assign(mixed=("time", np.array([1, "a", None], object))), "neither numbers nor texts"),
        "a/b": (seen.assign({"a/b": ("time", TIMES)}), "no slash"),
        "zero": (seen.assign(zero=("time", ["a\0b", "", ""])), "zero byte"),
        "half": (seen.assign(half=("time", ["\ud800", "", ""])), "half a letter"),
        "7": (seen.assign({7: ("time", TIMES)}), "name must be text"),
        "both": (seen.merge(two), "several levels"),
        "raw": (seen.assign(raw=("time", np.zeros(3, "V4"))), "unknown to netCDF"),
    }
    for name, (result, told) in bad.items():
        with pytest.raises(ValueError, match=told) as caught:
            tw.save(result, tmp_path / "bad.nc")
        assert name in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["run.nc"]


def test_damage_is_always_noticed(seen, tmp_path):
    """30 places flipped, 30 cuts: a sentence, or (in the checksum's own name) the whole result."""
    path = tw.save(seen, tmp_path / "run.nc")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    broken = []
    for at in rng.integers(0, len(whole), 30):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(rng.integers(8))
        broken += [bytes(flipped), whole[:at]]
    for content in broken:
        path.write_bytes(content)
        with contextlib.suppress(ValueError):
            xr.testing.assert_identical(tw.load(path), seen)


def test_texts_damaged_without_a_checksum(file):
    """What HDF5 does not notice by itself: a letter that is none."""
    path = file(lambda opened: None)
    whole = path.read_bytes()
    for word in (b"LinearClassifier", b"verb", b"test_loss", b"training loss"):
        at = whole.find(word)
        assert at > 0
        path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        with pytest.raises(ValueError, match=r"no text|is missing|corrupt|'verb' of this result is None") as caught:
            tw.load(path)
        assert str(caught.value).count("\n") == 0


def test_a_file_without_a_checksum_is_read(file, seen):
    xr.testing.assert_identical(tw.load(file(lambda opened: None)), seen)


def test_the_first_format_is_read(compared, tmp_path):
    """As it was written: without checksum, the problem's own arrays without a name before theirs."""
    inputs = np.sin(np.arange(36.0)).reshape(12, 3)
    problem = tw.DatasetRegression(inputs=inputs, targets=inputs[:, 0] + 0.1, samples=8)
    new = kept_arrays(problem, TIMES, {"x": (inputs,)}, None)
    old = new.rename({"problem.inputs": "inputs", "problem.targets": "targets"})
    assert set(new.data_vars) == {"problem.inputs", "problem.targets", "times", "data.x.0"}
    parts = {node.path: node.to_dataset(inherit=False) for node in compared.subtree}
    tree = xr.DataTree.from_dict({**parts, "/inputs": old})
    for node in tree.subtree:
        if "format" in node.attrs:
            node.attrs["format"] = "thalweg-result-1"
    path = tmp_path / "old.nc"
    tree.to_netcdf(path, engine="h5netcdf")
    xr.testing.assert_identical(tw.load(path), xr.DataTree.from_dict({**parts, "/inputs": new}))
    np.testing.assert_array_equal(kept(tw.load(path)["inputs"].to_dataset()).data["x"][0], inputs)


def test_a_later_format_is_refused(file):
    path = file(lambda opened: opened.attrs.__setitem__("format", "thalweg-result-9"))
    with pytest.raises(ValueError, match=r"thalweg-result-9.*a later thalweg wrote it"):
        tw.load(path)


def test_damaged_own_attributes(file):
    for text in ("{", "[" * 100_000, '{"a": {"nonsense": 1}}', '{"a": {"array": ["f8", [9], [1]]}}', "[1]", "3"):
        path = file(lambda opened, text=text: opened.attrs.__setitem__("attributes_json", text))
        with pytest.raises(ValueError, match="'attributes_json' of this result is not what save wrote"):
            tw.load(path)
