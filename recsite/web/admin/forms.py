"""The forms of the admin pages."""

import wtforms

from recsite.accounts import site_tokens
from recsite.config import LIST_LENGTH_LIMITS, TRAINING_LIMITS
from recsite.movies import editing
from recsite.storage.tables import LARGEST_ID
from recsite.web.request.forms import DateField, Form, NumberField, TextField, strip

LONGEST_REASON = 500
"In characters."


class ReasonForm(Form):
    """The reason for a change."""

    reason = TextField("Reason", longest=LONGEST_REASON, filters=[strip])


class VisibilityForm(ReasonForm):
    """The movie to hide or show, and the reason."""

    movie_id = NumberField("Movie", least=1, most=LARGEST_ID, is_required=True)


class ActivationForm(ReasonForm):
    """The version to activate, the reason, and the consent to a worse one."""

    version_name = TextField("Version")
    confirmed = wtforms.BooleanField("Activate it although it is clearly worse")


class RatingForm(Form):
    """The movie whose rating to remove."""

    movie_id = NumberField("Movie", least=1, most=LARGEST_ID, is_required=True)


class AdminForm(Form):
    """The admin right of a user."""

    is_admin = wtforms.BooleanField("Admin")


class TokenForm(Form):
    """A token of the site; without days it does not expire. The scopes are checked where it is made."""

    label = TextField("What it is for", longest=site_tokens.LONGEST_LABEL, filters=[strip])
    days = NumberField("Days until it expires", least=1, most=site_tokens.LONGEST_DAYS)


class JobForm(Form):
    """A job to start; an empty number stands for the configured one."""

    kind = TextField("Kind")
    top = NumberField("Suggestions a user", **LIST_LENGTH_LIMITS._asdict())
    epochs = NumberField("Epochs", **TRAINING_LIMITS["epochs"]._asdict())
    factors = NumberField("Factors", **TRAINING_LIMITS["factors"]._asdict())
    folds = NumberField("Held-out folds", **TRAINING_LIMITS["folds"]._asdict())
    seed = NumberField("Seed", **TRAINING_LIMITS["seed"]._asdict())
    activate = wtforms.BooleanField("Activate when done")


class MovieForm(Form):
    """The texts and date of a movie; `editing` validates them, so the limits here are looser."""

    title = TextField("Title", longest=editing.LONGEST_TITLE + 1, filters=[strip])
    overview = TextField("Overview", longest=2 * editing.LONGEST_OVERVIEW, filters=[strip])
    release_date = DateField("Release date")
    genres = TextField("Genres, joined by commas", longest=editing.LONGEST_GENRES + 1)

    def genre_names(self) -> list[str]:
        """Return the genres in their order, each once."""
        names = (name.strip() for name in (self.genres.data or "").split(","))
        return list(dict.fromkeys(name for name in names if name))
