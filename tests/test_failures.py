"""What kernels return when they cannot do their work, and what users read of it."""

import re
from pathlib import Path

import pytest

from thalweg._core import failures

CSRC = Path(__file__).resolve().parents[1] / "csrc"
FAMILIES = {
    "adjoint": failures.Adjoint,
    "linear": failures.Linear,
    "quadratic": failures.Quadratic,
    "sweep": failures.Sweep,
}


def in_c(family):
    """The names and values of a family's statuses, as its contract has them."""
    text = (CSRC / family / "contract.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    body = re.search(rf"typedef enum {{([^}}]*)}} tw_{family}_status;", text)[1]
    found, value = {}, -1
    for name, number in re.findall(r"(\w+)(?: = (\d+))?,", body):
        value = int(number) if number else value + 1
        found[name.removeprefix(f"TW_{family.upper()}_")] = value
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_every_status_of_c_is_one_of_python_and_has_a_sentence(family):
    python = FAMILIES[family]
    assert in_c(family) == {status.name: int(status) for status in python}
    assert set(failures.SENTENCES[python]) == set(python) - {python.OK}
    assert python.OK == 0
    facts = dict(where=3, n=5, last=2, norm=2.0, what="the sum", has="has", wrong="that fall")
    for status in python:
        if status == 0:
            failures.refuse(python, status)
            continue
        with pytest.raises(ValueError, match=r"\w+ \w+ \w+") as caught:
            failures.refuse(python, status, **facts)
        assert "{" not in str(caught.value)


def test_every_family_that_can_fail_is_listed():
    families = {
        file.parent.name
        for file in CSRC.glob("*/contract.h")
        if re.search(r"} tw_\w+_status;", file.read_text())
    }
    assert families == set(FAMILIES) and set(failures.SENTENCES) == set(FAMILIES.values())


@pytest.mark.parametrize("family", FAMILIES.values())
def test_a_number_that_is_no_status_is_an_error_of_thalweg(family):
    with pytest.raises(RuntimeError, match="a kernel returned 99, which is no status of the"):
        failures.refuse(family, 99)


def test_the_worse_of_two_adjoint_statuses_is_their_or():
    """Threads report together in this way."""
    rising = list(failures.Adjoint)
    for i, better in enumerate(rising):
        for worse in rising[i:]:
            assert better | worse == worse
