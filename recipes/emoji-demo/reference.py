"""Draws the pictures that tests of other implementations compare with: float32, on a CPU.

    python reference.py CHECKPOINT     → reference/*.png, reference/settings.json
"""

import json
import sys
from pathlib import Path

from pictures import to_image
from sampling import draw, open_checkpoint

FOLDER = Path(__file__).parent / "reference"
COMMON = {"negative": "", "steps": 20, "cfg": 4.0, "sampler": "euler", "scheduler": "normal"}
CASES = {
    "apple": {"prompt": "a red apple, noto", "seed": 42},
    "sunglasses": {"prompt": "smiling face with sunglasses, fluent", "seed": 7},
    "pizza": {"prompt": "pizza on a blue background, noto", "seed": 3},
    "rocket": {"prompt": "a rocket, fluent", "seed": 11, "sampler": "dpmpp_2m", "scheduler": "karras"},
}


def main(checkpoint):
    model = open_checkpoint(checkpoint)
    FOLDER.mkdir(exist_ok=True)
    settings = {name: {**COMMON, **case, "width": 128, "height": 128} for name, case in CASES.items()}
    for name, case in settings.items():
        options = {key: case[key] for key in COMMON}
        to_image(draw(model, [case["prompt"]], [case["seed"]], **options)[0]).save(FOLDER / f"{name}.png")
    (FOLDER / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
