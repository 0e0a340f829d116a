"""The catalogue: search, averages, and how admins edit movies.

Imports `storage`, `errors` and `ml`. Start with `catalog.py`.
"""
