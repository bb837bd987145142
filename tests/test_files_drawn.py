"""Tables written in drawn ways are read to the last digit, or refused; other texts raise nothing
but a ValueError."""

import io

import numpy as np
import pytest
from table_cases import RIGHT, WRONG

import thalweg as tw

SEPARATORS = {";": ";", "tab": "\t", ",": ",", "bar": "|", "blanks": "  "}


def grouped(text, decimal, thousands):
    """A number such as "-1234.5" with separators of thousands and a decimal sign."""
    sign = "-" * text.startswith("-")
    whole, point, rest = text.removeprefix("-").partition(".")
    if thousands:
        whole = f"{int(whole):,}".replace(",", thousands)
    return sign + whole + (decimal + rest if point else "")


def drawn(rng):
    """A table of numbers, and it as a text in a way that somebody writes."""
    separator = SEPARATORS[rng.choice([*SEPARATORS])]
    decimal = str(rng.choice([".", ","]))
    digits, n, width = int(rng.integers(0, 6)), int(rng.integers(2, 9)), int(rng.integers(2, 5))
    # where no number shows the decimal sign, "1.234" is no 1234 unless it is said
    marks = [m for m in (",.' " if digits else "' ") if m != decimal and m not in separator]
    thousands = str(rng.choice(["", *marks]))
    numbers = np.round(rng.standard_normal((n, width)) * 10.0 ** rng.integers(0, 6, width), digits)
    rows = [[grouped(f"{x:.{digits}f}", decimal, thousands) for x in row] for row in numbers]
    wrong = separator in (",",) and any("," in cell for row in rows for cell in row)
    if wrong or (rng.random() < 0.2 and separator != "  "):
        rows = [[f'"{cell}"' for cell in row] for row in rows]
    if rng.random() < 0.7:
        rows.insert(0, [f"c{j}" for j in range(width)])
        if rng.random() < 0.4:
            rows.insert(1, [str(rng.choice(["s", "mV", "(nm)", "a.u."])) for _ in range(width)])
        if rng.random() < 0.3:
            rows.insert(0, ["Instrument seven"])
    lines = [separator.join(row) for row in rows]
    if rng.random() < 0.3:
        lines.insert(int(rng.integers(len(lines) + 1)), str(rng.choice(["# a, b; c", "% 5", ""])))
    return numbers, str(rng.choice(["\n", "\r\n"])).join(lines), decimal, thousands or None


@pytest.mark.parametrize("seed", range(8))
def test_a_table_is_read_to_the_last_digit_or_refused(seed):
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(40):
        numbers, text, decimal, thousands = drawn(rng)
        try:
            table = tw.read_table(io.StringIO(text))
        except ValueError:  # what may be read in two ways; said how, it is read
            refused += 1
            table = tw.read_table(io.StringIO(text), decimal=decimal, thousands=thousands)
        np.testing.assert_array_equal(np.transpose(table.columns), numbers, err_msg=text)
    assert refused < 20


TOKENS = (
    *(
        "1",
        "0",
        "1,5",
        "1.5",
        "1,234",
        "1.234",
        "1 000",
        "1'0.5",
        "nan",
        "",
        "x",
        "time",
        "s",
        "(V)",
    ),
    *("err", "2020-01-02", "31.12.2019", "1/2/2020", "12:30", "12:30:05", "13:30 AM", "2020-13-45"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "99:99:99", "24:00", "#", "#N/A"),
    *("%", "//", "'", '"', '"a\nb"', "OVER", "\u22125", "1e400", "-", "±", "1±2", "<5", "\x0b"),
    *("\x1c", "\u2028", "\ufeff", "1_000", "١٢", "inf", "sep=;", "1.5-101", "1.5D+3"),
)


@pytest.mark.parametrize("seed", range(4))
def test_a_text_of_any_kind_raises_nothing_else(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        separator = str(rng.choice([",", ";", "\t", " ", "|", " , ", ":", "\r"]))
        some = rng.choice(TOKENS, rng.integers(2, 9))
        width = int(rng.integers(1, 5))
        rows = [separator.join(rng.choice(some, width)) for _ in range(rng.integers(0, 8))]
        if rng.random() < 0.3:
            rows.insert(0, RIGHT[str(rng.choice([*RIGHT]))].text[: rng.integers(60)])
        for dates in (None, "dmy", "ms"):
            try:
                assert repr(tw.read_table(io.StringIO("\n".join(rows)), dates=dates))
            except ValueError as error:
                assert len(f"{error}") < 1000


def test_the_cases_are_more_than_25():
    assert len(RIGHT) > 50 and len(WRONG) > 40


ABOVE = (
    "[Data]",
    "Name{0}mix",
    "Start{0}1.5",
    "Num{0}4",
    "Type{0}a{0}b",
    "Run 7",
    "BEGIN",
    "Gain{0}5{0}6",
)


@pytest.mark.parametrize("seed", range(8))
def test_no_point_is_lost_among_keywords_and_none_is_made_of_them(seed):
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(60):
        separator = str(rng.choice([",", ";", "\t", "  "]))
        n, width = int(rng.integers(3, 9)), int(rng.integers(2, 5))
        numbers = rng.uniform(-5, 5, (n, width)).round(4)
        rows = [separator.join(map(repr, row)) for row in numbers.tolist()]
        above = [line.format(separator) for line in rng.choice(ABOVE, rng.integers(0, 6))]
        if rng.random() < 0.6:
            above.append(separator.join(f"c{j}" for j in range(width)))
        below = list(rng.choice(["END", "*END", "End of run", ""], rng.integers(0, 3)))
        text = "\n".join([*above, *rows, *below])
        try:
            table = tw.read_table(io.StringIO(text))
        except ValueError:
            refused += 1
            continue
        np.testing.assert_array_equal(np.transpose(table.columns), numbers, err_msg=text)
    assert refused < 9
