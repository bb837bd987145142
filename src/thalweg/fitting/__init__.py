"""Fit one data set or millions: data, problem, run, result."""
