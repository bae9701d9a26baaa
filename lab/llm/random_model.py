# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a small llama model of random weights as a GGUF file: it knows nothing, and costs what a model of its size costs.

It says nothing but its few words: single bytes would not make text, and llama.cpp holds the halves of a character back, so that a stream of
ten tokens would have six events or ten. To that end one number of its state is always the same (LEAN), and makes all other tokens unlikely (MUTE).

    python3 -m lab.llm.random_model /tmp/model.gguf

The format is llama.cpp's: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3, little endian).
"""
from __future__ import annotations

import argparse
import array
import dataclasses
import math
import random
import struct
import sys
import typing as t
from pathlib import Path

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
# Kinds of metadata values, kinds of tokens (llama.cpp's llama_token_type) and the one kind of tensor that is used here.
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
ALL_F32 = 0
FORMATS = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}
# The standard deviation with which llama's authors start their weights.
DEVIATION = 0.02
LEAN, MUTE = 1.0, -50.0
WORDS = (" the", " of", " rack", " node", " gpu", " ok", " a", " to", " is", " and")
CHAT_TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"


@dataclasses.dataclass(frozen=True)
class Shape:
    """How large a model is; width and layers set what a token costs. Counts are of numbers, the context is in tokens."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    hidden: int = 128
    context: int = 8192
    seed: int = 7

    def problems(self) -> list[str]:
        found = [f"{field.name} is {getattr(self, field.name)}, expected 1 or more" for field in dataclasses.fields(self)
                 if field.name != "seed" and getattr(self, field.name) < 1]
        if not found and self.width % (2 * self.heads):
            found.append(f"width is {self.width}, expected a multiple of twice the {self.heads} heads: each of them turns pairs of numbers")
        return found


def vocabulary() -> tuple[list[bytes], list[int]]:
    """Every byte and a few words; (tokens, their kinds). Filled up to a multiple of 32, as llama.cpp's kernels like it."""
    tokens = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % number for number in range(256))]
    kinds = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256]
    # SentencePiece writes a space as U+2581.
    tokens += [word.replace(" ", "\u2581").encode() for word in WORDS]
    kinds += [NORMAL] * len(WORDS)
    while len(tokens) % 32:
        tokens.append(b"<pad%d>" % len(tokens))
        kinds.append(CONTROL)
    return tokens, kinds


def write(path: Path, shape: Shape = Shape()) -> None:
    """Write the model. The same shape makes the same bytes.

    :raises ValueError: where no model can have this shape, with every reason.
    """
    problems = shape.problems()
    if problems:
        raise ValueError("; ".join(problems))
    metadata, tensors = _metadata(shape), _tensors(shape)
    numbers = random.Random(shape.seed)
    with open(path, "wb") as stream:
        stream.write(MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(metadata)))
        for key, (kind, value) in metadata.items():
            stream.write(_string(key) + struct.pack("<I", kind) + _value(kind, value))
        offset = 0
        for name, dimensions in tensors.items():
            stream.write(_string(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, ALL_F32, offset))
            offset += _padded(4 * math.prod(dimensions))
        stream.write(bytes(_padded(stream.tell()) - stream.tell()))
        for name, dimensions in tensors.items():
            data = _weights(name, dimensions, numbers)
            stream.write(data + bytes(_padded(len(data)) - len(data)))


def _metadata(shape: Shape) -> dict[str, tuple[int, t.Any]]:
    tokens, kinds = vocabulary()
    return {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "tiny-random"),
        "general.file_type": (UINT32, ALL_F32),
        "llama.context_length": (UINT32, shape.context),
        "llama.embedding_length": (UINT32, shape.width),
        "llama.block_count": (UINT32, shape.layers),
        "llama.feed_forward_length": (UINT32, shape.hidden),
        "llama.attention.head_count": (UINT32, shape.heads),
        "llama.attention.head_count_kv": (UINT32, shape.heads),
        "llama.attention.layer_norm_rms_epsilon": (FLOAT32, 1e-5),
        "llama.rope.dimension_count": (UINT32, shape.width // shape.heads),
        "llama.vocab_size": (UINT32, len(tokens)),
        "tokenizer.ggml.model": (STRING, "llama"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.scores": (ARRAY, (FLOAT32, [0.0] * len(tokens))),
        "tokenizer.ggml.token_type": (ARRAY, (INT32, kinds)),
        "tokenizer.ggml.unknown_token_id": (UINT32, 0),
        "tokenizer.ggml.bos_token_id": (UINT32, 1),
        "tokenizer.ggml.eos_token_id": (UINT32, 2),
        "tokenizer.ggml.add_bos_token": (BOOL, True),
        "tokenizer.chat_template": (STRING, CHAT_TEMPLATE),
    }


def _tensors(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Names and dimensions; the first dimension is the one whose numbers lie side by side."""
    width, words = shape.width, len(vocabulary()[0])
    tensors: dict[str, tuple[int, ...]] = {"token_embd.weight": (width, words), "output_norm.weight": (width,), "output.weight": (width, words)}
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        tensors[block + "attn_norm.weight"] = tensors[block + "ffn_norm.weight"] = (width,)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"{block}{name}.weight"] = (width, width)
        tensors[block + "ffn_gate.weight"] = tensors[block + "ffn_up.weight"] = (width, shape.hidden)
        tensors[block + "ffn_down.weight"] = (shape.hidden, width)
    return tensors


def _weights(name: str, dimensions: tuple[int, ...], numbers: random.Random) -> bytes:
    count, row = math.prod(dimensions), dimensions[0]
    if name.endswith("_norm.weight"):
        data = array.array("f", [1.0] * count)
    else:
        # Uniform, since random() gives the same numbers in every version of Python; so wide that the deviation is the wanted one.
        width = DEVIATION * math.sqrt(12)
        data = array.array("f", ((numbers.random() - 0.5) * width for _number in range(count)))
    if name == "token_embd.weight":
        data[::row] = array.array("f", [LEAN] * dimensions[1])
    elif name == "output.weight":
        data[::row] = array.array("f", [0.0 if kind == NORMAL else MUTE for kind in vocabulary()[1]])
    elif name.endswith(("attn_output.weight", "ffn_down.weight")):
        data[:row] = array.array("f", [0.0] * row)   # no layer may change the number that leans
    if sys.byteorder == "big":
        data.byteswap()
    return data.tobytes()


def _string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def _value(kind: int, value: t.Any) -> bytes:
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        inner, members = value
        return struct.pack("<IQ", inner, len(members)) + b"".join(_value(inner, member) for member in members)
    return struct.pack(FORMATS[kind], value)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def main(argv: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    for field in dataclasses.fields(Shape):
        parser.add_argument(f"--{field.name}", type=int, default=field.default)
    options = vars(parser.parse_args(argv))
    try:
        write(options.pop("path"), Shape(**options))
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
