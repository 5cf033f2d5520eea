"""The training loop, its configuration, its state and what watches over it."""
