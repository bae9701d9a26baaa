# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Container images without a daemon: one tar that is an OCI layout and a docker archive over the same blobs.

`crane push FILE REF` reads the docker side, `ctr images import` and `skopeo oci-archive:` the OCI side. The manifest is
written byte for byte as crane writes it, so the digest in our manifest.json is the one a registry answers with.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import typing as t
from pathlib import Path

from .archive import Entry, file, write_tar, write_tar_gz

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    entrypoint: tuple[str, ...]
    user: str = ""
    command: tuple[str, ...] = ()


def write_image(path: Path, reference: str, config: ImageConfig, layers: t.Sequence[t.Mapping[str, Entry]]) -> str:
    """Writes the tar and returns the manifest's digest."""
    blobs = path.with_name(path.name + ".blobs")
    blobs.mkdir()
    try:
        packed = []
        for number, entries in enumerate(layers):
            temporary = blobs / f"layer{number}"
            layer = write_tar_gz(temporary, entries)
            temporary.rename(blobs / layer.sha256)
            packed.append(layer)
        config_blob = _put(blobs, _config(config, [layer.plain_sha256 for layer in packed]))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, *config_blob),
            "layers": [_descriptor(LAYER, layer.sha256, layer.size) for layer in packed],
        }
        digest, size = _put(blobs, manifest)
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                _descriptor(MANIFEST, digest, size)
                | {
                    "platform": {"architecture": "amd64", "os": "linux"},
                    "annotations": {
                        "io.containerd.image.name": reference,
                        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
                    },
                }
            ],
        }
        docker = [
            {
                "Config": f"blobs/sha256/{config_blob[0]}",
                "RepoTags": [reference],
                "Layers": [f"blobs/sha256/{layer.sha256}" for layer in packed],
            }
        ]
        members = {f"blobs/sha256/{blob.name}": file(blob, 0o644) for blob in blobs.iterdir()}
        members["oci-layout"] = Entry(content=_json({"imageLayoutVersion": "1.0.0"}))
        members["index.json"] = Entry(content=_json(index))
        members["manifest.json"] = Entry(content=_json(docker))
        with open(path, "wb") as target:
            write_tar(target, members)
    finally:
        shutil.rmtree(blobs)
    return f"sha256:{digest}"


def _config(config: ImageConfig, diff_ids: list[str]) -> dict[str, t.Any]:
    settings: dict[str, t.Any] = {"Env": [PATH], "Entrypoint": list(config.entrypoint)}
    if config.command:
        settings["Cmd"] = list(config.command)
    if config.user:
        settings["User"] = config.user
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sum_}" for sum_ in diff_ids]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "ironrack lab"} for _sum in diff_ids],
    }


def _descriptor(media_type: str, sha256: str, size: int) -> dict[str, t.Any]:
    # In this order: it is the order that crane writes, and the digest covers it.
    return {"mediaType": media_type, "size": size, "digest": f"sha256:{sha256}"}


def _json(value: t.Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _put(blobs: Path, value: t.Any) -> tuple[str, int]:
    data = _json(value)
    sha256 = hashlib.sha256(data).hexdigest()
    (blobs / sha256).write_bytes(data)
    return sha256, len(data)
