"""Parts through the latent space: property fields, direct simulation, uncertainty, gradation."""
