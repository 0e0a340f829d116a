"""Importers of data sets: MovieLens, TMDB's details of movies, any CSV of ratings, and the bundled sample.

Each format has a module with a function `load`. `source.py` reads files, `fields.py` parses fields, `rating_rows.py`
and `movie_rows.py` write to the database. Imports `ratings.writing`, `movies` and `storage`. Start with
`ratings_csv.py`.
"""
