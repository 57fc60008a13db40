#!/usr/bin/env python3
"""The cases of pictures.rs in PyTorch, kornia, SciPy and Pillow.

    pictures.py        reads the number of a case per line, answers with the milliseconds it took
"""
import sys, time
import kornia, numpy as np, scipy.ndimage, torch
import torch.nn.functional as F
from PIL import Image

BATCH, SIDE = 8, 1024


def values(seed, channels):
    n, y, x, c = torch.meshgrid(*(torch.arange(size) for size in (BATCH, SIDE, SIDE, channels)), indexing="ij")
    waves = (x * (3 + c) + y * (2 + n) + seed * 31) % 512
    slope = torch.where(waves < 256, waves, 511 - waves)
    return ((slope + (x * 7 + y * 13 + c * 5 + seed) % 11).clamp(max=255) / 255).float()


A, B = values(1, 3), values(2, 3)
M, N = values(3, 1)[..., 0].contiguous(), values(4, 1)[..., 0].contiguous()


def scaled(side, mode):
    return F.interpolate(A.movedim(-1, 1), size=(side, side), mode=mode).movedim(1, -1)


def lanczos(side):
    done = []
    for picture in A:
        data = np.clip(255.0 * picture.numpy(), 0, 255).astype(np.uint8)
        data = np.array(Image.fromarray(data).resize((side, side), Image.Resampling.LANCZOS)).astype(np.float32) / 255.0
        done.append(torch.from_numpy(data))
    return torch.stack(done)


def padded():
    result = torch.ones(BATCH, SIDE + 128, SIDE + 128, 3) * 0.5
    result[:, 64:-64, 64:-64] = A
    mask = torch.ones(SIDE + 128, SIDE + 128)
    mask[64:-64, 64:-64] = torch.zeros(SIDE, SIDE)
    return result, mask


def blended():
    mixed = torch.where(A <= 0.5, 2 * A * B, 1 - 2 * (1 - A) * (1 - B))
    return torch.clamp(A * 0.5 + mixed * 0.5, 0, 1)


def convolved(radius, sharpens):
    line = torch.linspace(-1, 1, 2 * radius + 1)
    kernel = torch.exp(-(line[:, None] ** 2 + line[None] ** 2) / 2)
    kernel = kernel / kernel.sum()
    if sharpens:
        kernel = kernel * -10
        kernel[radius, radius] += 1 - kernel.sum()
    pictures = F.pad(A.movedim(-1, 1), [radius] * 4, "reflect")
    result = F.conv2d(pictures, kernel.repeat(3, 1, 1, 1), groups=3).movedim(1, -1)
    return result.clamp(0, 1) if sharpens else result


def laid():
    below, mask = A.clone().movedim(-1, 1), M[:, None]
    below[...] = mask * B.movedim(-1, 1) + (torch.ones_like(mask) - mask) * below
    return below.movedim(1, -1)


def quantised(dither):
    done = []
    for picture in A:
        picture = Image.fromarray((picture * 255).to(torch.uint8).numpy())
        result = picture.quantize(palette=picture.quantize(colors=64), dither=dither)
        done.append(torch.tensor(np.array(result.convert("RGB"))).float() / 255)
    return torch.stack(done)


def grown():
    footprint = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    done = []
    for mask in M.numpy():
        for _ in range(6):
            mask = scipy.ndimage.grey_dilation(mask, footprint=footprint)
        done.append(torch.from_numpy(mask))
    return torch.stack(done)


def over():
    pictures, masks = [], []
    for a, hides_a, b, hides_b in zip(A, M[..., None], B, N[..., None]):
        s, d = 1 - hides_a, 1 - hides_b
        a, b = a * s, b * d
        seen, out = s + (1 - s) * d, a + (1 - s) * b
        pictures.append(torch.clamp(torch.where(seen > 1e-5, out / seen, torch.zeros_like(out)), 0, 1))
        masks.append((1 - seen)[..., 0])
    return torch.stack(pictures), torch.stack(masks)


def yuv():
    result = kornia.color.rgb_to_ycbcr(A.movedim(-1, 1)).movedim(1, -1)
    return [result[..., i:i + 1].expand_as(A).contiguous() for i in range(3)]


CASES = [
    lambda: scaled(1536, "nearest-exact"), lambda: scaled(1536, "bilinear"), lambda: scaled(1536, "bicubic"), lambda: scaled(512, "area"),
    lambda: lanczos(1536), lambda: scaled(512, "bilinear"), lambda: 1.0 - A, lambda: torch.cat((A, B)),
    lambda: A[:, 50:818, 100:868].clone(), lambda: torch.flip(A, [2]), lambda: torch.rot90(A, 1, [2, 1]).contiguous(), padded, blended,
    lambda: convolved(5, False), lambda: convolved(1, True), laid,
    lambda: kornia.filters.canny(A.movedim(-1, 1), 0.3, 0.6)[1].repeat(1, 3, 1, 1).movedim(1, -1),
    lambda: kornia.morphology.dilation(A.movedim(-1, 1), torch.ones(5, 5)).movedim(1, -1), yuv,
    lambda: quantised(Image.Dither.NONE), lambda: quantised(Image.Dither.FLOYDSTEINBERG),
    lambda: M[..., None].expand(-1, -1, -1, 3).contiguous(), lambda: A[..., 0].contiguous(), lambda: 1.0 - M, grown,
    lambda: torch.clamp(M * N, 0, 1), lambda: torch.cat((A, (1 - M)[..., None]), -1), over,
]


@torch.inference_mode()
def main():
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        result = CASES[int(line)]()
        del result
        print(f"{(time.perf_counter() - start) * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    main()
