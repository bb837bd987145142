"""The command line on long tables, on masks in tables, and on arrays from the standard input."""

import csv
import io
import shlex
import sys

import numpy as np
import pytest
from file_cases import call, one_sentence

import thalweg as tw

MODEL = ("--model", "a*exp(-x/t) + c", "--p0", "a=1,t=1,c=0")
FORMULA, P0 = "a*exp(-x/t) + c", {"a": 1, "t": 1, "c": 0}
rng = np.random.default_rng(5)
SAMPLES = {"blank 2": 7, "b": 12, "10": 9}


def points(equal=False):
    """Rows of a long table: sample, x, y, sigma, and 1 where a point is bad."""
    found = []
    for k, (name, n) in enumerate(SAMPLES.items()):
        x = np.sort(rng.uniform(0, 4, 9 if equal else n)).round(4)
        y = ((k + 1) * np.exp(-x) + k + rng.normal(0, 0.01, x.size)).round(5)
        bad = [0] * (x.size - 1) + [1]
        found += [(name, *row) for row in zip(x, y, 0.01 + x / 100, bad, strict=True)]
    return found


def written(path, rows, head="sample;x;y;err;bad"):
    text = "\n".join([head, *(";".join(map(str, row)) for row in rows), ""])
    path.write_text(text, encoding="utf-8")


