"""Noise levels and samplers as ComfyUI has them for Stable Diffusion 1."""

import numpy as np
import torch

STEPS = 1000
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=np.float64) ** 2
CUMULATIVE = np.cumprod(1 - BETAS)
SIGMAS = torch.tensor(((1 - CUMULATIVE) / CUMULATIVE) ** 0.5, dtype=torch.float32)


def sigma_at(timestep):
    """The noise level at a fractional time step."""
    low, high = timestep.floor().long(), timestep.ceil().long()
    share = timestep.frac()
    return ((1 - share) * SIGMAS.log()[low] + share * SIGMAS.log()[high]).exp()


def normal_schedule(steps):
    return torch.cat([sigma_at(torch.linspace(STEPS - 1, 0, steps)), torch.zeros(1)])


def karras_schedule(steps, rho=7.0):
    low, high = SIGMAS[0] ** (1 / rho), SIGMAS[-1] ** (1 / rho)
    return torch.cat([(high + torch.linspace(0, 1, steps) * (low - high)) ** rho, torch.zeros(1)])


def guided(unet, conditions, negatives, cfg):
    """The function from noisy latents and a noise level to clean latents."""

    def denoise(x, sigma):
        timestep = (SIGMAS.log() - sigma.log()).abs().argmin()
        inputs = (x / (sigma**2 + 1) ** 0.5).repeat(2, 1, 1, 1)
        noise = unet(inputs, timestep.expand(len(inputs)).to(x.device), torch.cat([conditions, negatives]))
        positive, negative = (x.repeat(2, 1, 1, 1) - sigma * noise).chunk(2)
        return negative + (positive - negative) * cfg

    return denoise


def euler(denoise, x, sigmas):
    for sigma, following in zip(sigmas, sigmas[1:]):
        x = x + (x - denoise(x, sigma)) / sigma * (following - sigma)
    return x


def dpmpp_2m(denoise, x, sigmas):
    previous = None
    for index, (sigma, following) in enumerate(zip(sigmas, sigmas[1:])):
        denoised = denoise(x, sigma)
        step = sigma.log() - following.log()
        if previous is None or following == 0:
            target = denoised
        else:
            ratio = (sigmas[index - 1].log() - sigma.log()) / step
            target = (1 + 1 / (2 * ratio)) * denoised - 1 / (2 * ratio) * previous
        x = following / sigma * x - (-step).expm1() * target
        previous = denoised
    return x


SAMPLERS = {"euler": euler, "dpmpp_2m": dpmpp_2m}
SCHEDULES = {"normal": normal_schedule, "karras": karras_schedule}


def sample(unet, conditions, negatives, noise, steps=20, cfg=4.0, sampler="euler", scheduler="normal"):
    """Latents from noise `[n, 4, h, w]` of variance 1, beginning at the highest level."""
    sigmas = SCHEDULES[scheduler](steps)
    x = noise * (1 + sigmas[0] ** 2) ** 0.5
    return SAMPLERS[sampler](guided(unet, conditions, negatives, cfg), x, sigmas)
