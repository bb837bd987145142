"""Long files give the table that the careful reader makes of them, bit for bit, or its refusal."""

import io

import numpy as np
import pytest

import thalweg as tw
from thalweg import reference
from thalweg._core.rows import read_rows
from thalweg._files import extent, long, rows
from thalweg._files.sheet import make_sheet, mark_index
from thalweg._files.text import read_text, without_footer

SEPARATORS = [",", ";", "\t", "|", None]


def bits(values):
    """Doubles as integers; every NaN is the same."""
    return np.where(np.isnan(values), np.nan, values).view(np.uint64)


# ---- the compiled reader -------------------------------------------------------------------------


def written(rng):
    """Numbers as programs write them."""
    x = rng.standard_normal(3000) * 10.0 ** rng.integers(-12, 12, 3000)
    any_bits = rng.integers(0, 2**64, 3000, dtype=np.uint64).view(float)
    odd = 2 * rng.integers(2**52, 2**53, 3000) + 1  # halves lie between two doubles
    yield from (repr(float(v)) for v in any_bits[np.isfinite(any_bits)])
    for form in ("%r", "%.18e", "%.17g", "%.16g", "%.6f", "%g", "%+.3E", "%010.3f", "%.0f."):
        yield from (form % v for v in x.tolist())
    for m, k in zip(odd.tolist(), rng.integers(1, 12, 3000).tolist(), strict=True):
        yield f"{m >> k}.{(m % 2**k) * 5**k:0{k}}"
    yield from (f"{m}e{k}" for m, k in rng.integers(-(10**4), 10**4, (2000, 2)).tolist())
    yield from (f"{m}.{n}e{k}" for m, n, k in rng.integers(0, 40, (2000, 3)).tolist())
    yield from ("0", "-0", "+0.0", ".5", "5.", "-.5e-3", "1e400", "-1e400", "1e-400", "inf")
    yield from ("-Infinity", "NaN", "-nan", "9007199254740993", "4503599627370495.5", "1e22")
    yield from ("9" * 19, "9" * 20, "1" + "0" * 98, "0." + "0" * 90 + "1", "5e-324", "2.5e-324")


@pytest.mark.parametrize("decimal", ".,")
def test_every_number_is_the_nearest_double(decimal):
    cells = [*written(np.random.default_rng(3))]
    text = "\n".join(cells).replace(".", decimal)
    numbers = read_rows(text, 1, 0, ";", decimal)[0]
    np.testing.assert_array_equal(bits(numbers), bits(np.array(cells, float)))


CELLS = (
    *("1", "-2.5", "+3", ".5", "7.", "1e3", "2E-05", "nan", "inf", "", " 4 ", "\t5", "1.25e300"),
    *("1,5", "-,25", "x", "1_000", "0x10", "1e", "1e+", "--1", "+-2", "1.2.3", "1 2", "#", '"1"'),
    *("1d5", "1e5e5", "\u22121", "١", "5%", "1\r", "inf5", "nane", "infinity", "e5", ".", ",", "+"),
    "1" * 99,
    "1" * 100,
    "0" * 120,
    "1e" + "0" * 97 + "1",
    "1e" + "0" * 98 + "1",
)


@pytest.mark.parametrize("seed", range(6))
def test_rows_are_what_the_specification_says(seed):
    rng = np.random.default_rng(seed)
    plain, read = CELLS[:9], 0
    for _ in range(600):
        separator = SEPARATORS[rng.integers(len(SEPARATORS))]
        decimal = str(rng.choice([".", ","])) if separator != "," else "."
        width, behind = int(rng.integers(1, 4)), int(rng.integers(0, 3)) * (separator is not None)
        some = CELLS if rng.random() < 0.4 else plain
        lines = [
            (separator or str(rng.choice([" ", "\t "]))).join(
                [*rng.choice(some, width + (rng.random() < 0.02)), *[""] * behind]
            )
            for _ in range(rng.integers(1, 5))
        ]
        if decimal == ",":
            lines = [line.replace(".", ",") if rng.random() < 0.9 else line for line in lines]
        text = str(rng.choice(["\n", "\r\n"])).join(lines) + str(rng.choice(["", "\n"]))
        arguments = (text, width, behind, separator, decimal)
        expected, got = reference.rows.read_rows(*arguments), read_rows(*arguments)
        assert (expected is None) == (got is None), arguments
        if got is not None:
            read += 1
            np.testing.assert_array_equal(bits(got), bits(expected), err_msg=repr(arguments))
    assert read > 60


