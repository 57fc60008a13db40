"""Draws the examples of the README.

    python contact_sheet.py CHECKPOINT     → samples.png, and on the terminal a table of what it shows
"""

import sys
from pathlib import Path

import torch

from pictures import sheet
from sampling import draw, open_checkpoint

COLUMNS = 6
PROMPTS = [
    "a red apple, noto",
    "a red apple, fluent",
    "smiling face with sunglasses, noto",
    "smiling face with sunglasses, fluent",
    "pizza, noto",
    "pizza, fluent",
    "a green heart, noto",
    "a purple heart, fluent",
    "a rocket, noto",
    "a rose, fluent",
    "a mushroom, noto",
    "a cactus, fluent",
    "a red apple on a blue background, noto",
    "a sunflower on a pink background, noto",
    "a blue car",
    "a house, fluent",
    "a ghost, noto",
    "a snowman on a blue background, fluent",
]


if __name__ == "__main__":
    model = open_checkpoint(sys.argv[1])
    pictures = torch.cat([draw(model, [prompt], [seed]) for seed, prompt in enumerate(PROMPTS)])
    sheet(pictures, COLUMNS).save(Path(__file__).parent / "samples.png", optimize=True)
    for seed, prompt in enumerate(PROMPTS):
        print(f"| {seed // COLUMNS + 1}, {seed % COLUMNS + 1} | {prompt} | {seed} |")
