"""How good the lists are: coverage, acceptance, the comparison of two versions, and the admin overview.

Imports `suggestions`, `versions` and below. Start with `comparison.py`.
"""
