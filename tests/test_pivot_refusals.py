"""Block principal pivoting: what is refused, in which words."""

import numpy as np
import pytest

from thalweg._core import pivot
from thalweg.kernels import block_pivoting

NAN = np.nan
G, C = np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones((3, 2))

REFUSED = [
    ({"G": np.eye(3)[:2]}, ValueError, r"G must be square, of shape \(P, P\), got \(2, 3\)"),
    ({"G": np.ones(2)}, ValueError, "G must be square"),
    ({"G": [[1.0, NAN], [NAN, 1.0]]}, ValueError, r"G must be finite, but G\[0, 1\] is nan"),
    ({"G": [[1.0, 0.5], [0.2, 1.0]]}, ValueError, r"symmetric, but G\[0, 1\] is 0.5 and G\[1, 0\]"),
    ({"G": [[1.0, 0.0], [0.0, -1.0]]}, ValueError, r"semidefinite, but G\[1, 1\] is -1.0"),
    ({"G": [[1.0, 2.0], [2.0, 1.0]]}, ValueError, "length 1 it has the eigenvalue -1"),
    ({"G": [[0.0, 1.0], [1.0, 0.0]]}, ValueError, "it has the eigenvalue -1"),
    ({"G": np.eye(2) * 1j}, TypeError, "G must be real"),
    ({"G": np.ma.masked_less(G, 2)}, TypeError, "G must not be masked"),
    ({"C": np.ones(3)}, ValueError, r"C must have shape \(P=2,\) or \(..., P=2\), got \(3,\)"),
    ({"C": np.array(1.0)}, ValueError, "C must have shape"),
    ({"C": [[1, 2], [NAN, 0]]}, ValueError, r"C must be finite, but C\[1, 0\] is nan"),
    ({"C": np.ma.masked_less(C, 2)}, TypeError, "C must not be masked"),
    ({"bounds": (1, 0)}, ValueError, r"the bounds hold no number at \[0\]: 1.0, 0.0"),
    ({"bounds": (0, [1, NAN])}, ValueError, r"the bounds hold no number at \[1\]: 0.0, nan"),
    ({"bounds": (np.inf, np.inf)}, ValueError, "the bounds hold no number"),
    (
        {"bounds": (np.zeros(3), None)},
        ValueError,
        r"lower bounds must have shape \(\), \(P=2,\) or",
    ),
    ({"bounds": (None, np.zeros((2, 2)))}, ValueError, r"that of C, \(3, 2\), got \(2, 2\)"),
    ({"bounds": 5}, ValueError, "bounds must be a pair"),
    ({"noise": -1}, ValueError, "noise must be finite and not negative"),
    ({"noise": NAN}, ValueError, "noise must be finite and not negative"),
    ({"noise": np.ones(2)}, ValueError, r"noise must have shape \(\) or that of the problems, \(3"),
    ({"max_iter": -1}, ValueError, "max_iter must be a whole number from 0"),
    ({"threads": 0}, ValueError, "threads must be a whole number from 1"),
    ({"maxiter": 3}, TypeError, "no argument 'maxiter'; did you mean max_iter"),
]


@pytest.mark.parametrize(("changes", "error", "words"), REFUSED)
def test_is_refused_in_a_sentence(changes, error, words):
    arguments = {"G": G, "C": C} | changes
    with pytest.raises(error, match=words):
        block_pivoting(arguments.pop("G"), arguments.pop("C"), **arguments)


def core(**changes):
    fields = dict(G=np.eye(2), C=np.ones((3, 2)), lower=np.zeros(2), upper=np.ones(2), noise=None)
    fields |= dict(M=3, P=2, is_float=False, shared_bounds=True, max_iter=5, threads=1)
    fields |= dict(theta=np.empty((3, 2)), n_iter=np.empty(3, np.int32), status=np.empty(3, "b"))
    fields |= {name: np.empty(3) for name in ("objective", "violation", "reach")}
    fields |= changes
    first = [fields.pop(name) for name in ("G", "C", "lower", "upper", "noise")]
    assert pivot.block_pivoting(*first, **fields) is None
    return fields["theta"]


def test_the_core_refuses_what_does_not_fit():
    assert (core() == 1).all()
    for name in ("G", "C", "lower", "upper", "theta", "objective", "violation", "reach"):
        with pytest.raises(TypeError, match="an array is needed, got None"):
            core(**{name: None})
        with pytest.raises(ValueError, match="elements is needed, got"):
            core(**{name: np.ones(1)})
    for name in ("n_iter", "status"):
        with pytest.raises(TypeError, match="an array of format"):
            core(**{name: np.ones(3)})
    with pytest.raises(ValueError, match="elements is needed, got"):
        core(noise=np.ones(2))
    with pytest.raises(ValueError, match="elements is needed, got"):
        core(shared_bounds=False)
    with pytest.raises(TypeError, match="format 'f' is needed"):
        core(is_float=True)
    with pytest.raises(ValueError, match="there is no array of"):
        core(M=2**62, P=4)
