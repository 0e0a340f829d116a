"""Which movies to ask a newcomer about: those whose rating says most about all the others."""

from collections.abc import Sequence

import numpy as np

from recsite.ml.rating import FloatArray


def most_telling(values: FloatArray, chances: FloatArray, asked: Sequence[int], n: int) -> list[int]:
    """The `n` best questions beside those that were `asked`, the best first, all as columns of `values`.

    `values`, shape (people, movies), is what many people are predicted to give; `chances`, shape (movies,), is how
    likely somebody has seen each movie. K is the covariance of the values between movies. A rating of movie i, seen
    through noise σ², takes K_ij² / (K_ii + σ²) off the variance of every j: movies that people differ on, and that
    other movies go with, tell much. Then K ← K − K_i K_iᵀ / (K_ii + σ²), so that the next question is about
    something else. σ² is the mean variance: an answer tells half of what there is to know of its own movie.
    """
    k = np.atleast_2d(np.cov(values, rowvar=False))
    noise = max(float(np.diag(k).mean()), 1e-9)
    for i in asked:
        k = k - np.outer(k[i], k[i]) / (k[i, i] + noise)
    chosen: list[int] = []
    for _ in range(min(n, len(chances) - len(set(asked)))):
        gains = chances * (k**2).sum(axis=0) / (np.diag(k) + noise)
        gains[[*asked, *chosen]] = -np.inf
        i = int(gains.argmax())
        chosen.append(i)
        k = k - np.outer(k[i], k[i]) / (k[i, i] + noise)
    return chosen
