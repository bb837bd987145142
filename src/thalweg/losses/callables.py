"""The mean squared error of a model that functions evaluate: JAX's, PyTorch's, or your own.

The functions take theta and return predictions for all samples at once.  Their Jacobian J is needed
only in products J v and e' J.  Arrays may come from any library that supports DLPack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._optional import optional

Function = Callable[..., Any]


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """Return an array of another library as a NumPy array, by DLPack if possible, else a copy."""
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError):  # memory of a device, or one not to be shared
        return np.asarray(value)


def by_row(weights: Array, values: Array) -> Array:
    """Return weights, or a mask, of shape (n,) so that it broadcasts against the values."""
    return weights[:, None] if weights.ndim < values.ndim else weights


@dataclass(frozen=True, eq=False)
class CallableModel:
    """Sums over K samples of the squared error of predictions e = targets - predictions.

    Attributes
    ----------
    targets : ndarray, shape (K, Nx)
    weights : ndarray, shape (K,) or (K, Nx), or None
    shape : tuple of int
        The shape of the user's targets and of predictions: (K,) or (K, Nx).
    n_params : int
    predict : callable
        ``predict(theta)``.
    jacobian : callable or None
        ``jacobian(theta)``, of shape ``(*shape, P)``.
    jvp_of, vjp_of : callable or None
        ``jvp(theta, v)`` and ``vjp(theta, e)``.
    vjp_derivative : callable or None
        ``vjp_derivative(theta, e, d)``, the derivative of ``vjp(theta, e)`` along d.
    """

    targets: Array
    weights: Array | None
    shape: tuple[int, ...]
    n_params: int
    predict: Function
    jacobian: Function | None
    jvp_of: Function | None
    vjp_of: Function | None
    vjp_derivative: Function | None

    is_linear = False  # whether the function is linear cannot be found out by calling it

    def loss(self, theta: Array) -> float:
        """Return sum_k w_k |e_k|^2."""
        e = self._used(self.residuals(theta))
        return float(np.vdot(e, self._weighted(e)))

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """Return the loss and its gradient, -2 sum_k w_k e_k' J_k, shape (P,)."""
        e = self._used(self.residuals(theta))
        weighted = self._weighted(e)
        return float(np.vdot(e, weighted)), -2.0 * self.vjp(theta, weighted)

    def residuals(self, theta: Array) -> Array:
        """Return e, shape (K, Nx)."""
        predictions = self._checked(self.predict(theta), "predict", self.shape)
        return self.targets - predictions.reshape(self.targets.shape)

    def _used(self, product: Array) -> Array:
        """Return ``product``, shape (K, Nx, ...), with 0 for samples whose weight is 0."""
        if self.weights is None or np.isfinite(product).all():
            return product
        unused = by_row(self.weights, self.targets) == 0
        return np.where(unused.reshape(*unused.shape, *[1] * (product.ndim - 2)), 0.0, product)

    def jvp(self, theta: Array, v: Array) -> Array:
        """Return J v, shape (K, Nx)."""
        if self.jvp_of is not None:
            value = self._checked(self.jvp_of(theta, v), "jvp", self.shape)
        elif self.jacobian is not None:
            value = self._jacobian(theta) @ v
        else:
            raise ValueError("this loss has no jvp: give one, or the jacobian")
        return value.reshape(self.targets.shape)

    def vjp(self, theta: Array, e: Array) -> Array:
        """Return sum_k e_k' J_k, shape (P,); e has shape (K, Nx)."""
        if self.vjp_of is not None:
            return self._checked(self.vjp_of(theta, e.reshape(self.shape)), "vjp", (self.n_params,))
        J = self._jacobian(theta).reshape(-1, self.n_params)
        if not np.isfinite(J).all():  # rows of samples that are left out
            J = np.where(e.reshape(-1, 1) == 0, 0.0, J)
        return e.ravel() @ J

    @property
    def has_hessian(self) -> bool:
        """Whether second derivatives were given, and J v, which the Hessian needs too."""
        return self.vjp_derivative is not None and self.has_jvp

    @property
    def has_jvp(self) -> bool:
        """Whether J v can be computed."""
        return self.jvp_of is not None or self.jacobian is not None

    def hessian_vector(self, theta: Array, d: Array) -> Array:
        """Return 2 sum_k w_k (J_k' J_k d - e_k' (second derivatives of f_k) d), shape (P,)."""
        if self.vjp_derivative is None:
            raise ValueError(
                "this loss has no exact Hessian: give vjp_derivative, or use gauss_newton"
            )
        e = self._weighted(self._used(self.residuals(theta))).reshape(self.shape)
        bend = self._checked(self.vjp_derivative(theta, e, d), "vjp_derivative", (self.n_params,))
        return 2.0 * (self.vjp(theta, self._weighted(self._used(self.jvp(theta, d)))) - bend)

    def gauss_newton(self, theta: Array) -> Array:
        """Return sum_k w_k J_k' J_k, shape (P, P)."""
        if self.jacobian is not None:
            J = self._jacobian(theta)
            J = self._used(J.reshape(*self.targets.shape, self.n_params))
            weighted = (
                J if self.weights is None else J * by_row(self.weights, self.targets)[..., None]
            )
            flat = (-1, self.n_params)
            return np.asarray(weighted.reshape(flat).T @ J.reshape(flat))
        columns = [
            self.vjp(theta, self._weighted(self._used(self.jvp(theta, v))))
            for v in np.eye(self.n_params)
        ]
        product: Array = np.array(columns)
        return (product + product.T) / 2

    def along(self, theta: Array, d: Array) -> tuple[float, float, float]:
        """Return sum w |e|^2, sum w e'J d and sum w |J d|^2."""
        e, t = self._used(self.residuals(theta)), self._used(self.jvp(theta, d))
        weighted = self._weighted(e), self._weighted(t)
        return (
            float(np.vdot(e, weighted[0])),
            float(np.vdot(e, weighted[1])),
            float(np.vdot(t, weighted[1])),
        )

    def _weighted(self, e: Array) -> Array:
        return e if self.weights is None else e * by_row(self.weights, self.targets)

    def _jacobian(self, theta: Array) -> Array:
        assert self.jacobian is not None
        shape = (*self.shape, self.n_params)
        return self._checked(self.jacobian(theta), "jacobian", shape)

    def _checked(self, value: Any, name: str, shape: tuple[int, ...]) -> Array:
        array = to_numpy(value)
        if array.shape != shape:
            raise ValueError(f"{name} must return an array of shape {shape}, got {array.shape}")
        return np.asarray(array, float)


