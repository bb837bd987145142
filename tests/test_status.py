"""One list of statuses: the numbers of C, a sentence for each family that can have it."""

import re
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from thalweg.status import DESCENTS, FITS, LINEAR, Halt, Status, explain

CONTRACT = Path(__file__).resolve().parents[1] / "csrc" / "fit" / "contract.h"
IN_C = re.search(r"typedef enum \{(.*?)\} tw_status;", CONTRACT.read_text(), re.DOTALL)[1]


def test_fits_have_the_statuses_of_c():
    numbers = {name: int(value) for name, value in re.findall(r"TW_(\w+) = (-?\d+)", IN_C)}
    assert numbers == {status.name: status.value for status in FITS}


@pytest.mark.parametrize("status", Status, ids=lambda status: status.name)
def test_every_status_has_its_sentence(status):
    assert status in FITS or status in DESCENTS or status in LINEAR
    if status in FITS:
        sentence = explain(status, 0, ["tau"])
        assert sentence and "{" not in sentence
        assert sentence.startswith("converged: ") == status.success
    if status in LINEAR:
        assert LINEAR[status].startswith("converged: ") == status.success
    if status in DESCENTS:
        sentence = str(Halt(status))
        assert sentence == DESCENTS[status] and sentence
        assert not sentence.startswith("converged: ") or status.success


def test_what_descents_have_for_themselves_has_numbers_of_its_own():
    own = (set(DESCENTS) | set(LINEAR)) - set(FITS)
    assert all(status > 4 if status.success else status < -10 for status in own)
    assert [status for status in DESCENTS if status.success] == [
        Status.GTOL, Status.XTOL, Status.FTOL, Status.ROUNDING, Status.STATIONARY
    ]  # fmt: skip
    assert all(np.int8(status) == status for status in Status)  # what results hold


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (Status.GTOL, dict(gtol=1e-4)),
        (Status.XTOL, dict(gtol=0, xtol=1e-4)),
        (Status.FTOL, dict(gtol=0, ftol=1e-4)),
    ],
)
def test_a_tolerance_is_told_in_its_own_word(status, options):
    loss = tw.LinearLeastSquares([[1, 0], [1, 1], [1, 2]], [1, 2, 4])
    r = tw.minimize(loss, [0, 0], tw.GradientDescent(), **options)
    assert r.status is status and r.reason().startswith("converged: ")
    assert status.name.lower() in r.reason()
    assert f", {status.name}\n" in r.summary()
