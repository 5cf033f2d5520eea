"""The command line: `ctxaudio COMMAND` or `python -m ctxaudio COMMAND`, over the functions the notebooks call."""

from ctxaudio.cli.main import command_parser, main

__all__ = ["command_parser", "main"]
