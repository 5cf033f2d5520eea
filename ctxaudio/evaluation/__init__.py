"""Sets of clips beside sets of clips: how near generated sound is to real sound, and whether it is new and diverse."""
