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
from collections.abc import Iterator, Sequence
from typing import Any, Literal

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


def pack_decoder(
    decoder: nn.Sequential, image: tuple[int, int, int], latent: int, pixels: Literal["sigmoid", "clip"] = "sigmoid"
) -> bytes:
    """A decoder [B, Z] -> [B, C, H, W] as float16 weights, and after it what brings its outputs into [0, 1]: `pixels`,
    as its model says.

    The bundled weights are float16 already, so nothing is rounded here that the server decodes with unrounded.
    Raises InvalidInput for a layer that the browser cannot run.
    """
    payload = Payload()
    layers: list[dict[str, Any]] = []
    size: tuple[int, int] | None = None  # height and width, once the code has become an image
    for module in plain_layers(decoder):
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
        elif isinstance(module, Keep):
            assert size is not None, "a block comes after the code has become an image"
            layers.append({"op": "keep", "channels": module.channels, "height": size[0], "width": size[1]})
        elif isinstance(module, Add):
            layers.append({"op": "add"})
        elif type(module) in ACTIVATIONS:
            layers.append({"op": "activation", "name": ACTIVATIONS[type(module)]})
        else:
            raise InvalidInput(
                f"The browser cannot run a layer of type {type(module).__name__}; it knows Linear, ConvTranspose2d, "
                f"Unflatten, residual blocks and {', '.join(sorted(ACTIVATIONS.values()))}."
            )
    layers.append({"op": "activation", "name": pixels})
    return _pack("decoder", {"image": list(image), "latent": latent, "dtype": "float16", "layers": layers}, payload)


class Keep(nn.Module):
    """Stands for: remember what there is, an image of so many channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels


class Add(nn.Module):
    """Stands for: add what was remembered."""


def plain_layers(layers: nn.Sequential) -> Iterator[nn.Module]:
    """The layers one after another: a block x + branch(x) as Keep, its branch, Add; in a branch, a convolution that
    keeps the image's size as the transposed one that does the same."""
    for layer in layers:
        branch = getattr(layer, "branch", None)
        if isinstance(branch, nn.Sequential):
            yield Keep(next(each.in_channels for each in branch if isinstance(each, nn.Conv2d)))
            yield from plain_layers(branch)
            yield Add()
        elif isinstance(layer, nn.Conv2d) and layer.stride == (1, 1):
            yield _transposed(layer)
        else:
            yield layer


def _transposed(layer: nn.Conv2d) -> nn.ConvTranspose2d:
    """The transposed convolution that equals one of stride 1: its kernels turned by half a circle."""
    side, padding = layer.kernel_size[0], int(layer.padding[0])
    same = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, side, padding=side - 1 - padding)
    assert layer.bias is not None
    same.weight.data = layer.weight.detach().transpose(0, 1).flip(2, 3)
    same.bias.data = layer.bias.detach()  # type: ignore[union-attr]
    return same


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
    if side is not None:
        images = _shrunk(images, side, side)
    columns = math.ceil(math.sqrt(len(images)))
    payload = Payload()
    png = _atlas(images, columns)
    header = {
        "count": len(images), "side": images.shape[-2], "columns": columns, "png": payload.add(png), "length": len(png),
    }  # fmt: skip
    return _pack("thumbnails", header, payload)


def pack_frames(
    steps: Sequence[int],
    latents: Sequence[Tensor],
    pictures: Sequence[Tensor],
    labels: Tensor,
    axes: tuple[int, int],
    slot: str,
    side: int = 64,
) -> bytes:
    """Some moments of a training: the codes of the same held-out images [N, Z] at each of the `steps`, of which two
    latents travel as float16, and the pictures uint8 [P, C, H, W] of each, one row of a PNG, `side` pixels high and
    wide at most. The browser keeps one pack for each `slot`, so a longer pack takes the place of a shorter one.
    """
    payload = Payload()
    # Half precision ends at 65,504; what lies beyond is far outside any window.
    planes = torch.stack([codes[:, list(axes)].float().clamp(-6e4, 6e4) for codes in latents])  # [F, N, 2]
    codes_at = payload.add_array(planes, "float16")
    labels_at = payload.add_array(labels, "uint8")
    strips = []
    for images in pictures:
        shrink = min(1.0, side / max(images.shape[-2:]))
        height, width = (max(1, round(length * shrink)) for length in images.shape[-2:])
        png = _atlas(_shrunk(images, height, width), len(images))
        strips.append([payload.add(png), len(png)])
    header = {
        "slot": slot, "steps": list(steps), "count": len(labels), "axes": list(axes), "codes": codes_at,
        "labels": labels_at, "strips": strips,
    }  # fmt: skip
    return _pack("frames", header, payload)


def _shrunk(images: Tensor, height: int, width: int) -> Tensor:
    """Pictures uint8 [N, C, H, W], made smaller by averaging."""
    if images.shape[-2:] == (height, width):
        return images
    # A part at a time: as float32 all of them would take four times their memory.
    size = (height, width)
    parts = [nn.functional.interpolate(part.float(), size=size, mode="area") for part in images.split(1000)]
    return torch.cat(parts).round().to(torch.uint8)


def _atlas(images: Tensor, columns: int) -> bytes:
    """Pictures uint8 [N, C, H, W] as one PNG, `columns` of them in a row."""
    count, channels, height, width = images.shape
    rows = math.ceil(count / columns)
    atlas = torch.zeros(rows * columns, channels, height, width, dtype=torch.uint8)
    atlas[:count] = images
    sheet = atlas.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    pixels = sheet.reshape(rows * height, columns * width, channels).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(file, "png", compress_level=6)
    return file.getvalue()
