"""Where the data are: larger than memory, labelled, on a cluster, in tables, behind other doors.

Each module needs a library of its own, an extra of the package, and is imported by its user:
``import thalweg`` imports none of them.
"""
