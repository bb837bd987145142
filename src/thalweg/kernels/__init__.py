"""The compiled kernels, for callers who bring their own Jacobians and matrices."""
