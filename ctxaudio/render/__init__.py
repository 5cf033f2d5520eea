"""Sound of any length, block by block: modulation with one running phase, tones, beds and sessions."""
