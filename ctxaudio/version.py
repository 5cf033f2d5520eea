"""The package's version, at the bottom of the floors so that every file it writes can name it."""

__version__ = "0.1.0"
