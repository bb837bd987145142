"""What the modules of `thalweg.scale` say where a library is not installed."""

import subprocess
import sys

import pytest

from thalweg.scale.astropy import from_astropy
from thalweg.scale.lmfit import from_lmfit


@pytest.mark.parametrize("convert, library", [(from_lmfit, "lmfit"), (from_astropy, "astropy")])
def test_a_missing_library_is_named(monkeypatch, convert, library):
    monkeypatch.setitem(sys.modules, library, None)
    words = f"from_{library} needs {library}: python -m pip install {library}"
    with pytest.raises(ModuleNotFoundError, match=words):
        convert(None)


def test_a_regressor_without_scikit_learn_names_it():
    code = "import sys; sys.modules['sklearn'] = None\nimport thalweg.scale.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "CurveRegressor needs scikit-learn: python -m pip install scikit-learn" in done.stderr
