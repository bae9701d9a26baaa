# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the application that releases are tried on, from this machine into the registry of the lab's mirror."""
from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from .common import OUTPUT, ROOT, NotProved, hosts_of, on, say, send

#: Read by inventories/lab-releases, where it pins the image.
DIGEST = OUTPUT / "llm-digest"
#: Path and tag in the registry. Nodes pull by the digest; without a tag a registry's own cleaning would take the image away.
NAME = "llm:lab"
#: The mirror's registry for writers: its own host only, behind the NGINX that lets readers in.
REGISTRY = "127.0.0.1:5001"
BUILD_LIMIT = 900


def built():
    """:returns: the folder of the image, which is built where it is missing. :raises NotProved: with what the build said."""
    done = subprocess.run([sys.executable, "-m", "lab.artifacts", "tool", "llm-image"], cwd=ROOT, capture_output=True, text=True,
                          timeout=BUILD_LIMIT, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise NotProved("the image was not built: %s\n%s" % (done.stderr[-2000:], done.stdout[-2000:]))
    return Path(done.stdout.splitlines()[-1])


def llm_image(_inventory):
    """Build it, and tell the inventory its digest. Needs no host, so that the first converge knows the service as it will be."""
    begun = time.monotonic()
    digest = (built() / "digest").read_text().strip()
    if not digest.startswith("sha256:"):
        raise NotProved("the image's digest is %r" % digest)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    DIGEST.write_text(digest)
    say("image of the application: %s, there after %.0f s" % (digest, time.monotonic() - begun))


def llm_image_pushed(inventory):
    """Push it into the mirror's registry, and read its digest back."""
    begun = time.monotonic()
    archive = built() / "llm.tar"
    mirror = next(name for name, entry in sorted(hosts_of(inventory).items()) if "mirror" in entry["groups"])
    on(mirror, "mkdir", "-p", "llm-image")
    send(mirror, archive, "llm-image/llm.tar")
    on(mirror, "/usr/local/bin/crane", "push", "--insecure", "llm-image/llm.tar", "%s/%s" % (REGISTRY, NAME))
    on(mirror, "rm", "-r", "llm-image")
    there = on(mirror, "/usr/local/bin/crane", "digest", "--insecure", "%s/%s" % (REGISTRY, NAME)).strip()
    wanted = DIGEST.read_text().strip() if DIGEST.exists() else "none: step llm-image was not run"
    if there != wanted:
        raise NotProved("the registry has %s, and the inventory wants %s" % (there, wanted))
    say("the registry of %s has the image under the digest that nodes ask for, %.0f MB, after %.0f s" % (
        mirror, archive.stat().st_size / 1e6, time.monotonic() - begun))
