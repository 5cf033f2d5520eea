"""Context-specific sound that you can train, measure and trust."""

__version__ = "0.1.0"
