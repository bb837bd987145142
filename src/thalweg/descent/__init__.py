"""Minimise a loss: the loop, what it may claim where it stops, and its result."""
