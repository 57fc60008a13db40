"""Encodes every picture on white and on some of the other backgrounds, so that the training needs no autoencoder.

    python encode_latents.py DATA     → DATA/latents.pt
"""

import random
import sys
from pathlib import Path

import torch

from autoencoder import Autoencoder
from pictures import BACKGROUNDS, drawings, on_background

COLOURED = 3


@torch.no_grad()
def main(data):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vae = Autoencoder().eval()
    vae.load_state_dict(torch.load(data / "vae.pt", map_location="cpu"))
    vae.to(device, memory_format=torch.channels_last)
    rgba = drawings(data)
    chooser = random.Random(1)
    names = list(BACKGROUNDS)
    entries, latents = [], []
    for concept in range(rgba.shape[0]):
        for style in range(rgba.shape[1]):
            chosen = names[:1] + chooser.sample(names[1:], COLOURED)
            colours = torch.tensor([BACKGROUNDS[name] for name in chosen], device=device).float()
            picture = rgba[concept, style].to(device).expand(len(chosen), -1, -1, -1)
            with torch.autocast(device, torch.bfloat16):
                latents.append(vae.encode(on_background(picture, colours)).half().cpu())
            entries += [(concept, style, name) for name in chosen]
    latents = torch.cat(latents)
    torch.save({"entries": entries, "latents": latents}, data / "latents.pt")
    print(f"{len(entries)} latents, mean {latents.float().mean():.3f}, deviation {latents.float().std():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
