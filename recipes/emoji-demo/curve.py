"""Draws how a training went: the loss, and the share of probed pictures that were recognised.

    python curve.py DATA     → curve.svg
"""

import csv
import sys
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 640, 260, 40
HIGHEST_LOSS = 1.0


def rows(path):
    with path.open() as file:
        return [[float(value) for value in row] for row in csv.reader(file)]


def smooth(points, span=5):
    result = []
    for index, (x, _) in enumerate(points):
        near = [y for _, y in points[max(0, index - span) : index + span + 1]]
        result.append((x, sum(near) / len(near)))
    return result


def main(data):
    losses = smooth([(minutes, min(loss, HIGHEST_LOSS)) for _, minutes, loss in rows(data / "unet.csv")])
    probes = rows(data / "probe.csv")
    longest = max(minutes for minutes, _ in losses)

    def line(points, colour):
        places = " ".join(
            f"{MARGIN + x / longest * (WIDTH - 2 * MARGIN):.1f},{HEIGHT - MARGIN - y * (HEIGHT - 2 * MARGIN):.1f}" for x, y in points
        )
        return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>'

    def text(x, y, words, colour="#444"):
        return f'<text x="{x}" y="{y}" fill="{colour}">{words}</text>'

    right, bottom = WIDTH - MARGIN, HEIGHT - MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="#888"/>',
        line(losses, "#888"),
        line([(minutes, nearest) for _, minutes, nearest, _ in probes], "#d63c3c"),
        line([(minutes, five) for _, minutes, _, five in probes], "#3c78d6"),
        text(MARGIN, 24, "loss"),
        text(MARGIN + 40, 24, "nearest picture is the concept (of 60)", "#d63c3c"),
        text(MARGIN + 270, 24, "among the five nearest", "#3c78d6"),
        text(12, MARGIN + 4, "1"),
        text(12, bottom + 4, "0"),
        text(right - 60, bottom + 18, f"{longest:.0f} minutes"),
        "</svg>",
    ]
    (Path(__file__).parent / "curve.svg").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
