"""NumPy's and SciPy's ufuncs that are composed of several operations, by name."""

import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from . import functions

UFUNCS: Final[dict[str, Callable[..., Any]]] = {
    **{
        name: getattr(functions, name)
        for name in "ceil copysign dawsn exp10 exp2 expit exprel fmax fmin fmod heaviside log10 "
        "log2 log_expit log_ndtr logaddexp logaddexp2 logit ndtr rint softplus trunc voigt_profile "
        "xlog1py xlogy".split()
    },
    "add": operator.add,
    "bitwise_xor": operator.xor,
    "conjugate": operator.pos,
    "deg2rad": lambda x: x * (np.pi / 180.0),
    "degrees": lambda x: x * (180.0 / np.pi),
    "divmod": divmod,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "isfinite": lambda x: (x - x) == 0,
    "isinf": lambda x: abs(x) == np.inf,
    "isnan": lambda x: x != x,
    "logical_xor": operator.xor,
    "multiply": operator.mul,
    "rad2deg": lambda x: x * (180.0 / np.pi),
    "radians": lambda x: x * (np.pi / 180.0),
}