def jax_functions(model: Function, inputs: Any) -> dict[str, Function]:
    """Return the functions of `CallableModel` for a JAX function ``model(inputs, theta)``."""
    jax = optional("jax", "MSELoss.from_jax needs")

    def predict(theta: Any) -> Any:
        return model(inputs, theta)

    def vjp(theta: Any, e: Any) -> Any:
        predictions, pull = jax.vjp(predict, theta)
        return pull(e.astype(predictions.dtype))[0]

    def jvp(theta: Any, v: Any) -> Any:
        return jax.jvp(predict, (theta,), (v,))[1]

    def vjp_derivative(theta: Any, e: Any, d: Any) -> Any:
        return jax.jvp(lambda t: vjp(t, e), (theta,), (d,))[1]

    return {
        "predict": jax.jit(predict),
        "jvp": jax.jit(jvp),
        "vjp": jax.jit(vjp),
        "vjp_derivative": jax.jit(vjp_derivative),
    }


def torch_functions(model: Function, inputs: Any) -> dict[str, Function]:
    """Return the functions of `CallableModel` for a PyTorch function ``model(inputs, theta)``."""
    torch = optional("torch", "MSELoss.from_torch needs")
    dtype = inputs.dtype if isinstance(inputs, torch.Tensor) else torch.float64

    def tensor(array: Any) -> Any:
        return torch.as_tensor(array, dtype=dtype)

    def call(theta: Any) -> Any:
        return model(inputs, theta)

    def pull(theta: Any, e: Any) -> Any:
        return torch.func.vjp(call, theta)[1](e)[0]

    def predict(theta: Any) -> Any:
        return call(tensor(theta)).detach()

    def vjp(theta: Any, e: Any) -> Any:
        return pull(tensor(theta), tensor(e)).detach()

    def jvp(theta: Any, v: Any) -> Any:
        return torch.func.jvp(call, (tensor(theta),), (tensor(v),))[1].detach()

    def vjp_derivative(theta: Any, e: Any, d: Any) -> Any:
        adjoint = tensor(e)
        along = torch.func.jvp(lambda t: pull(t, adjoint), (tensor(theta),), (tensor(d),))
        return along[1].detach()

    return {"predict": predict, "jvp": jvp, "vjp": vjp, "vjp_derivative": vjp_derivative}
