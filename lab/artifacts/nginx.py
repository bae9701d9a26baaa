# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NGINX from the source tree that the crate nginx-src carries: cargo fetches and verifies, configure and make build.

Debian 12 has 1.22, which knows neither `server ... resolve` nor `keepalive_min_timeout` nor the `http2` directive.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from .archive import file, write_tar_gz
from .errors import BuildError
from .golang import MODULES, sources
from .process import run
from .store import Step

FOLDER = MODULES / "nginx"
PACKAGES = ("gcc", "make", "libpcre2-dev", "zlib1g-dev", "libssl-dev")
CONFIGURE = (
    "--prefix=/etc/nginx",
    "--sbin-path=/usr/local/sbin/nginx",
    "--conf-path=/etc/ironrack/nginx/nginx.conf",
    "--pid-path=/run/ironrack-nginx.pid",
    "--lock-path=/run/ironrack-nginx.lock",
    "--error-log-path=/var/log/nginx/error.log",
    "--http-log-path=/var/log/nginx/access.log",
    "--http-client-body-temp-path=/var/cache/nginx/client_temp",
    "--http-proxy-temp-path=/var/cache/nginx/proxy_temp",
    "--http-fastcgi-temp-path=/var/cache/nginx/fastcgi_temp",
    "--http-uwsgi-temp-path=/var/cache/nginx/uwsgi_temp",
    "--http-scgi-temp-path=/var/cache/nginx/scgi_temp",
    "--user=www-data",
    "--group=www-data",
    "--with-compat",
    "--with-threads",
    "--with-file-aio",
    "--with-http_ssl_module",
    "--with-http_v2_module",
    "--with-http_realip_module",
    "--with-http_stub_status_module",
    "--with-stream",
    "--with-stream_ssl_module",
    "--with-stream_ssl_preread_module",
    "--with-stream_realip_module",
    "--with-cc-opt=-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE",
    "--with-ld-opt=-Wl,-z,relro -Wl,-z,now -pie",
)


def crate_version() -> str:
    found = re.search(r'name = "nginx-src"\nversion = "(\S+)"', (FOLDER / "Cargo.lock").read_text())
    if not found:
        raise BuildError(f"{FOLDER / 'Cargo.lock'} does not lock nginx-src: run `cargo generate-lockfile` there")
    return found[1]


def version() -> str:
    """The part after the plus sign: the crate counts its own releases before it."""
    return crate_version().rpartition("+")[2]


def archive_name() -> str:
    return f"nginx-{version()}-linux-amd64.tar.gz"


def step() -> Step:
    built_with = run(["dpkg-query", "-W", "-f", "${Package}=${Version} ", *PACKAGES])
    return Step(
        name="nginx",
        inputs={"sources": sources(FOLDER), "configure": CONFIGURE, "packages": built_with},
        make=_make,
        seconds=75,
        disk_mb=400,
    )


def _make(out: Path) -> None:
    work = out.parent / "nginx"
    vendor = out.parent / "vendor"
    run(["cargo", "vendor", "--locked", "--versioned-dirs", "--manifest-path", str(FOLDER / "Cargo.toml"), str(vendor)])
    shutil.copytree(vendor / f"nginx-src-{crate_version()}" / "nginx", work)
    run(["./auto/configure", *CONFIGURE], cwd=work)
    run(["make", f"-j{os.cpu_count() or 1}"], cwd=work)
    binary = work / "objs" / "nginx"
    run(["strip", str(binary)])
    top = f"nginx-{version()}"
    write_tar_gz(
        out / archive_name(),
        {
            f"{top}/sbin/nginx": file(binary, 0o755),
            f"{top}/conf/mime.types": file(work / "conf" / "mime.types", 0o644),
            f"{top}/LICENSE": file(work / "LICENSE", 0o644),
        },
    )
