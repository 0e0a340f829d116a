"""Importers of data sets: MovieLens, TMDB's details of movies, any CSV of ratings, and the bundled sample.

Each format is a module with a function `load`; `source.py` reads files, `rating_rows.py` and `movie_rows.py` write to
the database. Imports `ratings.writing`, `movies` and `storage`. Start with `ratings_csv.py`.
"""
