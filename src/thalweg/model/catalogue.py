"""`models`: the built-in models as attributes of one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .library import get_model, polynomial
from .registry import MODELS, Model

if TYPE_CHECKING:
    from .composition import ComposedModel


class _Models:
    """The built-in models by attribute: ``models.gaussian``, ``models.polynomial(3)``.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.models.gaussian.names
    ('amplitude', 'x0', 'sigma', 'offset')
    >>> "hill" in dir(tw.models)
    True
    """

    polynomial = staticmethod(polynomial)

    @staticmethod
    def of(model: Any, independent: str | Sequence[str] | None = None) -> ComposedModel:
        """Return any model as one that operators combine; see `thalweg.model.composition.of`."""
        from . import composition  # which itself uses the library

        return composition.of(model, independent)

    # declared so that type checkers notice a misspelt name
    arrhenius: Model
    biexponential: Model
    damped_sine: Model
    exponential: Model
    gaussian: Model
    gaussian2d: Model
    gaussian2d_elliptic: Model
    gaussian2d_rotated: Model
    hill: Model
    inversion_recovery: Model
    line: Model
    logistic: Model
    lorentzian: Model
    michaelis_menten: Model
    polynomial2: Model
    polynomial3: Model
    power_law: Model
    pseudo_voigt: Model
    sine: Model
    spin_echo: Model
    stretched_exponential: Model
    voigt: Model

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Model:
            try:
                return get_model(name)
            except ValueError as unknown:
                raise AttributeError(str(unknown)) from None

    def __dir__(self) -> list[str]:
        return ["of", "polynomial", *MODELS]


models = _Models()