def test_a_text_without_rows():
    assert read_rows("", 2, 0, ",", ".").shape == (2, 0)
    assert read_rows("1\n\n2", 1, 0, ",", ".") is None
    with pytest.raises(TypeError):
        read_rows(None, 1, 0, ",", ".")


# ---- files ---------------------------------------------------------------------------------------


@pytest.fixture
def few_lines(monkeypatch):
    """Let files of a few lines be long ones."""
    for module, name, n in (
        (rows, "LOOKED_AT", 3),
        (extent, "LOOKED_AT", 4),
        (long, "ROWS_LOOKED_AT", 4),
        (long, "_FIRST", 9),
        (long, "_LAST", 3),
    ):
        monkeypatch.setattr(module, name, n)


def told(read, *arguments):
    """All that a sheet tells, or the sentence of its refusal."""
    try:
        sheet = read(*arguments)
        columns = []
        for j in range(len(sheet.names)):
            try:
                columns.append((sheet.kind(j), bits(sheet.numbers(j)).tolist()))
            except ValueError as error:
                columns.append((sheet.kind(j), f"{error}"))
    except ValueError as error:
        return f"{error}"
    return (
        sheet.names, sheet.units, list(sheet.lines), sheet.separator, sheet.signs.decimal,
        sheet.index, sheet.notes, columns, sheet.text.encoding, sheet.n_empty,
    )  # fmt: skip


def careful(text, form):
    sheet = make_sheet(without_footer(read_text(io.StringIO(text)), form.skip_footer), form)
    mark_index(sheet)
    return sheet


STRANGE = (
    *("x", "", "1,5", "1.5", "1,234", "1.234", "1,234,567", "-999", "NA", "1_000", "# a", "1e3"),
    *(
        "---",
        '"1"',
        '"1\n2"',
        "2020-01-02",
        "12:30",
        "nan",
        "inf",
        "1 2",
        "1d3",
        "\u22125",
        "0x1",
        "5%",
    ),
)
HEADS = (
    [], ["c{j}"], ["c{j}", "s"], ["Instrument", "c{j}"], ["# note", "c{j}"], ["# c{j}"],
    ["index"],
)  # fmt: skip


def drawn(rng):
    """A file of numbers in which something may be strange, and a form."""
    separator = str(rng.choice([",", ";", "\t", "|", " "]))
    decimal = "," if separator in (";", "\t", " ") and rng.random() < 0.4 else "."
    n, width = int(rng.integers(14, 30)), int(rng.integers(1, 5))
    numbers = rng.standard_normal((n, width)) * 10.0 ** rng.integers(-1, 5, width)
    if rng.random() < 0.3:
        numbers[:, 0] = np.arange(n) + rng.integers(0, 2)
    style = str(rng.choice(["%.0f", "%.3f", "%.2f", "%g", "%.9e"]))
    cells = [[(style % v).replace(".", decimal) for v in row] for row in numbers.tolist()]
    for _ in range(int(rng.choice([0, 0, 0, 1, 1, 2, 5]))):
        row = cells[rng.integers(n)]
        row[rng.integers(len(row))] = str(rng.choice(STRANGE))
    if rng.random() < 0.1:
        cells[rng.integers(n)] = [str(v) for v in rng.choice(["1", "", "x"], rng.integers(1, 6))]
    lines = [separator.join(row) for row in cells]
    for template in reversed(HEADS[rng.integers(len(HEADS))]):
        names = [template.format(j=j) for j in range(width)]
        if template == "index":
            names = ["", *(f"c{j}" for j in range(1, width))]
        lines.insert(0, separator.join(names) if template != "Instrument" else template)
    behind = separator * int(rng.choice([0, 0, 0, 1, 2]))
    lines = [line + behind for line in lines]
    if rng.random() < 0.15:
        extra = ["", "# a", "  ", "% 5", ";", separator * 3, "\x0c"]
        lines.insert(int(rng.integers(len(lines))), str(rng.choice(extra)))
    end = str(rng.choice(["", "\n", "\n\n", "  \n", "\r\n"]))
    text = str(rng.choice(["\n", "\n", "\r\n", "\r"])).join(lines) + end
    form = rows.Format(
        comment=None if rng.random() < 0.9 else str(rng.choice(["!", "1", "-"])),
        skip_rows=int(rng.choice([0, 0, 0, 2])),
        skip_footer=int(rng.choice([0, 0, 0, 0, 0, 1, 3])),
        missing=() if rng.random() < 0.8 else ("-999", "x"),
        decimal=None if rng.random() < 0.9 else str(rng.choice([".", ","])),
        thousands=None if rng.random() < 0.95 else str(rng.choice(["'", ".", ","])),
        separator=None if rng.random() < 0.9 else separator,
        dates=None if rng.random() < 0.9 else "serial",
        transpose=None if rng.random() < 0.97 else True,
    )
    return text, form


