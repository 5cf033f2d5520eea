"""Signal processing: sound files, resampling and fades, loudness, envelopes, the bands of hearing, STFT."""
