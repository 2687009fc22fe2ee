"""Kernels: the only place with numba."""