@pytest.mark.parametrize("seed", range(8))
def test_a_long_file_is_read_as_the_careful_reader_reads_it(seed, few_lines):
    rng = np.random.default_rng(seed)
    plain = 0
    for _ in range(150):
        text, form = drawn(rng)
        fast = told(long.read_sheet, io.StringIO(text), form)
        assert fast == told(careful, text, form), (text, form)
        plain += long._long_sheet(read_text(io.StringIO(text)), form) is not None
    assert plain > 20


@pytest.mark.parametrize("form", ["%.6f", "%.18e", "%d"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_plain_file_of_many_lines(form, end, tmp_path, monkeypatch):
    data = np.random.default_rng(0).standard_normal((3000, 3)) * 100
    np.savetxt(tmp_path / "d.csv", data, form, ",", end, "time,µ,other", comments="")
    want = np.loadtxt(tmp_path / "d.csv", delimiter=",", skiprows=1, encoding=None).T
    monkeypatch.setattr(long, "make_sheet", lambda text, form: small(text, form))

    def small(text, form):
        assert text.text.count("\n") < 1400  # the careful reader sees a sample alone
        return make_sheet(text, form)

    table = tw.read_table(tmp_path / "d.csv")
    assert table.names == ("time", "µ", "other")
    np.testing.assert_array_equal(table.columns, want)


@pytest.mark.parametrize("at", [0, 700, 1250, 2000, 2900, 2999])
def test_a_refusal_of_a_long_file_names_the_line(at):
    lines = ["a,b", *(f"{i},{i / 7}" for i in range(3000))]
    lines[at + 1] = "5,OVER"
    with pytest.raises(ValueError, match=f"line {at + 2}, column b: 'OVER' is not a number"):
        tw.read_table(io.StringIO("\n".join(lines)))


@pytest.mark.parametrize("n", [5, 3000])
def test_a_number_may_stand_for_a_missing_value(n):
    lines = ["a;b;c", *(f"{i};{-999 if i % 2 else '-999,0'};{i + 1}" for i in range(n))]
    lines[2] = "1;2,5;-999"
    table = tw.read_table(io.StringIO("\n".join(lines)), missing=["-999", "void"])
    assert np.isnan(table["b"]).sum() == n - 1 and table["b"][1] == 2.5
    assert np.isnan(table["c"]).sum() == 1 and not np.isnan(table["a"]).any()


@pytest.mark.parametrize("at", [0, 700, 1250, 2000, 2900, 2999])
def test_a_failed_formula_of_a_long_file_is_named(at):
    lines = ["a,b", *(f"{i},{i / 7}" for i in range(3000))]
    lines[at + 1] = "5,#WERT!"
    table = tw.read_table(io.StringIO("\n".join(lines)))
    words = f"line {at + 2}, column b: '#WERT!' is an error of a spreadsheet and read as a missing"
    assert np.isnan(table["b"]).nonzero()[0] == [at] and table.notes == (f"{words} value",)


def test_a_column_of_a_long_file_may_have_numbers_in_its_middle_alone():
    lines = ["a,b", *(f"{i},{i / 7 if 1500 < i < 2000 else 'nan'}" for i in range(3000))]
    table = tw.read_table(io.StringIO("\n".join(lines)))
    assert table.names == ("a", "b") and np.isfinite(table["b"]).sum() == 499


def test_an_empty_column_behind_the_others_does_not_slow_a_long_file():
    text = "a,b,\n" + "".join(f"{i},{i / 7},\n" for i in range(3000))
    sheet = long._long_sheet(read_text(io.StringIO(text)), long.Format())
    assert sheet is not None and sheet.n_empty == 1


def test_long_files_hold_serial_dates_counts_of_photons_and_rows():
    days = "\n".join(f"{44000 + i},{i}" for i in range(3000))
    table = tw.read_table(io.StringIO(f"date,b\n{days}"), dates="serial")
    np.testing.assert_array_equal(table["date"], 86400 * table["b"])
    assert [note for note in table.notes if "seconds" in note] == [*table.notes]
    head = "#PicoHarp 300\n#ns/channel\n0.25\n#counts\n"
    table = tw.read_table(io.StringIO(head + "\n".join(map(str, range(3000)))))
    np.testing.assert_array_equal(table["time"], table["curve 0"] / 4)
    rows = "\n".join(f"A{i},0,1,2,3,4" for i in range(3000))
    table = tw.read_table(io.StringIO(rows))
    assert len(table) == 3000 and table["A2999"].tolist() == [0, 1, 2, 3, 4]
