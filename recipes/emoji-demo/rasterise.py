"""Draws the emoji that both sets have as PNGs of 128×128 and lists what they show.

    python rasterise.py DATA      → DATA/pictures/{noto,fluent}/NAME.png, DATA/concepts.json
"""

import json
import re
import sys
from pathlib import Path

import resvg_py

SIDE = 128
STYLES = {"noto": "noto", "fluent": "fluent-emoji-flat"}
PACKAGES = Path(__file__).parent / "node_modules"

# Subgroups of people in every skin and gender, and of signs that differ by a stroke.
LEFT_OUT = set(
    "person person-gesture person-activity person-sport person-resting family person-symbol skin-tone hair-style "
    "transport-sign warning arrow religion zodiac av-symbol gender math punctuation currency other-symbol keycap "
    "alphanum flag country-flag subdivision-flag".split()
)
LEFT_OUT_LABELS = re.compile(r"o’clock|-thirty|^(man|woman|men|women|merman|merperson)\b|button|(small|medium).* (square|diamond)")


def read(name):
    return json.loads((PACKAGES / name).read_text())


class Icons:
    """One set of drawings."""

    def __init__(self, package):
        self.icons = read(f"@iconify-json/{package}/icons.json")
        self.names = read(f"@iconify-json/{package}/chars.json")

    def svg(self, hexcode):
        """The drawing of an emoji by its code points; `None` if the set lacks it."""
        code = hexcode.lower()
        name = self.names.get(code) or self.names.get(code.replace("-fe0f", ""))
        name = self.icons.get("aliases", {}).get(name, {}).get("parent", name)
        icon = self.icons["icons"].get(name)
        if icon is None:
            return None
        width, height = (icon.get(side, self.icons[side]) for side in ("width", "height"))
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{SIDE}" height="{SIDE}" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )


def main(data):
    sets = {style: Icons(package) for style, package in STYLES.items()}
    subgroups = read("emojibase-data/meta/groups.json")["subgroups"]
    concepts = []
    for style in sets:
        (data / "pictures" / style).mkdir(parents=True, exist_ok=True)
    for emoji in read("emojibase-data/en/data.json"):
        subgroup = subgroups.get(str(emoji.get("subgroup")))
        label = emoji["label"]
        if subgroup is None or subgroup in LEFT_OUT or LEFT_OUT_LABELS.search(label):
            continue
        drawings = {style: icons.svg(emoji["hexcode"]) for style, icons in sets.items()}
        if None in drawings.values():
            continue
        name = re.sub("[^a-z0-9]+", "-", label.lower())
        for style, svg in drawings.items():
            png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
            (data / "pictures" / style / f"{name}.png").write_bytes(png)
        concepts.append({"name": name, "label": label, "tags": emoji.get("tags", []), "subgroup": subgroup})
    concepts.sort(key=lambda concept: concept["name"])
    (data / "concepts.json").write_text(json.dumps(concepts, indent=1, ensure_ascii=False))
    print(f"{len(concepts)} concepts in {len(sets)} styles")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
