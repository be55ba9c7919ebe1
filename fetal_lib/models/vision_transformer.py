"""Pre-norm transformer over patches of a feature map, as ViT-B/16 has it, with no class token.

References
----------
Dosovitskiy A et al. An image is worth 16x16 words: transformers for image recognition at scale.
ICLR 2021. arXiv:2010.11929
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

N_HEADS = 12
MLP_FACTOR = 4
EPSILON = 1e-6


class SelfAttention(nn.Module):
    """Multi-head attention among tokens."""

    def __init__(self, n: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Linear(n, n) for _ in range(3))
        self.out = nn.Linear(n, n)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        split = (self.n_heads, x.shape[-1] // self.n_heads)
        q, k, v = (
            layer(x).unflatten(-1, split).transpose(1, 2)  # (B, heads, N, C / heads)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))  # (B, N, C)


class TransformerBlock(nn.Module):
    """Attention and a two-layer perceptron, each on the normalised tokens and added to them."""

    def __init__(self, n: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(n, EPSILON)
        self.attention = SelfAttention(n, n_heads, dropout)
        self.norm_2 = nn.LayerNorm(n, EPSILON)
        self.mlp = nn.Sequential(
            nn.Linear(n, MLP_FACTOR * n),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(MLP_FACTOR * n, n),
            nn.Dropout(dropout),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm_1(x))  # (B, N, C)
        return x + self.mlp(self.norm_2(x))


class VisionTransformer(nn.Module):
    """Tokens of a feature map with learnt positions, through a chain of blocks, and back to a map.

    Parameters
    ----------
    n_in : int
        Channels of the feature map.
    n : int
        Channels of a token, a multiple of 12, the number of heads.
    side : int
        Height and width of the feature map, in tokens.
    n_blocks : int
    dropout : float
        Rate in [0, 1) after positions, attention and perceptrons.
    """

    def __init__(self, n_in: int, n: int, side: int, n_blocks: int, dropout: float) -> None:
        super().__init__()
        self.side = side
        self.embed = nn.Conv2d(n_in, n, 1)
        self.position = nn.Parameter(torch.zeros(1, side * side, n))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(
            *(TransformerBlock(n, N_HEADS, dropout) for _ in range(n_blocks))
        )
        self.norm = nn.LayerNorm(n, EPSILON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)  # (B, side * side, n)
        tokens = self.norm(self.blocks(self.dropout(tokens + self.position)))
        return tokens.transpose(1, 2).unflatten(2, (self.side, self.side))  # (B, n, side, side)
