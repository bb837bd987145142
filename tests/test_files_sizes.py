"""Lines that tell the size of a table, and gaps between its rows: no wrong point without a word."""

import io

import numpy as np
import pytest

import thalweg as tw

T = np.arange(8) / 2
ROWS = np.column_stack([T, 2 * T + 1])


def lines(form="{:.3f} {:.3f}"):
    return "".join(form.format(*row) + "\n" for row in ROWS)


def read(text, **options):
    return tw.read_table(io.StringIO(text), **options)


@pytest.mark.parametrize(
    "head, note",
    [
        ("8 2\n", "line 1, 8 2, tells"),
        ("2 8\n", "line 1, 2 8, tells"),
        ("8\n", "line 1, 8, tells"),
        ("2\n8\n", "lines 1 and 2, 2 8, tell"),
        ("8\n2\n", "lines 1 and 2, 8 2, tell"),
        ("# a decay\n8 2\n", "line 2, 8 2, tells"),
        ("t s\n8 2\n", "line 2, 8 2, tells"),
        ("a decay\n\n8 2\n", "line 3, 8 2, tells"),
    ],
)
def test_a_line_that_tells_the_size_is_left_out(head, note):
    table = read(head + lines())
    np.testing.assert_array_equal(np.column_stack(table.columns), ROWS)
    assert any(said.startswith(note) for said in table.notes)
    assert not head.startswith("t s") or table.names == ("t", "s")


def test_of_one_column():
    table = read("8\n" + lines("{1:.1f}"))
    np.testing.assert_array_equal(table[0], ROWS[:, 1])
    assert table.notes == ("line 1, 8, tells the size of the table and is left out",)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_with_another_separator(separator):
    table = read(f"8{separator}2\n" + lines("{}" + separator + "{}"))
    np.testing.assert_array_equal(np.column_stack(table.columns), ROWS)


@pytest.mark.parametrize(
    "head, form",
    [
        ("8 2\n", "{:.0f} {:.0f}"),  # it may be a point, as others are whole numbers, too
        ("8 2\n", "{:.0f} {:.3f}"),
        ("8 5\n", "{:.3f} {:.3f}"),  # 5 is not the number of columns
    ],
)
def test_a_line_that_may_be_a_point_stays_with_a_note(head, form):
    table = read(head + lines(form))
    assert len(table[0]) == 9 and table[0][0] == 8
    [note] = table.notes
    assert note.startswith("line 1 is read as data") and note.endswith("say skip_rows=1")
    assert len(read(head + lines(form), skip_rows=1)[0]) == 8


@pytest.mark.parametrize("head", ["8.0 2.0\n", "7 2\n", "8 -2\n", "0 8.5\n", "1e3 2\n"])
def test_others_are_points_without_a_word(head):
    table = read(head + lines())
    assert len(table[0]) == 9 and not table.notes


@pytest.mark.parametrize("head", ["{} 2\n", "2 {}\n", "{}\n"])
def test_of_a_long_file(head):
    n = 3000
    body = "".join(f"{k / 10:.1f} {k / 5:.1f}\n" for k in range(n))
    table = read(head.format(n) + body)
    assert len(table[0]) == n and table[0][0] == 0
    assert table.notes[0].endswith("tells the size of the table and is left out")
    assert len(read("5 2\n" + body)[0]) == n + 1


def test_blank_lines_that_part_blocks_are_told():
    table = read(lines() + "\n\n" + lines())
    assert len(table[0]) == 16
    assert table.notes == (
        "a blank line parts line 8 from line 11; the rows are read as one table",
    )
    assert "as 2 times in all," in read(lines() + "\n" + lines() + "\n" + lines()).notes[0]
    assert not read(lines("{} {}\n")).notes  # a blank line behind every row parts nothing
    assert not read(lines() + "# paused\n" + lines()).notes


def test_a_first_row_above_a_comment_is_told():
    """As PicoHarp writes: the width of a channel, a comment, and then the counts."""
    assert read("0.032 0.032\n#counts\n" + lines()).notes == (
        "line 1 is read as data, though a comment parts it from the rest; "
        "skip_rows=1 leaves it out",
    )
    assert "lines 1 and 2 are read" in read("3 1\n0.032 0.032\n#counts\n" + lines()).notes[0]


@pytest.mark.parametrize(
    "cells, options",
    [
        (["13.1.20", "14.1.20", "15.1.20"], {}),
        (["13.01.20 12:00", "14.01.20 12:00", "15.01.20 12:00"], {}),
        (["1/13/20", "1/14/20", "1/15/20"], {}),
        (["1/13/20 3:04 PM", "1/14/20 3:04 PM", "1/15/20 3:04 PM"], {}),
        (["13/1/20", "14/1/20", "15/1/20"], {"dates": "dmy"}),
        (["1/2/99", "1/3/99", "1/4/99"], {"dates": "mdy"}),
        (["31.12.68", "1.1.69", "2.1.69"], None),
    ],
)
def test_years_of_two_digits(cells, options):
    text = "day;s\n" + "".join(f"{cell};{k}\n" for k, cell in enumerate(cells))
    if options is None:  # 1969 follows 2068, as POSIX has it
        assert (np.diff(read(text)["day"]) < 0).any()
    else:
        np.testing.assert_array_equal(read(text, **options)["day"], [0, 86400, 172800])


@pytest.mark.parametrize("cell", ["13/1/20", "1/2/20"])
def test_years_of_two_digits_that_may_be_days(cell):
    with pytest.raises(ValueError, match=r"the day or the month may come first; say dates="):
        read(f"day;s\n{cell};1\n{cell};2\n")


@pytest.mark.parametrize(
    "cell, cause",
    [
        ("1.0+2.0j", "it is complex; write its real and its imaginary part to columns"),
        ("(1.0-2e-3j)", "it is complex"),
        ("1,5 - 2i", "it is complex"),
        ("1.0(1)", "an error stands behind it"),
        ("$1.0", "a currency stands before it"),
    ],
)
def test_causes(cell, cause):
    with pytest.raises(ValueError, match=f"line 2, column s: .* is not a number; {cause}"):
        read(f"t;s\n0;{cell}\n1;{cell}\n")


def test_a_line_of_the_head_that_ends_with_empty_cells():
    """As Origin writes it: the separator is not that of the words in the head."""
    table = read("Time\tSignal\ns\tmV\nComments\t\n" + lines("{}\t{}"))
    assert table.names == ("Time", "Signal") and table.units == {"Time": "s", "Signal": "mV"}
    np.testing.assert_array_equal(np.column_stack(table.columns), ROWS)


def test_formatted_text(tmp_path):
    path = tmp_path / "data.rtf"
    path.write_bytes(b"{\\rtf1\\ansi 1 2\\par 3 4}")
    with pytest.raises(ValueError, match=r"is a formatted text; save it as plain text$"):
        tw.read_table(path)
