"""Text files that people have: read by `read_table`, fitted by the command line, or refused."""

import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from file_cases import LINE, call, one_sentence
from table_cases import FAILED, NOT_AVAILABLE, PLAIN, RIGHT, WRONG

import thalweg as tw

# ---- the command line --------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "d.csv"


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_that_people_have_is_fitted_and_told(name, path, capsys):
    case = RIGHT[name]
    path.write_text(case.text, encoding="utf-8", newline="")
    status, printed, said = call(capsys, "fit", path, *LINE, *case.options)
    assert status == 0, said
    assert "slope = 1 " in printed and f"intercept = {case.intercept:.9g}" in printed
    assert "dof = 1" in printed, "all three points, and no other"
    assert case.told in said
    assert all(line.startswith(f"thalweg: {path}: ") for line in said.splitlines())


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_sentence(name, path, capsys):
    content, sentence, *options = WRONG[name]
    path.write_bytes(content)
    status, printed, said = call(capsys, "fit", path, *LINE, *(options[0] if options else ()))
    one_sentence(status, said)
    assert not printed and sentence in said and said.count("\n") == 1
    assert said.startswith(f"thalweg: {path}")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("name", ["plain", "minus U+2212", "units", "preamble", "quoted line ends"])
def test_encodings_are_found_out(name, encoding, path, capsys):
    case = RIGHT[name]
    if encoding in ("utf-16-le", "utf-16-be") and not case.text.isascii():
        pytest.skip("without its mark UTF-16 is known by its zeros")
    path.write_bytes(case.text.encode(encoding))
    status, printed, said = call(capsys, "fit", path, *LINE)
    assert status == 0 and "slope = 1 " in printed, said
    assert ("though its mark is missing" in said) == (encoding in ("utf-16-le", "utf-16-be"))


def test_an_old_encoding_is_told(path, capsys):
    path.write_bytes("t/µs,s\n0,1.5\n1,2.5\n2,3.5\n".encode("latin-1"))
    assert "x is t/µs" in call(capsys, "fit", path, *LINE)[2]
    said = call(capsys, "fit", path, *LINE, "--quiet")[2]
    assert said == f"thalweg: {path}: it is no UTF-8 and read as cp1252, the encoding of Windows\n"
    assert call(capsys, "fit", path, *LINE, "--quiet", "--encoding", "latin-1")[2] == ""
    status, _, said = call(capsys, "fit", path, *LINE, "--encoding", "utf-8")
    assert "cannot be read as utf-8: 'utf-8' codec can't decode byte 0xb5" in said
    one_sentence(status, said)


def test_the_finding_of_the_lost_data_set(path, capsys):
    """A column with decimal commas beside one of whole numbers was left out without a word."""
    path.write_text("t;s1;s2\n0;9,5;20\n1;8,5;19\n2;7,5;18\n")
    _, printed, said = call(capsys, "fit", path, *LINE)
    assert "2 fits, 2 succeeded" in printed
    assert "decimal comma; x is t; y is s1, s2" in said


def test_many_columns_are_told_by_their_number(path, capsys):
    names = [f"s{j}" for j in range(40)]
    lines = [",".join(map(str, [i, *range(i, i + 40)])) for i in range(4)]
    path.write_text("\n".join([",".join(["t", *names]), *lines]))
    assert "x is t; y is 40 columns, s0 to s39" in call(capsys, "fit", path, *LINE)[2]


def test_the_standard_input_is_read():
    def run(content):
        return subprocess.run(
            [sys.executable, "-m", "thalweg", "fit", "-", *LINE],
            input=content, capture_output=True, check=False,
        )  # fmt: skip

    done = run(PLAIN.encode("utf-16"))
    assert done.returncode == 0 and b"slope = 1 " in done.stdout
    assert done.stderr.startswith(b"thalweg: standard input: 3 rows")
    done = run(b"x,y\n0,1\n1,two\n")
    one_sentence(done.returncode, done.stderr.decode())
    assert b"standard input, line 3, column y: 'two' is not a number" in done.stderr


