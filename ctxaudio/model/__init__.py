"""The conditional GAN: generator, discriminator, losses, training, and its files."""
