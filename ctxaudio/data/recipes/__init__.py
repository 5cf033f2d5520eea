"""Recipes of the embedded corpus: how each label sounds, from noise, impacts, partials and strokes."""
