"""One list for several people: an order of movies from what each of them would think of each."""

import numpy as np

from recsite.ml.vocabulary import FloatArray, IntArray


def average_without_misery(pleasures: FloatArray, stars: FloatArray, least_stars: FloatArray) -> IntArray:
    """Return the order of the movies for a group, the best first, as numbers of columns, shape (n_movies,).

    `pleasures` say how much each person wants to see each movie, on one scale, and `stars` are their predicted
    ratings, both of the shape (n_people, n_movies); `least_stars`, shape (n_people,), bound what is misery for each.
    Of equal movies the earlier column comes first.

    Average without misery (J. Masthoff, "Group Modeling: Selecting a Sequence of Television Items to Suit a Group of
    Viewers", User Modeling and User-Adapted Interaction 14, 2004; "Group Recommender Systems", Recommender Systems
    Handbook, 2011): movies are ordered by the mean of the pleasures, without those that are misery for one person.
    Where a list would be too short without them, they follow behind all others, by the stars of the least pleased.
    """
    is_misery = (stars < least_stars[:, None]).any(axis=0)
    goodness = np.where(is_misery, stars.min(axis=0), pleasures.mean(axis=0))
    return np.lexsort((-goodness, is_misery))
