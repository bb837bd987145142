"""Compiled kernels: pointers in, GIL out, status codes out; no policy."""
