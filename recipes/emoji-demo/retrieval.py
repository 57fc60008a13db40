"""Whether pictures show what was asked: is the nearest training picture that of the concept?

    python retrieval.py DATA --checkpoint emoji-demo.safetensors     draws the pictures with PyTorch
    python retrieval.py DATA --checkpoint emoji-demo.safetensors --rebuilt   takes the drawings through the autoencoder: the most there is to reach
    python retrieval.py DATA --folder PICTURES                       takes PICTURES/NAME-STYLE.png, made by anything
    python retrieval.py DATA --server http://127.0.0.1:8188 --name emoji-demo.safetensors

Pictures are compared as 32×32 pixels in Lab after centring what differs from white; a concept's distance is the smaller of those
to its drawings in the two styles.
"""

import argparse
import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from captions import test_caption
from pictures import STYLES, concepts, drawings, on_background, to_tensor

SIDE = 32
SEED = 2024
COUNT = 200
# From linear sRGB to the responses of D65's white.
XYZ = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = torch.tensor([0.9505, 1.0, 1.089])


def lab(pictures):
    """Lab values of pictures `[n, 3, h, w]` in -1..1."""
    rgb = ((pictures + 1) / 2).clamp(0, 1)
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("ij,njhw->nihw", XYZ, linear) / WHITE[:, None, None]
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def centred(picture):
    """A picture moved so that what differs from white lies in the middle."""
    ink = (picture.min(dim=0).values < 0.85).float()
    if ink.sum() == 0:
        return picture
    height, width = ink.shape
    y = (ink.sum(1) * torch.arange(height)).sum() / ink.sum()
    x = (ink.sum(0) * torch.arange(width)).sum() / ink.sum()
    down, right = round(height / 2 - y.item()), round(width / 2 - x.item())
    margin = max(height, width) // 2
    down, right = (max(-margin, min(margin, move)) for move in (down, right))
    padded = F.pad(picture[None], [margin] * 4, value=1.0)[0]
    return padded[:, margin - down : margin - down + height, margin - right : margin - right + width]


def features(pictures):
    pictures = torch.stack([centred(picture) for picture in pictures])
    return lab(F.adaptive_avg_pool2d(pictures, SIDE)).flatten(1)


def training_features(data):
    """`[concepts, styles, features]` of the drawings on white."""
    rgba = drawings(data)
    white = torch.full((1, 3), 255.0)
    rows = [features(on_background(row, white.expand(len(row), -1))) for row in rgba]
    return torch.stack(rows)


def ranks(pictures, asked, references):
    """For each picture how many concepts are nearer than the asked one."""
    found = features(pictures)
    distance = torch.cdist(found, references.flatten(0, 1)).view(len(found), *references.shape[:2]).min(dim=2).values
    own = distance.gather(1, torch.tensor(asked)[:, None])
    return (distance < own).sum(dim=1)


def tests(listed, count=COUNT, seed=SEED):
    """The concepts that are asked for, with a style and a seed of noise each."""
    chooser = random.Random(seed)
    chosen = chooser.sample(range(len(listed)), count)
    return [(concept, STYLES[index % len(STYLES)], 1000 + index) for index, concept in enumerate(chosen)]


def report(listed, cases, ranks):
    count = len(ranks)
    for (concept, style, seed), rank in zip(cases, ranks.tolist()):
        if rank > 0:
            print(f"{rank + 1:5}. {style} {listed[concept]['label']} (seed {seed})")
    summary = {
        "pictures": count,
        "nearest": round((ranks == 0).sum().item() / count, 3),
        "among_five_nearest": round((ranks < 5).sum().item() / count, 3),
    }
    print(json.dumps(summary))
    return summary


def drawn_by_torch(checkpoint, prompts, seeds, settings):
    from sampling import draw, open_checkpoint

    model = open_checkpoint(checkpoint)
    return torch.cat([draw(model, [prompt], [seed], **settings) for prompt, seed in zip(prompts, seeds)])


@torch.no_grad()
def rebuilt_by_torch(checkpoint, data, cases):
    from sampling import open_checkpoint

    vae, rgba, white = open_checkpoint(checkpoint).vae, drawings(data), torch.full((1, 3), 255.0)
    pictures = [on_background(rgba[concept, STYLES.index(style)][None], white) for concept, style, _ in cases]
    return torch.cat([vae.decode(vae.encode(picture)).clamp(-1, 1) for picture in pictures])


def main(arguments):
    listed = concepts(arguments.data)
    cases = tests(listed)
    prompts = [test_caption(listed[concept], style) for concept, style, _ in cases]
    seeds = [seed for _, _, seed in cases]
    settings = {"steps": arguments.steps, "cfg": arguments.cfg, "sampler": arguments.sampler, "scheduler": arguments.scheduler}
    if arguments.folder:
        names = [f"{listed[concept]['name']}-{style}.png" for concept, style, _ in cases]
        pictures = torch.stack([to_tensor(Image.open(Path(arguments.folder) / name)) for name in names])
    elif arguments.server:
        from server import draw

        pictures = torch.stack([to_tensor(draw(arguments.server, arguments.name, *case, **settings)) for case in zip(prompts, seeds)])
    elif arguments.rebuilt:
        pictures = rebuilt_by_torch(arguments.checkpoint, arguments.data, cases)
    else:
        pictures = drawn_by_torch(arguments.checkpoint, prompts, seeds, settings)
    report(listed, cases, ranks(pictures, [concept for concept, _, _ in cases], training_features(arguments.data)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint")
    source.add_argument("--folder")
    source.add_argument("--server")
    parser.add_argument("--rebuilt", action="store_true")
    parser.add_argument("--name", default="emoji-demo.safetensors", help="the checkpoint's name at the server")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=4.0)
    parser.add_argument("--sampler", default="euler")
    parser.add_argument("--scheduler", default="normal")
    main(parser.parse_args())
