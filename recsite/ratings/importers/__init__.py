"""Imports of data sets: MovieLens, TMDB and CSV files of ratings, and the bundled sample."""
