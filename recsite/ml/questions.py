"""The choice of movies that a new user is asked to rate: the ratings that say most about the ratings of all movies."""

from collections.abc import Sequence

import numpy as np

from recsite.ml.vocabulary import FloatArray


def most_informative(values: FloatArray, probabilities: FloatArray, asked: Sequence[int], n: int) -> list[int]:
    """Return the `n` most informative movies besides those already `asked`, as columns of `values`, the best first.

    `values`, shape (users, movies) with at least two users, holds the ratings that a sample of users is predicted to
    give. `probabilities`, shape (movies,), is proportional to the probability that a user has seen a movie.

    K is the covariance of the values between movies. A rating of movie i, observed with noise σ², reduces the variance
    of every movie j by K_ij² / (K_ii + σ²); the movie with the largest expected total reduction comes first. Then
    K ← K − K_i K_iᵀ / (K_ii + σ²), so that the next question is about something else. This is the greedy choice of
    D. Cohn, Z. Ghahramani & M. Jordan, "Active Learning with Statistical Models", JAIR 4, 1996, for a Gaussian
    model. σ² is the mean variance: one rating then explains half of the variance of an average movie.
    """
    k = np.atleast_2d(np.cov(values, rowvar=False))
    noise = max(float(np.diag(k).mean()), 1e-9)
    for i in asked:
        k = k - np.outer(k[i], k[i]) / (k[i, i] + noise)
    chosen: list[int] = []
    for _ in range(min(n, len(probabilities) - len(set(asked)))):
        gains = probabilities * (k**2).sum(axis=0) / (np.diag(k) + noise)
        gains[[*asked, *chosen]] = -np.inf
        i = int(gains.argmax())
        chosen.append(i)
        k = k - np.outer(k[i], k[i]) / (k[i, i] + noise)
    return chosen
