"""The choice of the most informative questions, on covariances that can be read by eye."""

import numpy as np

from recsite.ml.questions import most_informative


def test_questions_are_about_movies_that_differ_from_each_other() -> None:
    taste = np.array([[1.0, 1.0, 0.0, 0.1], [-1.0, -1.0, 0.0, -0.1], [0.0, 0.0, 0.9, 0.0], [0.0, 0.0, -0.9, 0.0]])

    chosen = most_informative(taste, np.ones(4), [], 3)

    assert chosen[:2] in ([0, 2], [1, 2])


def test_a_movie_that_few_users_have_seen_is_asked_about_late() -> None:
    taste = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.9], [0.0, -0.9]])

    assert most_informative(taste, np.array([0.1, 1.0]), [], 2) == [1, 0]


def test_an_answered_question_is_not_asked_again() -> None:
    taste = np.array([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 0.0, 2.0]])

    assert most_informative(taste, np.ones(3), [0], 5) == [2, 1]
