"""Fits of labelled data: ``import thalweg.scale.xarray`` gives every DataArray and Dataset
``.thalweg.fit`` and ``.thalweg.curvefit``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from .._optional import optional
from ._by_names import as_list, fitted
from ._curvefit import curvefit
from ._dataset import dataset
from ._named import refuse_unknown

xr = optional("xarray", "thalweg.scale.xarray needs")

__all__ = ["DataArrayFits", "DatasetFits"]


@xr.register_dataarray_accessor("thalweg")
class DataArrayFits:
    """What ``array.thalweg`` offers of a DataArray: fits along some of its dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg.scale.xarray
    >>> import xarray as xr
    >>> time = xr.DataArray(np.linspace(0, 5, 30), dims="time")
    >>> scale = xr.DataArray([1.0, 2.0, 3.0], dims="site", coords={"site": ["a", "b", "c"]})
    >>> signal = (scale * np.exp(-time / 2)).assign_coords(time=time)
    >>> r = signal.thalweg.fit("a*exp(-time/tau)", dim="time", p0={"a": 1, "tau": 1})
    >>> r["a"].sel(site="b").item()
    2.0
    """

    def __init__(self, array: Any) -> None:
        self._array = array

    def fit(
        self,
        model: Any,
        dim: Hashable | Iterable[Hashable] | None = None,
        p0: Any = None,
        *,
        coords: Any = None,
        sigma: Any = None,
        mask: Any = None,
        bounds: Any = None,
        fixed: Any = None,
        f_scale: Any = None,
        outputs: Hashable | None = None,
        independent: str | Sequence[str] | None = None,
        **options: Any,
    ) -> Any:
        r"""Fit a model along one dimension or several: :math:`\sum_i ((y_i - f_i) / \sigma_i)^2`.

        Parameters
        ----------
        model : callable, str or Model
            As of `thalweg.fit`.  An independent variable that has the name of a coordinate along
            ``dim`` is that coordinate: ``t`` of ``f(t, a, tau)``, ``time`` of
            ``"a*exp(-time/tau)"``, ``x`` and ``y`` of ``gaussian2d``.  Others are the coordinates
            of ``dim`` in its order.
        dim : hashable or sequence of them, optional
            The dimensions that hold the points of a fit; the others are the batch.  Not needed if
            ``coords`` tells, or if there is only one dimension.
        p0, bounds, fixed, f_scale
            As of `thalweg.fit`; values by name may be DataArrays that vary along the batch.  For
            all parameters a DataArray has one more dimension, whose coordinates, if it has any, are
            their names, as `curvefit` returns them.  p0 may be the Dataset of another fit.
        coords : str, DataArray or sequence of them, optional
            The independent variables, in the order of the model's; they may vary along the batch.
        sigma, mask : DataArray or array_like, optional
            As of `thalweg.fit`, found by the names of their dimensions.
        outputs : hashable, optional
            The dimension along which the values lie that a model of several outputs returns.
        independent : str or sequence of str, optional
            The independent variables of a formula, in the order of ``coords``.
        **options
            Further options of `thalweg.fit` or, for lazy data, of `thalweg.scale.dask.fit`.

        Returns
        -------
        Dataset
            For each fit its parameters by name, their standard errors ``<name>_stderr``, ``chi2``,
            ``dof``, ``n_used``, ``n_iter``, ``status``, with the words for it as attributes (CF
            conventions, section 3.5), and ``cov``; with the coordinates that do not vary along
            ``dim`` and the attributes of the data, those of a coordinate with the coordinate.
            Its arrays are lazy if the data are.

        Raises
        ------
        ValueError
            There is no such dimension or coordinate, or arrays do not share their coordinates; and
            as of `thalweg.fit`.
        """
        given = dict(p0=p0, sigma=sigma, mask=mask, bounds=bounds, fixed=fixed, f_scale=f_scale)
        dims = dim, outputs
        named, result = fitted(self._array, model, dims, coords, independent, given, options)
        out = dataset(result, named.batch, named.coords)
        out.attrs = dict(self._array.attrs)
        return out

    def curvefit(
        self,
        coords: Any,
        func: Callable[..., Any],
        reduce_dims: Hashable | Iterable[Hashable] | None = None,
        skipna: bool = True,
        p0: Mapping[str, Any] | None = None,
        bounds: Mapping[str, tuple[Any, Any]] | None = None,
        param_names: Sequence[str] | None = None,
        errors: str = "raise",
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Fit as `xarray.DataArray.curvefit` does: the same arguments, the same result.

        Parameters
        ----------
        coords, func, reduce_dims, skipna, p0, bounds, param_names
            As there.  p0 is 1 by default, or what ``func`` has as default.
        errors : {"raise", "ignore"}
            Whether a fit that does not converge raises or becomes NaN.
        kwargs : dict, optional
            Options of `scipy.optimize.curve_fit`: ``absolute_sigma``, ``sigma``, ``ftol``,
            ``xtol``, ``gtol``, ``maxfev``, ``max_nfev``, ``loss`` and ``f_scale``; ``method``,
            ``jac``, ``x_scale`` and ``check_finite`` are taken and not needed.

        Returns
        -------
        Dataset
            ``curvefit_coefficients`` (..., param) and ``curvefit_covariance`` (..., cov_i, cov_j),
            lazy if the data are.

        Raises
        ------
        ValueError
            Names or arguments do not fit.
        RuntimeError
            With errors="raise": a fit did not converge; when dask computes, if the data are lazy.
        """
        given = (reduce_dims, skipna, p0 or {}, bounds or {}, param_names, errors, kwargs or {})
        return curvefit(self._array, coords, func, *given)


