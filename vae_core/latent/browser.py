"""Packs: what the browser needs to decode and draw by itself, each one run of bytes.

A pack is a uint32 (little endian) with the length of its header, the header as JSON, padded with spaces so that
the payload starts on a multiple of 8 bytes, and the payload. "at" numbers in the header are byte offsets into
the payload. A pack is named by the hash of its content, so the same pack is never sent twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vae_core.errors import InvalidInput

FORMAT = 1
ALIGNMENT = 8
ACTIVATIONS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.GELU: "gelu", nn.SiLU: "silu", nn.Tanh: "tanh"}


class Payload:
    """Bytes that grow, remembering where each part starts."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0

    def add(self, part: bytes) -> int:
        """Append a part, aligned; returns its offset in bytes."""
        padding = -self.length % ALIGNMENT
        at = self.length + padding
        self.parts += [b"\0" * padding, part]
        self.length = at + len(part)
        return at

    def add_array(self, array: Tensor | np.ndarray, dtype: str) -> int:
        return self.add(np.ascontiguousarray(np.asarray(array), dtype=np.dtype(dtype).newbyteorder("<")).tobytes())


def _pack(kind: str, header: dict[str, Any], payload: Payload) -> bytes:
    body = b"".join(payload.parts)
    name = hashlib.sha256(json.dumps([kind, header]).encode() + body).hexdigest()[:16]
    head = json.dumps({"format": FORMAT, "kind": kind, "id": name, **header}).encode()
    head += b" " * (-(len(head) + 4) % ALIGNMENT)
    return len(head).to_bytes(4, "little") + head + body


def read_header(pack: bytes) -> dict[str, Any]:
    """The header of a pack."""
    length = int.from_bytes(pack[:4], "little")
    return json.loads(pack[4 : 4 + length])


def pack_id(pack: bytes) -> str:
    """The name of a pack: 16 hexadecimal digits of its content's hash."""
    return read_header(pack)["id"]


def pack_decoder(decoder: nn.Sequential, image: tuple[int, int, int], latent: int) -> bytes:
    """A decoder [B, Z] -> logits [B, C, H, W], with a final sigmoid, as float16 weights.

    The bundled weights are float16 already, so nothing is rounded here that the server decodes with unrounded.
    Raises InvalidInput for a layer that the browser cannot run.
    """
    payload = Payload()
    layers: list[dict[str, Any]] = []
    size: tuple[int, int] | None = None  # height and width, once the code has become an image
    for module in decoder:
        if isinstance(module, nn.Linear):
            layers.append(
                {"op": "linear", "in": module.in_features, "out": module.out_features, **_weights(module, payload)}
            )
        elif isinstance(module, nn.ConvTranspose2d):
            assert size is not None, "a transposed convolution comes after the code has become an image"
            kernel, stride, padding = module.kernel_size[0], module.stride[0], int(module.padding[0])
            layers.append({
                "op": "conv_transpose", "in": module.in_channels, "out": module.out_channels, "kernel": kernel,
                "stride": stride, "padding": padding, "height": size[0], "width": size[1], **_weights(module, payload),
            })  # fmt: skip
            size = tuple((side - 1) * stride - 2 * padding + kernel for side in size)  # type: ignore[assignment]
        elif isinstance(module, nn.Unflatten):
            size = (int(module.unflattened_size[1]), int(module.unflattened_size[2]))
        elif type(module) in ACTIVATIONS:
            layers.append({"op": "activation", "name": ACTIVATIONS[type(module)]})
        else:
            raise InvalidInput(
                f"The browser cannot run a layer of type {type(module).__name__}; it knows Linear, ConvTranspose2d, "
                f"Unflatten and {', '.join(sorted(ACTIVATIONS.values()))}."
            )
    layers.append({"op": "activation", "name": "sigmoid"})
    return _pack("decoder", {"image": list(image), "latent": latent, "dtype": "float16", "layers": layers}, payload)


def _weights(module: nn.Linear | nn.ConvTranspose2d, payload: Payload) -> dict[str, int]:
    assert module.bias is not None
    return {
        "weight": payload.add_array(module.weight.detach(), "float16"),
        "bias": payload.add_array(module.bias.detach(), "float16"),
    }


def pack_points(codes: Tensor, std: Tensor | None, labels: Tensor, class_names: Sequence[str]) -> bytes:
    """Encoded images: posterior means [N, Z], standard deviations [N, Z] or None, labels [N]."""
    payload = Payload()
    header = {
        "count": len(codes),
        "latent": codes.shape[1],
        "classes": list(class_names),
        "codes": payload.add_array(codes, "float32"),
        "std": None if std is None else payload.add_array(std, "float32"),
        "labels": payload.add_array(labels, "uint8"),
    }
    return _pack("points", header, payload)


def pack_thumbnails(images: Tensor, side: int | None = None) -> bytes:
    """Pictures uint8 [N, C, H, W] in one PNG atlas; image i stands in column i % columns, row i // columns.

    `side` shrinks them (by averaging) to that many pixels.
    """
    if side is not None and side != images.shape[-1]:
        # A part at a time: as float32 all of them would take four times their memory.
        shrunk = [
            nn.functional.interpolate(part.float(), size=(side, side), mode="area") for part in images.split(1000)
        ]
        images = torch.cat(shrunk).round().to(torch.uint8)
    count, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    atlas = torch.zeros(rows * columns, channels, height, width, dtype=torch.uint8)
    atlas[:count] = images
    sheet = atlas.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    pixels = sheet.reshape(rows * height, columns * width, channels).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(file, "png", compress_level=6)
    payload = Payload()
    png = file.getvalue()
    header = {"count": count, "side": height, "columns": columns, "png": payload.add(png), "length": len(png)}
    return _pack("thumbnails", header, payload)