def by_hand(rows, **names):
    """The fits of each sample by itself."""
    results = []
    for name in dict.fromkeys(row[0] for row in rows):
        own = np.array([row[1:] for row in rows if row[0] == name], float)
        options = {"sigma": own[:, 2]} if names.get("sigma") else {}
        options |= {"mask": own[:, 3] == 1} if names.get("mask") else {}
        results.append(tw.fit(FORMULA, own[:, 0], own[:, 1], P0, independent="x", **options))
    return results


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("mask", [True, False])
def test_every_group_is_fitted_as_it_is_alone(equal, mask, tmp_path, capsys):
    rows = points(equal)
    mixed = [rows[i] for i in rng.permutation(len(rows))]
    written(tmp_path / "d.csv", mixed)
    options = ["--mask", "bad"] if mask else ["--y", "y"]
    status, printed, said = call(
        capsys, "fit", tmp_path / "d.csv", *MODEL, "--group", "sample", "--sigma", "err",
        *options, "--out", tmp_path / "o.npz",
    )  # fmt: skip
    assert status == 0 and "3 data sets by sample" in said
    assert ("mask is bad, true in 3 rows" in said) == mask
    result = tw.load(tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as saved:
        assert list(saved["data"]) == list(dict.fromkeys(row[0] for row in mixed))
    for k, alone in enumerate(by_hand(mixed, sigma=True, mask=mask)):
        np.testing.assert_array_equal(result.params[k], alone.params)
        np.testing.assert_array_equal(result.stderr[k], alone.stderr)
    assert all(name in printed for name in SAMPLES)


def test_a_group_has_several_columns_and_rows_without_one_are_left_out(tmp_path, capsys):
    rows = [(1.0, "u", *row[1:]) if row[0] == "b" else (2.5, "u", *row[1:]) for row in points()]
    written(tmp_path / "d.csv", [*rows, ("", "u", 1, 99, 1, 0), (1, "NA", 1, 99, 1, 0)],
            "n;sample;x;y;err;bad")  # fmt: skip
    command = ("--group", "n,sample", "--y", "y", "--sigma", "none", "--out", tmp_path / "o.csv")
    status, _, said = call(capsys, "fit", tmp_path / "d.csv", *MODEL, *command)
    assert status in (0, 1) and "2 of 30 rows have no n, sample and are left out" in said
    assert [line.split(",")[:2] for line in (tmp_path / "o.csv").read_text().splitlines()[1:]] == [
        ['"2.5', ' u"'],
        ['"1', ' u"'],
    ]


def test_groups_whose_titles_are_alike_stay_apart(tmp_path, capsys):
    keys = [("a, b", "c"), ("a", "b, c")]
    rows = [(*key, x, k + 1 + x) for k, key in enumerate(keys) for x in range(4)]
    written(tmp_path / "d.csv", rows, "first;second;x;y")
    command = ("--group", "first,second", "--out", tmp_path / "o.csv")
    call(capsys, "fit", tmp_path / "d.csv", "--model", "line", *command)
    with (tmp_path / "o.csv").open(newline="") as file:
        fits = list(csv.DictReader(file))
    assert [float(fit["intercept"]) for fit in fits] == pytest.approx([1, 2])
    assert {fit["data"] for fit in fits} == {"a, b, c"}


def test_data_sets_of_one_length_are_fitted_together(tmp_path, capsys):
    rows = [(k, x, (k + 1) * np.exp(-x / 2)) for k in range(3) for x in np.linspace(0, 4, 8)]
    written(tmp_path / "d.csv", rows, "k;x;y")
    out = ("--group", "k", "--shared", "t", "--out", tmp_path / "o.npz", "--plot")
    assert call(capsys, "fit", tmp_path / "d.csv", *MODEL, *out, tmp_path / "o.svg")[0] == 0
    np.testing.assert_allclose(tw.load(tmp_path / "o.npz")["t"], 2)


FLAGS = {
    "numbers": (["0", "1", "0", "", "1", "0"], [1, 3, 4]),
    "words": (["ok", "bad", "ok", "NA", "Bad", "OK"], [1, 3, 4]),
    "truth": (["False", "True", "False", "False", "True", "False"], [1, 4]),
    "marks": (["", "x", "", "", "X", ""], [1, 4]),
    "ones": (["", "1", "", "", "1", ""], [1, 4]),
    "none": (["", "", "", "", "", ""], []),
}


@pytest.mark.parametrize("name", FLAGS)
def test_a_mask_in_a_table(name, tmp_path, capsys):
    flags, left_out = FLAGS[name]
    y = np.arange(6) * 2.0 + 1
    y[left_out] = 50
    written(tmp_path / "d.csv", zip(range(6), y, flags, strict=True), "x;y;flag")
    status, printed, said = call(
        capsys, "fit", tmp_path / "d.csv", "--model", "line", "--mask", "flag"
    )
    assert status == 0 and f"flag, true in {len(left_out)} row" in said
    assert "slope = 2 " in printed and "intercept = 1 " in printed


def test_masks_of_several_columns(tmp_path, capsys):
    rows = [(i, 2 * i, 9 if i == 2 else 3 * i, 0, int(i == 2)) for i in range(6)]
    written(tmp_path / "d.csv", rows, "x;y;z;my;mz")
    call(capsys, "fit", tmp_path / "d.csv", "--model", "line", "--mask", "my,mz", "--out",
         tmp_path / "o.npz")  # fmt: skip
    result = tw.load(tmp_path / "o.npz")
    assert result.n_used.tolist() == [6, 5]
    np.testing.assert_allclose(result["slope"], [2, 3])


WRONG = {
    "--group nothing": "has no column 'nothing'",
    "--group sample": "a table with --group has one column of y, and y, bad are left: say which by",
    "--x x --group void --y y": "no row has a value of void",
    "--x x --mask x,err,bad --y y": "--mask must name one column or one for each of the 1",
    "--x err --mask x --y y": "is neither true nor false, as a mask is; say 0 or 1",
    "--x x --mask sample --y y": "'blank 2' is neither true nor false",
    "--group sample --shared t --y y": "shared needs data sets of one length",
    "--axis 0": "--axis is for arrays, and",
}


@pytest.mark.parametrize("options", WRONG)
def test_what_does_not_go_is_one_sentence(options, tmp_path, capsys):
    written(tmp_path / "d.csv", [(*row, "") for row in points()], "sample;x;y;err;bad;void")
    status, _, said = call(capsys, "fit", tmp_path / "d.csv", *MODEL, *shlex.split(options))
    one_sentence(status, said)
    assert WRONG[options] in said


# ---- the standard input --------------------------------------------------------------------------


def piped(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def saved(save, *arrays, **named):
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["csv", "npy", "npz"])
def test_the_standard_input(kind, monkeypatch, capsys):
    x = np.arange(6.0)
    y, options = 2 * x + 1, []
    if kind == "csv":
        content = b"x,y\n" + b"".join(b"%g,%g\n" % pair for pair in zip(x, y, strict=True))
    elif kind == "npy":
        content, options = saved(np.save, y), ["--x", "0,1,2,3,4,5"]
    else:
        content = saved(np.savez, x=x, y=y)
    piped(monkeypatch, content)
    status, printed, said = call(capsys, "fit", "-", "--model", "line", *options)
    assert status == 0 and "slope = 2 " in printed and "standard input: " in said


@pytest.mark.parametrize("kind", ["npy", "npz", "hdf5", "objects", "empty"])
def test_a_standard_input_that_is_broken_or_of_another_kind(kind, monkeypatch, capsys):
    content = {
        "npy": saved(np.save, np.arange(60.0))[:300],
        "npz": saved(np.savez, y=np.arange(60.0))[:300],
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(40),
        "objects": saved(np.save, np.array([None])),
        "empty": b"",
    }[kind]
    piped(monkeypatch, content)
    status, _, said = call(capsys, "fit", "-", "--model", "line", "--x", "1,2")
    one_sentence(status, said)
    assert "standard input" in said


def test_groups_are_refused_for_arrays(monkeypatch, capsys):
    piped(monkeypatch, saved(np.save, np.arange(6.0)))
    status, _, said = call(capsys, "fit", "-", "--model", "line", "--group", "a")
    one_sentence(status, said)
    assert "--group is for tables of columns, and standard input holds arrays" in said
