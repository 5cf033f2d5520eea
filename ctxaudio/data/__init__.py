"""Data: reading FSD50K, choosing a context's clips, preparing them once, serving batches."""
