"""Checks of the recipe's parts that need no data: python -m unittest, in this folder."""

import json
import random
import struct
import unittest

import torch
import torch.nn.functional as F

from autoencoder import Autoencoder
from captions import Captions, test_caption
from diffusion import SIGMAS, karras_schedule, normal_schedule, sample
from model import noises
from muon import orthogonal
from norm import GroupNorm
from packing import pack, unpack
from retrieval import centred, ranks
from text import END, START, Tokenizer, Vocabulary

CONCEPTS = [
    {"name": "red-apple", "label": "red apple", "tags": ["apple", "red", "fruit"]},
    {"name": "pinata", "label": "piñata", "tags": ["party", "fruit"]},
]


class Recipe(unittest.TestCase):
    def test_tokens(self):
        rows = Tokenizer().rows(["a red apple", ""])
        self.assertEqual(rows[0, :6].tolist(), [START, 320, 736, 3055, END, END])
        self.assertEqual(rows[1].tolist(), [START] + [END] * 76)

    def test_vocabulary(self):
        vocabulary = Vocabulary([320, 736])
        compact = vocabulary.compact(torch.tensor([320, 736, START, END]))
        table = torch.arange(4.0)[:, None] + 1
        self.assertTrue(torch.equal(vocabulary.whole(table)[[320, 736, START, END]], table[compact]))
        self.assertEqual(vocabulary.whole(table)[5].item(), 0)

    def test_captions(self):
        captions, chooser = Captions(CONCEPTS), random.Random(1)
        self.assertEqual(test_caption(CONCEPTS[1], "noto"), "a pinata, noto")
        self.assertEqual(captions.rare[0], ["apple", "red", "fruit"])
        some = [captions.caption(0, "noto", "blue", chooser) for _ in range(100)]
        self.assertTrue(all("blue background" in caption for caption in some if caption))
        self.assertTrue(any(not caption for caption in some))

    def test_schedules(self):
        for schedule in (normal_schedule, karras_schedule):
            sigmas = schedule(4)
            self.assertEqual(len(sigmas), 5)
            self.assertAlmostEqual(sigmas[0].item(), 14.6146, places=3)
            self.assertAlmostEqual(sigmas[3].item(), 0.029167, places=5)
        self.assertAlmostEqual(normal_schedule(4)[1].item(), 2.918307, places=4)
        self.assertAlmostEqual(karras_schedule(4)[1].item(), 3.168605, places=4)

    def test_noise(self):
        expected = torch.tensor([1.9269, 1.4873, 0.9007, -2.1055])
        torch.testing.assert_close(noises([42])[0, 0, 0, :4], expected, atol=1e-4, rtol=0)

    def test_samplers_find_a_known_latent(self):
        clean = torch.randn(1, 4, 16, 16)

        def unet(x, timesteps, _):
            sigma = SIGMAS[timesteps[0]]
            return (x * (sigma**2 + 1) ** 0.5 - clean) / sigma

        text = torch.zeros(1, 77, 64)
        for sampler, scheduler in (("euler", "normal"), ("dpmpp_2m", "karras")):
            found = sample(unet, text, text, noises([1]), sampler=sampler, scheduler=scheduler)
            torch.testing.assert_close(found, clean, atol=0.05, rtol=0)

    def test_rescaling_keeps_pictures(self):
        vae, pictures = Autoencoder().eval(), torch.rand(2, 3, 32, 32) * 2 - 1
        with torch.no_grad():
            before = vae.decode(vae.encode(pictures))
            latents = vae.encode(pictures)
            vae.rescale(latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3)))
            self.assertAlmostEqual(vae.encode(pictures).std().item(), 1, places=1)
            torch.testing.assert_close(vae.decode(vae.encode(pictures)), before, atol=1e-3, rtol=1e-3)

    def test_norm(self):
        for silu in (True, False):
            norm = GroupNorm(64, 1e-5, silu)
            torch.nn.init.normal_(norm.weight)
            x = torch.randn(2, 64, 5, 3).contiguous(memory_format=torch.channels_last)
            down = torch.randn(2, 64, 5, 3)
            results = []
            for kind in (torch.bfloat16, torch.float32):
                given = x.to(kind).requires_grad_()
                norm.zero_grad()
                (norm(given) * down).sum().backward()
                results.append([given.grad.float(), norm.weight.grad.clone(), norm.bias.grad.clone()])
            for fast, plain in zip(*results):
                self.assertGreater(F.cosine_similarity(fast.flatten(), plain.flatten(), dim=0).item(), 0.999)

    def test_muon_makes_matrices_orthogonal(self):
        values = torch.linalg.svdvals(orthogonal(torch.randn(3, 32, 64)))
        self.assertTrue(((values > 0.5) & (values < 1.5)).all())

    def test_packing(self):
        header = json.dumps({"x": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
        file = struct.pack("<Q", len(header)) + header + bytes([1, 2, 3, 4, 5, 6])
        self.assertEqual(unpack(pack(file)), file)

    def test_retrieval(self):
        pictures = torch.ones(2, 3, 128, 128)
        pictures[0, :, 10:50, 10:50] = torch.tensor([1.0, -1, -1])[:, None, None]
        pictures[1, :, 30:70, 20:120] = torch.tensor([-1.0, -1, 1])[:, None, None]
        self.assertTrue((centred(pictures[0])[1, 44:84, 44:84] == -1).all())
        from retrieval import features

        references = features(pictures)[:, None]
        self.assertEqual(ranks(pictures, [0, 1], references).tolist(), [0, 0])
        self.assertEqual(ranks(pictures, [1, 0], references).tolist(), [1, 1])


if __name__ == "__main__":
    unittest.main()
