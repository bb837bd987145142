"""The numbers by which pygpufit names estimators, constraints and the ends of fits."""


class EstimatorID:
    """The numbers of the estimators: least squares, and the most likely parameters of counts.

    Examples
    --------
    >>> from thalweg.scale import gpufit
    >>> gpufit.EstimatorID.LSE, gpufit.EstimatorID.MLE
    (0, 1)
    """

    LSE = 0
    MLE = 1


class ConstraintType:
    """Which bounds of a parameter count.

    Examples
    --------
    >>> from thalweg.scale import gpufit
    >>> gpufit.ConstraintType.LOWER_UPPER
    3
    """

    FREE = 0
    LOWER = 1
    UPPER = 2
    LOWER_UPPER = 3


class State:
    """How a fit ended.

    Examples
    --------
    >>> from thalweg.scale import gpufit
    >>> [n for n in dir(gpufit.State) if n.isupper()]
    ['CONVERGED', 'GPU_NOT_READY', 'MAX_ITERATION', 'NEG_CURVATURE_MLE', 'SINGULAR_HESSIAN']
    """

    CONVERGED = 0
    MAX_ITERATION = 1
    SINGULAR_HESSIAN = 2
    NEG_CURVATURE_MLE = 3
    GPU_NOT_READY = 4
