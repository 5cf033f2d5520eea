"""Rates in the envelope and carriers in the spectrum: profile, schedule and the frequency modulation layer."""
