"""The one exception a user's mistake raises: the command line prints it in a line and exits with 2."""


class CtxAudioError(Exception):
    """Something the user can mend. The message names what, where and the mend, in one line."""


class ClipError(CtxAudioError):
    """One clip among many can't be used: skipped and listed in the report, not fatal."""
