"""The mean squared error of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._arguments.check import count, thread_limit
from .._arguments.spelling import spelled
from ..model import as_model
from .callables import CallableModel, jax_functions, torch_functions
from .left_out import ELEMENTS, FLOAT64
from .mean_of_squares import MeanOfSquares
from .recorded import RecordedModel, parameters_of, with_ties
from .samples import samples_of, targets_and_weights

_Function = Callable[..., Any]


@spelled
class MSELoss(MeanOfSquares):
    r"""The mean squared error of a model, exact derivatives included.

    With K samples of inputs :math:`y_k` and targets :math:`x_k`, Nx values each,

    .. math:: L(\theta) = \frac{1}{K} \sum_k w_k \|\varepsilon_k\|^2,
              \qquad \varepsilon_k = x_k - f_\theta(y_k),

    .. math:: \nabla L = -\frac{2}{K} \sum_k w_k \varepsilon_k^t J_k,
              \qquad J_k = \nabla_\theta f_\theta(y_k).

    The divisor is K whatever the weights are: weight 2 counts a sample twice, and 0 leaves it out.

    The model is recorded once, when the loss is made.  The gradient is computed by backward
    propagation over blocks of samples: J is never stored, the data are not copied, and memory does
    not grow with K.  Results have the same bits for any number of threads.

    Parameters
    ----------
    model : callable, str or Model
        ``f(y, a, b, ...)`` written with operators and NumPy functions, a formula such as
        ``"a*exp(-x/tau) + c"``, or a built-in model or its name, as for `thalweg.fit`.  It returns
        one value, or a tuple, list or array of Nx values.  With ``n_params`` it is ``f(y, theta)``
        with all parameters in one array, which suits networks: ``theta[:16]``, ``W @ h`` and
        ``np.tanh(h)`` work as for NumPy arrays.
    inputs : array_like, shape (K,) or (K, Ny), or a tuple of arrays
        The samples' y: one variable, or Ny of them, which the model gets as y[0] ... y[Ny - 1].
        Each point of a tuple of grids, ``(xx, yy)``, is a sample.
    targets : array_like, shape (K,) or (K, Nx)
        The samples' x, in the unit of the model's values; a grid if the inputs are grids.
    weights : array_like, shape (K,), optional
        :math:`w_k \ge 0`; default 1.  A sample that is masked in inputs, targets or weights has
        weight 0.  The data of a sample of weight 0 may be anything, NaN and infinity too.
    n_params : int, optional
        P, for a model that takes its parameters as one array.
    independent : str or sequence of str, optional
        The independent variables of a formula.
    tied : dict name -> str or callable, optional
        Parameters that follow from others, as for `thalweg.fit`.  The parameters of the loss, theta
        and `names`, are those that are not tied.
    dtype : float64 or float32, optional
        The type of the arithmetic.  float32 is faster and gives about five digits; sums are
        float64.
    threads : int, optional
        The largest number of threads of every call; default: as many as processors.  ``threads`` of
        `minimize` and `diagnose` may lower it for one call.

    Raises
    ------
    ValueError
        Shapes do not fit, data are not finite, or the model returns other than Nx values.
    RecordingError
        The model cannot be recorded; `from_functions` takes any model.

    References
    ----------
    .. [1] A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 4, 50)
    >>> loss = tw.MSELoss("a*exp(-t/tau)", t, 3 * np.exp(-t / 2), independent="t")
    >>> loss.value([3.0, 2.0]) < 1e-30
    True
    >>> value, gradient = loss.value_and_gradient([2.0, 2.0])
    >>> bool(gradient[0] < 0)  # a is too small
    True

    A network of one hidden layer, its 10 parameters in one array:

    >>> def network(y, theta):
    ...     h = np.tanh(theta[0:3] * y + theta[3:6])
    ...     return theta[6:9] @ h + theta[9]
    >>> loss = tw.MSELoss(network, t, np.sin(t), n_params=10)
    >>> loss.gradient(np.full(10, 0.1)).shape
    (10,)
    """

    def __init__(
        self,
        model: Any,
        inputs: Any,
        targets: Any,
        weights: Any = None,
        *,
        n_params: int | None = None,
        independent: str | Sequence[str] | None = None,
        tied: Any = None,
        dtype: Any = None,
        threads: int | None = None,
    ) -> None:
        info = as_model(model, independent)
        P, self._names = parameters_of(info, n_params)
        info, P, self._names = with_ties(info, P, self._names, tied)
        samples = samples_of(inputs, targets, weights)
        self._shape, self._there, self._K = samples.shape, samples.there, len(samples.targets)
        if info.n_x is not None and info.n_x != len(samples.columns):
            raise ValueError(
                f"{info.label} takes {info.n_x} independent variables, inputs have "
                f"{len(samples.columns)}"
            )
        element = np.dtype(FLOAT64 if dtype is None else dtype)
        if element not in ELEMENTS:
            raise TypeError(f"dtype must be float64 or float32, got {element}")
        self._model: RecordedModel | CallableModel = RecordedModel(
            info.function,
            samples.columns,
            samples.targets,
            samples.weights,
            n_params=P,
            single=samples.single,
            vector=n_params is not None,
            dtype=element,
            threads=thread_limit(threads),
        )
        self.n_params, self._label = P, info.label
        self.precision = float(np.finfo(element).eps)

    @classmethod
    @spelled
    def from_functions(
        cls,
        predict: _Function,
        targets: Any,
        n_params: int,
        *,
        weights: Any = None,
        jacobian: _Function | None = None,
        jvp: _Function | None = None,
        vjp: _Function | None = None,
        vjp_derivative: _Function | None = None,
    ) -> MSELoss:
        r"""Return the mean squared error of a function's predictions, with the user's derivatives.

        Parameters
        ----------
        predict : callable
            ``predict(theta)``, the predictions of all samples, of the shape of the targets.
        targets : array_like, shape (K,) or (K, Nx)
            The values that are predicted.
        n_params : int
            P, the number of parameters.
        weights : array_like, shape (K,), optional
            As for `MSELoss`.
        jacobian : callable, optional
            ``jacobian(theta)``, shape (K, P) or (K, Nx, P).
        jvp, vjp : callable, optional
            ``jvp(theta, v)``, J v, of the shape of the targets; ``vjp(theta, e)``,
            :math:`\sum_k e_k^t J_k`, shape (P,).  Either ``vjp`` or ``jacobian`` is needed.
        vjp_derivative : callable, optional
            ``vjp_derivative(theta, e, d)``, the derivative of ``vjp(theta, e)`` along d, shape
            (P,); the exact Hessian needs it besides J.

        Returns
        -------
        MSELoss

        Raises
        ------
        ValueError
            Shapes do not fit; or, in a later call, a function returns an array of another shape.

        Notes
        -----
        Arrays may come from any library that supports DLPack.

        Examples
        --------
        >>> import numpy as np
        >>> import thalweg as tw
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> loss = tw.MSELoss.from_functions(
        ...     lambda theta: A @ theta, [1.0, 3.0, 5.0], 2, jacobian=lambda theta: A
        ... )
        >>> loss.value([1.0, 2.0])
        0.0
        """
        if vjp is None and jacobian is None:
            raise ValueError("give vjp or jacobian: the gradient needs one of them")
        x, w, shape, there = targets_and_weights(targets, weights)
        loss = cls.__new__(cls)
        loss._names, loss._shape, loss._K, loss._there = None, shape, len(x), there
        loss._label = getattr(predict, "__name__", type(predict).__name__)
        loss._model = CallableModel(
            np.asarray(x, float),
            w,
            shape,
            count(n_params, "n_params", 1, 2**31 - 1),
            predict,
            jacobian,
            jvp,
            vjp,
            vjp_derivative,
        )
        loss.n_params = loss._model.n_params
        return loss

    @classmethod
    @spelled
    def from_jax(
        cls, model: _Function, inputs: Any, targets: Any, n_params: int, *, weights: Any = None
    ) -> MSELoss:
        """Return the loss of a JAX function ``model(inputs, theta)`` of all samples at once.

        Parameters
        ----------
        model : callable
            It returns predictions of the shape of the targets, by JAX operations.
        inputs : Any
            Passed to the model unchanged.
        targets, n_params, weights
            As of `from_functions`.

        Returns
        -------
        MSELoss
            Its derivatives are compiled by JAX, in float32 unless JAX is set to use float64.
        """
        functions = jax_functions(model, inputs)
        return cls.from_functions(targets=targets, n_params=n_params, weights=weights, **functions)

    @classmethod
    @spelled
    def from_torch(
        cls, model: _Function, inputs: Any, targets: Any, n_params: int, *, weights: Any = None
    ) -> MSELoss:
        """Return the loss of a PyTorch function ``model(inputs, theta)`` of all samples at once.

        Parameters
        ----------
        model : callable
            It returns predictions of the shape of the targets; theta is a tensor of the type of the
            inputs.
        inputs : Any
            Passed to the model unchanged.
        targets, n_params, weights
            As of `from_functions`.
        """
        functions = torch_functions(model, inputs)
        return cls.from_functions(targets=targets, n_params=n_params, weights=weights, **functions)

    @property
    def has_hessian(self) -> bool:
        """Whether second derivatives exist: of a recorded model, or by ``vjp_derivative``."""
        return self._model.has_hessian

    @property
    def has_gauss_newton(self) -> bool:
        """Whether J v can be computed, and not the gradient alone."""
        return self._model.has_jvp

    def describe(self) -> tuple[str, str]:
        """Return the formula and the sizes, for the repr."""
        sizes = f"K={self._K}, Nx={self._model.targets.shape[1]}, P={self.n_params}"
        names = "" if self._names is None else f": {', '.join(self._names)}"
        w = self._model.weights
        weights = "" if w is None else f"; weights, {int((w == 0).sum())} of them 0"
        return f"(1/K) sum_k w_k |x_k - f_k|^2, f = {self._label}", f"{sizes}{names}{weights}"

    @property
    def n_samples(self) -> int:
        """K, the number of samples."""
        return self._K

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the parameters; None if the model takes them as one array."""
        return self._names