def interrupted(process):
    """What a process says when it is interrupted while it waits.

    A signal that comes just before Python begins to wait is not noticed, hence the second.
    """
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=3)[1]
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it does not end")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_ctrl_c_while_a_file_is_read(tmp_path):
    """The writer of a pipe never ends, so that the reader waits."""
    os.mkfifo(tmp_path / "pipe.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "thalweg", "fit", "pipe.csv", *LINE, "--out", "out.csv"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with open(tmp_path / "pipe.csv", "wb") as pipe:  # waits until the reader has opened it
        pipe.write(b"0,1\n")
        pipe.flush()
        said = interrupted(process)
    assert process.returncode == 130
    assert said == "thalweg: interrupted before the first fit; out.csv was not written\n"
    assert [p.name for p in tmp_path.iterdir()] == ["pipe.csv"]


# ---- columns of errors ---------------------------------------------------------------------------


def written(header, *columns):
    rows = zip(*columns, strict=True)
    return "\n".join([header, *(",".join(map(str, row)) for row in rows), ""])


T, A, B = (0, 1, 2, 3), (1.0, 2.1, 2.9, 4.2), (5.0, 4.1, 2.8, 2.2)
E, F = (0.1, 0.2, 0.1, 0.4), (0.3, 0.1, 0.2, 0.2)


@pytest.mark.parametrize(
    ("header", "columns", "y", "sigma"),
    [
        ("t,a,a_err,b,b_err", (T, A, E, B, F), "a, b", "a_err, b_err"),
        ("t,a,b,σ(b),u(a)", (T, A, B, F, E), "a, b", "u(a), σ(b)"),
        ("t,a,err,b,err 2", (T, A, E, B, F), "a, b", "err, err 2"),
        ("t,a,b,da,db", (T, A, B, E, F), "a, b", "da, db"),
        ("t,a,Standard Error,b,Std", (T, A, E, B, F), "a, b", "Standard Error, Std"),
        ("t,error,a", (T, E, A), "a", "error"),
        ("t,a,a_err,b", (T, A, E, B), "a, b", None),
        ("t,a,err low,err high", (T, A, E, F), "a", None),
        ("t,sd 7,std A", (T, A, B), "sd 7, std A", None),
        ("t,a,aerr,terr", (T, A, E, F), "a", "aerr"),
        ("t,error", (T, A), "error", None),
        ("t,error,sigma", (T, A, B), "error, sigma", None),
        ("t,terra,mirror", (T, A, B), "terra, mirror", None),
        ("t,a,Fehler", (T, A, E), "a", "Fehler"),
        (
            "t,a,a Unsicherheit,b,Messunsicherheit b",
            (T, A, E, B, F),
            "a, b",
            "a Unsicherheit, Messunsicherheit b",
        ),
        ("t,a,b,erreur a,incertitude de b", (T, A, B, E, F), "a, b", "erreur a, incertitude de b"),
        (
            "t,a,écart-type,b,Standardabweichung",
            (T, A, E, B, F),
            "a, b",
            "écart-type, Standardabweichung",
        ),
        ("t,a,b,σa,δb", (T, A, B, E, F), "a, b", "σa, δb"),
        ("t,a,SE", (T, A, E), "a", "SE"),
        ("t,a1,err1,a2,err2", (T, A, E, B, F), "a1, a2", "err1, err2"),
        ("t,Se,type", (T, A, B), "Se, type", None),
    ],
)
def test_columns_of_errors_are_no_data(header, columns, y, sigma, path, capsys):
    path.write_text(written(header, *columns))
    status, _, said = call(capsys, "fit", path, *LINE)
    assert status == 0
    told = said.splitlines()[0].partition("; y is ")[2]
    assert told == (y if sigma is None else f"{y}; sigma is {sigma}")
    for name in header.split(",")[1:]:
        assert name in said, "a column may be left out, but not without a word"


def test_errors_are_taken_as_sigma_and_no_word_of_it_is_needed(path, capsys):
    path.write_text(written("t,a,a_err,b,b_err", T, A, E, B, F))
    fitted = call(capsys, "fit", path, *LINE)[1]
    assert call(capsys, "fit", path, *LINE, "--sigma", "a_err,b_err")[1] == fitted
    assert call(capsys, "fit", path, *LINE, "--sigma", "none")[1] != fitted
    alone = call(capsys, "fit", path, *LINE, "--y", "b")
    assert "sigma is b_err" in alone[2] and "a_err" not in alone[2]
    asked = call(capsys, "fit", path, *LINE, "--y", "a,a_err")
    assert asked[0] == 0 and "y is a, a_err" in asked[2].splitlines()[0]


@pytest.mark.parametrize("mark", [*NOT_AVAILABLE, *FAILED])
@pytest.mark.parametrize("sign", [",", ";", "\t", " "])
def test_what_spreadsheets_write_for_no_value_is_missing(mark, sign):
    """Also where a row begins with it, which is then no comment."""
    rows = ["t,s", "0,1.5", f"1,{mark}", f"{mark},7", "2,3.5", "3,4.5"]
    table = tw.read_table(io.StringIO("\n".join(row.replace(",", sign) for row in rows)))
    np.testing.assert_array_equal(table["t"], [0, 1, np.nan, 2, 3])
    np.testing.assert_array_equal(table["s"], [1.5, np.nan, 7, 3.5, 4.5])
    told = [f"line {line}, column {name}" for line, name in ((4, "t"), (3, "s"))]
    words = f": {mark!r} is an error of a spreadsheet and read as a missing value"
    assert table.notes == tuple(place + words for place in told if mark in FAILED)


def test_a_comment_that_begins_like_such_a_mark_is_one():
    text = "#Warning! lamp off\n#ND filter 2\n#NA lens, f 5\nt,s\n0,1.5\n1,2.5\n"
    assert tw.read_table(io.StringIO(text))["s"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("4 2\n400 1\n401 1\n402 3\n403 1\n", 4),
        ("4 2\n3 1\n2 1\n1 3\n0 1\n", 5),
        ("5 2\n10 3\n20 4\n30 4\n40 9\n50 7\n", 6),
        ("3 2\n1 5\n0 4\n2 2\n", 4),
    ],
)
def test_a_size_is_left_out_where_it_can_be_no_point(text, rows):
    table = tw.read_table(io.StringIO(text))
    assert len(table[0]) == rows
    assert ("is left out" in table.notes[0]) == (rows == text.count("\n") - 1)


