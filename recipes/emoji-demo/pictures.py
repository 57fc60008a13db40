"""The training pictures, and the backgrounds they are laid on."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

STYLES = ["noto", "fluent"]

# The first is what a picture without a word about its background has.
BACKGROUNDS = {
    "white": (255, 255, 255),
    "black": (20, 20, 24),
    "red": (214, 60, 60),
    "orange": (240, 150, 50),
    "yellow": (250, 220, 90),
    "green": (90, 180, 90),
    "blue": (80, 140, 230),
    "purple": (150, 100, 210),
    "pink": (250, 175, 205),
    "grey": (150, 155, 160),
}


def concepts(data):
    return json.loads((Path(data) / "concepts.json").read_text())


def drawings(data):
    """RGBA bytes of all concepts in all styles, `[concepts, styles, 4, side, side]`."""
    folder = Path(data) / "pictures"
    rows = [
        [np.array(Image.open(folder / style / f"{concept['name']}.png").convert("RGBA")) for style in STYLES]
        for concept in concepts(data)
    ]
    return torch.from_numpy(np.array(rows)).permute(0, 1, 4, 2, 3).contiguous()


def on_background(rgba, colour):
    """Pictures in -1..1 of RGBA bytes `[n, 4, h, w]` on colours of 0..255 `[n, 3]`."""
    rgba = rgba.float()
    alpha = rgba[:, 3:] / 255
    flat = rgba[:, :3] * alpha + colour[:, :, None, None] * (1 - alpha)
    return flat / 127.5 - 1


def to_tensor(image):
    """A picture `[3, h, w]` in -1..1 of a Pillow image."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1) / 127.5 - 1


def to_image(picture):
    """A Pillow image of a picture `[3, h, w]` in -1..1, cut to whole levels as ComfyUI does when it saves one."""
    levels = ((picture + 1) / 2 * 255).clamp(0, 255).byte()
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def sheet(pictures, columns):
    """One Pillow image of many pictures `[n, 3, h, w]`."""
    images = [to_image(picture) for picture in pictures]
    side = images[0].width
    rows = -(-len(images) // columns)
    result = Image.new("RGB", (columns * side, rows * side), "white")
    for index, image in enumerate(images):
        result.paste(image, (index % columns * side, index // columns * side))
    return result
