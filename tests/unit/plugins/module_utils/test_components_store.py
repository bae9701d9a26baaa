# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vendor's file is verified by the sum that the vendor publishes, and recorded by its SHA-256."""
from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._components.store import Source

DATA = b"archive"


class Vendor:
    """Stands in for the HTTP client.

    :param sums: the text that the vendor publishes.
    """

    def __init__(self, sums):
        self._sums = sums

    def request(self, method, url):
        assert method == "GET" and url.endswith("SUMS")
        return SimpleNamespace(status=200, body=self._sums.encode())

    @staticmethod
    def download(url, path):
        with open(path, "wb") as stream:
            stream.write(DATA)


def get(sums, path):
    item = {"file": "x.tar.gz", "upstream": "https://example.com/x.tar.gz", "checksum": "https://example.com/SUMS"}
    return Source("upstream", "", "", Vendor(sums)).get(item, str(path))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_vendors_sum_decides_and_the_shorter_one_is_recorded(algorithm, tmp_path):
    found = get("%s  x.tar.gz\n" % hashlib.new(algorithm, DATA).hexdigest(), tmp_path / "x")
    assert found == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("algorithm, word", [("sha256", "SHA-256"), ("sha512", "SHA-512")])
def test_another_file_than_the_vendors_is_not_taken(algorithm, word, tmp_path):
    with pytest.raises(IronrackError, match="has the %s .* expected" % word):
        get(hashlib.new(algorithm, b"other").hexdigest(), tmp_path / "x")
