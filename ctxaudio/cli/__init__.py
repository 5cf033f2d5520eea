"""The command line: `ctxaudio COMMAND` or `python -m ctxaudio COMMAND`, over the functions the notebooks call.

A file a command: `add_to` says which arguments it takes, `run` does it and gives back the exit code.
"""

from ctxaudio.cli.main import command_parser, main

__all__ = ["command_parser", "main"]
