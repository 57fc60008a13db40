"""CLIP's tokenizer and text transformer with the names of Stable Diffusion's `cond_stage_model.transformer`."""

import gzip
import re
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from attention import attend

MERGES = Path(__file__).parents[2] / "crates/comfy-diffusion/src/text/data/clip_merges.txt.gz"
START, END = 49406, 49407
LENGTH = 77
HEAD = 64
# CLIP's own pattern, for captions in ASCII.
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


def byte_symbols():
    """A printable character for each byte, in the order of the vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {byte: chr(byte) for byte in printable}
    symbols.update({byte: chr(256 + index) for index, byte in enumerate(others)})
    return symbols


class Tokenizer:
    def __init__(self):
        merges = [tuple(line.split()) for line in gzip.open(MERGES, "rt", encoding="utf-8").read().splitlines()]
        self.symbols = byte_symbols()
        letters = list(self.symbols.values())
        words = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges]
        self.ids = {word: index for index, word in enumerate(words)}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.word = lru_cache(maxsize=None)(self.word)

    def word(self, text):
        parts = [self.symbols[byte] for byte in text.encode()]
        parts[-1] += "</w>"
        while len(parts) > 1:
            pair = min(zip(parts, parts[1:]), key=lambda pair: self.ranks.get(pair, 1 << 30))
            if pair not in self.ranks:
                break
            merged, index = [], 0
            while index < len(parts):
                if tuple(parts[index : index + 2]) == pair:
                    merged.append("".join(pair))
                    index += 2
                else:
                    merged.append(parts[index])
                    index += 1
            parts = merged
        return [self.ids[part] for part in parts]

    def tokens(self, text):
        """The tokens of a text without the marks around it."""
        return [token for piece in PIECES.findall(text.lower()) for token in self.word(piece)]

    def rows(self, texts):
        """Token rows `[texts, 77]`: a start, the text, an end, and ends to the full length."""
        result = torch.full((len(texts), LENGTH), END)
        result[:, 0] = START
        for row, text in zip(result, texts):
            tokens = self.tokens(text)[: LENGTH - 2]
            row[1 : 1 + len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        return result


class Vocabulary:
    """The tokens that captions use, as the rows of a small table; the whole one is made of it at the end."""

    def __init__(self, ids):
        self.ids = torch.tensor(sorted({START, END, *ids}))
        self.places = torch.zeros(END + 1, dtype=torch.long)
        self.places[self.ids] = torch.arange(len(self.ids))

    def __len__(self):
        return len(self.ids)

    def compact(self, tokens):
        return self.places[tokens]

    def whole(self, table):
        """The table of all of CLIP's tokens; those that were never seen mean nothing."""
        result = torch.zeros(END + 1, table.shape[1])
        result[self.ids] = table
        return result


class Embeddings(nn.Module):
    def __init__(self, width, entries):
        super().__init__()
        self.token_embedding = nn.Embedding(entries, width)
        self.position_embedding = nn.Embedding(LENGTH, width)
        nn.init.normal_(self.token_embedding.weight, std=0.5)
        nn.init.normal_(self.position_embedding.weight, std=0.1)

    def forward(self, tokens):
        return self.token_embedding(tokens) + self.position_embedding.weight


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        q, k, v = (
            layer(x).unflatten(2, (-1, HEAD)).transpose(1, 2) for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        result = attend(q, k, v, is_causal=True)
        return self.out_proj(result.transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        hidden = self.fc1(x)
        return self.fc2(hidden * torch.sigmoid(1.702 * hidden))


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(width)
        self.self_attn = Attention(width)
        self.layer_norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width)

    def forward(self, x):
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class TextEncoder(nn.Module):
    def __init__(self, width, depth, entries=END + 1):
        super().__init__()
        self.embeddings = Embeddings(width, entries)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([Layer(width) for _ in range(depth)])
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.embeddings(tokens)
        for layer in self.encoder.layers:
            x = layer(x)
        return self.final_layer_norm(x)
