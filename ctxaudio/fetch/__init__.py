"""Fetching FSD50K: single clips from the hub, tables or everything from Zenodo. For `ctxaudio fetch` alone."""
