"""How good is it? A generator's figures of merit, and sets of generated sound beside real sound."""

from ctxaudio.evaluate.figures import figures_of_merit, real_clips

__all__ = ["figures_of_merit", "real_clips"]
