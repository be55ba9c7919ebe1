"""The one base class of errors whose text is meant for the person who called."""


class UserError(Exception):
    """Something the caller gave cannot be used; the text says what, which rule, and the fix.

    Commands, the app and the runs print the text of such an error; any other is a fault of ours.
    """
