//! Latent diffusion on burn: weights, text encoders, networks, schedules and samplers.