# ---- data in rows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ("t,0,1,2,3,4,\ns,1,2,3,4,5,\n", "t, s"),
        ("t,5,3,2,1,0.5,0.1\ns,1,2,3,#NV,5,6\n", "t, s"),
        ("Run 7,,,,,,\n\nt;s,0,1,2,3,4\n".replace(";", "") + "s,1,2,3,4,5\n", "ts, s"),
        (",0,1,2,3,4\nA1,1,2,3,4,5\nA2,1,2,3,4,5\n", "1, A1, A2"),
        ("t;s;0;1;2;3;4,5;9\nu;mV;1;2;3;4;5;6\n", "t, u"),
    ],
)
def test_data_in_rows_are_read_across_if_nothing_else_is_meant(rows, names):
    table = tw.read_table(io.StringIO(rows))
    assert ", ".join(table.names) == names
    assert (
        "its data stand in rows and are read so; transpose=False reads it by columns"
        in (table.notes[:2])
    )
    down = tw.read_table(io.StringIO(rows), transpose=False)
    assert "column 1 holds texts and is left out" in down.notes or "Run" in rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "A,0,1,2,3\nB,1,2,3,4\n",
            "if each row holds the data of the name before it say transpose",
        ),
        ("A,0,1,2,4,5\nB,1,2,3,4,5\n", "if each row holds the data of the name before it say"),
        ("A,0,1,2,3,4,5\nA,1,2,3,4,5,6\n", "if each row holds the data of the name before it say"),
        ("1 2 3 4 5 6 7 8 9 10\n0 1 0 1 0 1 0 1 0 1\n", "it has 10 columns of 2 rows; if the data"),
        ("t,0,1,2,3,4,5\nA,1,2,3,4,5,6\nA,2,2,3,4,5,6\n", "if each row holds the data of the name"),
        ("A,5.1,3.5,1.4,0.2,7,9\nB,1,2,3,4,5,6\n", None),
        ("name,a,b,c,d,e,f\nA,1,2,3,4,5,6\nB,2,3,4,5,6,7\n", None),
        ("A,0,1.5\nB,1,2.5\n", None),
    ],
)
def test_what_may_stand_in_rows_or_columns_is_read_by_columns_with_a_note(rows, words):
    table = tw.read_table(io.StringIO(rows))
    assert len(table.columns[0]) == rows.count("\n") - ("name" in rows)
    assert any("transpose" in note for note in table.notes) == (words is not None)
    assert words is None or any(note.startswith(words) for note in table.notes)


def test_a_place_in_rows_is_named():
    with pytest.raises(ValueError, match="row s, cell 4: 'OVER' is not a number"):
        tw.read_table(io.StringIO("t,0,1,2\ns,1,2,OVER\n"), transpose=True)
    with pytest.raises(ValueError, match="line 2: 3 cells, but line 1 has 4"):
        tw.read_table(io.StringIO("t,0,1,2\ns,1,2\n"), transpose=True)
    with pytest.raises(ValueError, match="transpose must be True or False, got 'yes'"):
        tw.read_table(io.StringIO(PLAIN), transpose="yes")


def test_curves_of_other_widths_are_read_if_they_are_asked_for():
    text = "#TimeHarp 200\n#display curve no.\n0 4 7\n#ns/channel\n1 .5 1\n#counts\n1 2 3\n4 5 6\n"
    table = tw.read_table(io.StringIO(text))
    assert table.names == ("time", "curve 0", "curve 7") and table.units == {"time": "ns"}
    assert list(table.skipped) == ["time 4", "curve 4"]
    table = tw.read_table(io.StringIO(text), columns=["time 4", "curve 4"])
    assert [column.tolist() for column in table.columns] == [[0, 0.5], [2, 5]]


# ---- read_table ----------------------------------------------------------------------------------


