"""Tables with an x for each data set, fitted by the command line."""

import numpy as np
import pytest
from file_cases import LINE, call, one_sentence

import thalweg as tw


@pytest.fixture
def path(tmp_path):
    return tmp_path / "d.csv"


@pytest.mark.parametrize(
    ("text", "x", "y"),
    [
        ("x1,y1,x2,y2\n0,1.5,1,2.5\n1,2.5,2,3.5\n2,3.5,3,4.5\n3,4.5,,\n", "x1, x2", "y1, y2"),
        (
            "A,,B,\nt (s),U,t (s),U\n0,1.5,1,2.5\n1,2.5,2,3.5\n2,3.5,,\n",
            "A t (s), B t (s)",
            "A U, B U",
        ),
        ("t,s,err,t,s,err\n0,1.5,1,0,1.5,2\n1,2.5,1,1,2.5,2\n2,3.5,1,2,3.5,1\n", "t, t", "s, s"),
    ],
)
def test_an_x_for_each_data_set_is_read(text, x, y, path, capsys):
    path.write_text(text)
    status, _, said = call(capsys, "fit", path, *LINE, "--out", path.with_name("o.npz"))
    assert status == 0 and f"x is {x}; y is {y}" in said
    assert "as the names of the columns repeat, each column of y has the x to its left" in said
    result = tw.load(path.with_name("o.npz"))
    np.testing.assert_allclose(result["slope"], 1)
    np.testing.assert_allclose(result["intercept"], 1.5)


@pytest.mark.parametrize("head", ["x,y,y2,y3", "x1,x2,x3,x4", "t,a1,b1,a2", "1,2,3,4"])
def test_other_columns_share_the_first_x(head, path, capsys):
    path.write_text(head + "\n0,1.5,1,2\n1,2.5,2,3\n2,3.5,3,4\n")
    assert f"x is {head[: head.index(',')]}; y is" in call(capsys, "fit", path, *LINE)[2]


def test_an_x_for_each_data_set_is_said(path, capsys):
    path.write_text("a,b,c,d\n0,1,1.5,2.5\n1,2,2.5,3.5\n2,3,3.5,4.5\n")
    status, printed, said = call(capsys, "fit", path, *LINE, "--x", "a,b", "--y", "c,d")
    assert status == 0 and "x is a, b; y is c, d" in said and printed.count("1.5 ") == 2
    status, _, said = call(capsys, "fit", path, *LINE, "--x", "a,b", "--y", "c")
    one_sentence(status, said)
    assert "the model takes 1 independent variable, and 2 columns give them" in said
