"""The forms of accounts; `recsite.accounts` decides which names and passwords are valid."""

import wtforms

from recsite.accounts.passwords import PASSWORD_LENGTH
from recsite.web.request.forms import Form, TextField

TOO_LONG = PASSWORD_LENGTH[-1] + 1
"One more than a password may have, so that the error message comes from `recsite.accounts`."


class LoginForm(Form):
    """Name and password of an account."""

    username = TextField("User name")
    password = TextField("Password", longest=TOO_LONG)
    remember = wtforms.BooleanField("Remember me on this device")


class SignupForm(Form):
    """A new account."""

    username = TextField("User name")
    password = TextField("Password", longest=TOO_LONG)
    email = TextField("E-mail")


class PasswordForm(Form):
    """The old password and a new one, typed twice."""

    old = TextField("Old password", longest=TOO_LONG)
    new = TextField("New password", longest=TOO_LONG)
    again = TextField("New password again", longest=TOO_LONG)


class DeleteForm(Form):
    """The password, typed again to confirm the deletion."""

    password = TextField("Password", longest=TOO_LONG)