def test_a_table_tells_how_it_was_read():
    text = "; by hand\nday;load;note;load_err\n;kN;;kN\n1.1.2020;1.234,5;a;0,5\n3.1.2020;;b;0,5\n"
    table = tw.read_table(io.BytesIO(text.encode()), missing="x")
    assert table.names == tuple(table) == table.keys() == ("day", "load", "load_err")
    assert len(table) == 3 and table.columns[0].dtype == np.float64
    assert table["day"].tolist() == [0, 2 * 86400]
    assert table["load"][0] == 1234.5 and np.isnan(table[1][1])
    assert (table.separator, table.decimal, table.thousands) == (";", ",", ".")
    assert table.units == {"day": "s", "load": "kN", "load_err": "kN"}
    assert table.skipped == {"note": "holds texts and is left out"}
    assert table.encoding == "utf-8"
    assert table.notes == (
        "line 1 above the table is left out",
        "line 3 is taken for the units",
        "day is read as seconds from its first, 1.1.2020",
        "column note holds texts and is left out",
    )
    assert "semicolons, decimal comma, points between thousands" in repr(table)
    assert dict(table)["load_err"].tolist() == [0.5, 0.5]


def test_columns_are_read_when_they_are_asked_for(path):
    path.write_text("t,s,junk,s\n0,1,5,7\n1,2,OVER,8\n")
    with pytest.raises(ValueError, match="line 3, column junk: 'OVER' is not a number"):
        tw.read_table(path)
    table = tw.read_table(str(path), columns=["t", 4])
    assert table.names == ("t", "s") and table["s"].tolist() == [7, 8]
    with pytest.raises(ValueError, match="has several columns 's'; use their numbers"):
        tw.read_table(path, columns=["s"])
    with pytest.raises(ValueError, match=r"has no column 'jnk', but .* did you mean 'junk'"):
        tw.read_table(path, columns=["jnk"])
    assert tw.read_table(path, columns=[2, 4])[0].tolist() == [1, 2]


def test_a_missing_column_is_a_key_error():
    table = tw.read_table(io.StringIO("t,s,s,note\n0,1,2,a\n1,2,3,b\n"))
    with pytest.raises(KeyError, match="several columns are called 's'"):
        table["s"]
    with pytest.raises(KeyError, match="column 'note' was not read: holds texts"):
        table["note"]
    with pytest.raises(KeyError, match="there is no column 'x', but t, s, s"):
        table["x"]
    with pytest.raises(IndexError):
        table[3]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"decimal": ";"}, "decimal must be one of '.', ',', got ';'"),
        ({"thousands": "_"}, "thousands must be one of"),
        ({"separator": ", "}, "separator must be one character, got ', '"),
        ({"dates": "ymd"}, "dates must be one of 'dmy', 'mdy', 'hm', 'ms'"),
        ({"decimal": ",", "thousands": ","}, "decimal and thousands are both ','"),
        ({"skip_rows": -1}, "skip_rows must be a whole number from 0, got -1"),
        ({"comment": ""}, "comment must not be empty"),
        ({"encoding": "klingon"}, "cannot be read as klingon"),
        ({"skip_rows": 4}, "holds no data"),
        ({"skip_footer": 1.5}, "skip_footer must be a whole number from 0, got 1.5"),
        ({"skip_footer": 9}, "holds no data"),
    ],
)
def test_settings_of_read_table_are_checked(options, sentence):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        tw.read_table(io.BytesIO(PLAIN.encode()), **options)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"give text itself as io.StringIO\(text\)"):
        tw.read_table(PLAIN)
    with pytest.raises(TypeError, match="a path or an open file is wanted, got list"):
        tw.read_table([1, 2])
    with pytest.raises(FileNotFoundError):
        tw.read_table(tmp_path / "none.csv")


def test_a_decimal_comma_that_is_said_holds_for_all_numbers():
    sentence = "line 3, column s: '1.5' is not a number; it has a decimal point, and the numbers of"
    with pytest.raises(ValueError, match=sentence):
        tw.read_table(io.StringIO("t;s\n0;1,5\n1;1.5\n"), decimal=",")


def test_blanks_separate_if_it_is_said():
    assert tw.read_table(io.StringIO("1,5 2\n"), separator=" ")[0].tolist() == [1.5]


def test_numbers_have_all_their_digits():
    rng = np.random.default_rng(4)
    numbers = rng.standard_normal(500) * 10.0 ** rng.integers(-300, 300, 500)
    for sign in ".,":
        text = "\n".join(f"{i};{x!r}".replace(".", sign) for i, x in enumerate(numbers.tolist()))
        table = tw.read_table(io.StringIO(text))
        assert table.decimal == sign and np.array_equal(table[1], numbers)
