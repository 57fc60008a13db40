"""Trains the autoencoder.

    python train_vae.py DATA --minutes 20     → DATA/vae.pt, DATA/vae.csv, DATA/vae.png

Begins with the weights of DATA/vae.pt if there are any.
"""

import argparse
import csv
from pathlib import Path

import torch
import torch.nn.functional as F

from autoencoder import LATENT_SCALE, Autoencoder
from clock import Clock, settle_threads, trapezoid
from ema import Average
from muon import Optimizers
from pictures import BACKGROUNDS, drawings, on_background, sheet

KL_WEIGHT = 2e-6


def random_batch(rgba, size, generator):
    """Pictures on white, on one of the named backgrounds or on any colour; some mirrored."""
    count = rgba.shape[0]
    chosen = rgba[torch.randint(count, (size,), generator=generator)]
    named = torch.tensor(list(BACKGROUNDS.values())).float()
    kind = torch.rand(size, generator=generator)[:, None]
    colour = named[torch.randint(len(named), (size,), generator=generator)]
    colour = torch.where(kind < 0.4, named[:1], colour)
    colour = torch.where(kind > 0.8, torch.rand(size, 3, generator=generator) * 255, colour)
    pictures = on_background(chosen, colour)
    mirrored = torch.rand(size, generator=generator)[:, None, None, None] < 0.3
    return torch.where(mirrored, pictures.flip(3), pictures)


def difference(x, y):
    """Absolute and squared differences, of edges and at lower resolutions, too."""
    total = F.l1_loss(x, y) + 2 * F.mse_loss(x, y)
    for dim in (2, 3):
        total = total + F.l1_loss(x.diff(dim=dim), y.diff(dim=dim))
    for _ in range(2):
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        total = total + F.l1_loss(x, y)
    return total


def loss_of(model, pictures):
    with torch.autocast(pictures.device.type, torch.bfloat16):
        mean, log_variance = model.moments(pictures)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        rebuilt = model.decode(latent * LATENT_SCALE)
    mean, log_variance = mean.float(), log_variance.float()
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=(1, 2, 3)).mean()
    rebuilt = rebuilt.float()
    return difference(rebuilt, pictures) + KL_WEIGHT * divergence, F.mse_loss(rebuilt, pictures)


@torch.no_grad()
def normalise(model, rgba):
    """Gives the latents of the pictures on white mean 0 and deviation 1."""
    white = torch.full((64, 3), 255.0, device=rgba.device)
    with torch.autocast(rgba.device.type, torch.bfloat16):
        latents = torch.cat([model.encode(on_background(part, white[: len(part)])) for part in rgba.split(64)]).float()
    model.rescale(latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3)))


def main(arguments):
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    data = Path(arguments.data)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    settle_threads(arguments.threads)
    rgba = drawings(data).flatten(0, 1)
    model = Autoencoder().to(device, memory_format=torch.channels_last)
    if (data / "vae.pt").exists():
        model.load_state_dict(torch.load(data / "vae.pt", map_location=device))
    optimizers = Optimizers(
        model,
        muon_lr=0.01,
        adam_lr=2e-3,
        is_muon=lambda name: "conv_in" not in name and "conv_out" not in name and "quant" not in name,
    )
    average = Average(model, 0.995)
    clock = Clock(arguments.minutes)
    step = 0
    with (data / "vae.csv").open("w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["step", "minutes", "loss", "psnr"])
        while (share := clock.share()) < 1:
            pictures = random_batch(rgba, arguments.batch, generator).to(device, memory_format=torch.channels_last)
            loss, error = loss_of(model, pictures)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers.step(trapezoid(share, step))
            average.update(model)
            clock.tick()
            step += 1
            if step % 20 == 0:
                psnr = 10 * torch.log10(4 / error.detach()).item()
                log.writerow([step, f"{clock.spent / 60:.2f}", f"{loss.item():.4f}", f"{psnr:.2f}"])
                file.flush()
                settle_threads(arguments.threads)
            if step % 500 == 0:
                torch.save(average.model.state_dict(), data / "vae.pt")
                clock.pause()
    normalise(average.model, rgba.to(device))
    torch.save(average.model.state_dict(), data / "vae.pt")
    with torch.no_grad():
        pictures = random_batch(rgba, 24, generator).to(device)
        rebuilt = average.model.decode(average.model.encode(pictures))
    sheet(torch.stack([pictures, rebuilt], 1).flatten(0, 1).cpu(), 12).save(data / "vae.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    main(parser.parse_args())
