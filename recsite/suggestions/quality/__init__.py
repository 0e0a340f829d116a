"""The quality of lists: acceptance, coverage, the comparison of two versions, and the admin overview.

It may import `suggestions`, `versions` and everything below. Start with `comparison.py`, which guards an activation.
"""
