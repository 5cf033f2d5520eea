"""Signal processing: filters, loudness, envelopes and the frequency modulation layer."""