@xr.register_dataset_accessor("thalweg")
class DatasetFits:
    """What ``dataset.thalweg`` offers of a Dataset: fits of some of its variables, or of all.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import thalweg.scale.xarray
    >>> x = xr.DataArray(np.arange(4.0), dims="x", coords={"x": np.arange(4.0)})
    >>> data = xr.Dataset({"up": 2 * x + 1, "down": 3 - x})
    >>> r = data.thalweg.fit("line", "x")
    >>> r.up_slope.item(), r.down_slope.item()
    (2.0, -1.0)
    """

    def __init__(self, data: Any) -> None:
        self._data = data

    def fit(
        self,
        model: Any,
        dim: Hashable | Iterable[Hashable] | None = None,
        p0: Any = None,
        *,
        y: Hashable | Iterable[Hashable] | None = None,
        sigma: Any = None,
        mask: Any = None,
        **options: Any,
    ) -> Any:
        """Fit variables of the Dataset, as `DataArrayFits.fit` does.

        Parameters
        ----------
        model, dim, p0
            As there.
        y : hashable or sequence of them, optional
            The variable that holds the data.  Of several each is fitted, and their names begin
            those of the result's variables: ``<y>_<name>``.  By default all are fitted that have
            the dimensions ``dim`` and are not sigma or mask.
        sigma, mask : str, DataArray or array_like, optional
            A text is the name of a variable.
        **options
            Further options of `DataArrayFits.fit`.

        Returns
        -------
        Dataset
        """
        of = self._variable
        options |= dict(dim=dim, p0=p0, sigma=of(sigma), mask=of(mask))
        if y is not None and not isinstance(y, list | tuple):
            return of(y).thalweg.fit(model, **options)
        names = self._with(dim, {sigma, mask}) if y is None else list(y)
        parts = []
        for name in names:
            part = of(name).thalweg.fit(model, **options)
            parts.append(part.rename({n: f"{name}_{n}" for n in part.data_vars}))
        return self._merged(parts)

    def curvefit(self, coords: Any, func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Fit all variables as `xarray.Dataset.curvefit` does; see `DataArrayFits.curvefit`.

        Returns
        -------
        Dataset
            For each variable ``<name>_curvefit_coefficients`` and ``<name>_curvefit_covariance``.
        """
        parts = []
        for name, array in self._data.data_vars.items():
            part = array.thalweg.curvefit(coords, func, *args, **options)
            parts.append(part.rename({n: f"{name}_{n}" for n in part.data_vars}))
        return self._merged(parts)

    def _merged(self, parts: list[Any]) -> Any:
        out = xr.merge(parts, compat="no_conflicts", join="exact")
        out.attrs = dict(self._data.attrs)
        return out

    def _variable(self, name: Any) -> Any:
        """The variable of a name; other values unchanged."""
        if not isinstance(name, str):
            return name
        refuse_unknown(name, self._data.variables, "variable")
        return self._data[name]

    def _with(self, dim: Any, taken: set[Any]) -> list[Hashable]:
        """The names of the variables with these dimensions, without those that are taken."""
        dims = set() if dim is None else set(as_list(dim))
        names = [n for n, v in self._data.data_vars.items() if dims <= set(v.dims)]
        taken = {n for n in taken if isinstance(n, str)}
        if not (names := [n for n in names if n not in taken]):
            wanted = ", ".join(map(str, dims))
            raise ValueError(f"no variable of the Dataset has the dimensions {wanted} to fit along")
        return names
