"""Draws pictures with a checkpoint, as the server does.

    python sampling.py emoji-demo.safetensors "a red apple, noto" --seed 1 --output apple.png
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from diffusion import SAMPLERS, SCHEDULES, sample
from model import Model, noises
from packing import unpack
from pictures import to_image


def open_checkpoint(path):
    """A model in float32 of a checkpoint, packed or not."""
    path = Path(path)
    if path.suffix == ".packed":
        from safetensors.torch import load

        return Model().load(load(unpack(path.read_bytes()))).eval()
    return Model().load(load_file(path)).eval()


@torch.no_grad()
def draw(model, prompts, seeds, negative="", **settings):
    """Pictures `[n, 3, 128, 128]` in -1..1; `settings` are those of `diffusion.sample`."""
    conditions = model.encode(prompts)
    negatives = model.encode([negative]).expand_as(conditions)
    latents = sample(model.unet, conditions, negatives, noises(seeds), **settings)
    return model.vae.decode(latents).clamp(-1, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("prompt")
    parser.add_argument("--negative", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=4.0)
    parser.add_argument("--sampler", choices=SAMPLERS, default="euler")
    parser.add_argument("--scheduler", choices=SCHEDULES, default="normal")
    parser.add_argument("--output", default="picture.png")
    arguments = vars(parser.parse_args())
    checkpoint, prompt, seed, output = (arguments.pop(name) for name in ("checkpoint", "prompt", "seed", "output"))
    to_image(draw(open_checkpoint(checkpoint), [prompt], [seed], **arguments)[0]).save(output)
