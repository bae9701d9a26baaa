# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, and the one place that knows where an IPv6 address wears brackets."""
from __future__ import annotations

import ipaddress


def is_address(text):
    """:returns: whether ``text`` is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def bracket(host):
    """:returns: ``host`` as it stands in a URL: IPv6 addresses in brackets, names and IPv4 addresses as they are."""
    return "[%s]" % host if ":" in host else host


def host_port(host, port):
    """:returns: ``host:port``, with brackets where they are needed."""
    return "%s:%d" % (bracket(host), port)


def url(host, port, path="", scheme="https"):
    """:returns: a URL of ``host``."""
    return "%s://%s%s" % (scheme, host_port(host, port), path)


def split_host_port(text, default_port):
    """Read ``host``, ``host:port``, ``[v6]``, ``[v6]:port`` or a bare IPv6 address.

    :returns: (host without brackets, port).
    :raises ValueError: where the port is no port or the host is empty.
    """
    if is_address(text):
        return str(ipaddress.ip_address(text)), default_port
    host, port = text, ""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not is_address(host) or rest and not rest.startswith(":"):
            raise ValueError("no address in brackets")
        port = rest[1:]
    elif ":" in text:
        host, port = text.rsplit(":", 1)
        if not port:
            raise ValueError("no port after the colon")
    if not host or ":" in host and not is_address(host):
        raise ValueError("no host")
    number = int(port) if port else default_port
    if not 1 <= number <= 65535:
        raise ValueError("no port")
    return host, number


def network_of(address, prefix):
    """:returns: the network of ``prefix`` bits that ``address`` lies in."""
    return ipaddress.ip_network("%s/%d" % (address, prefix), strict=False)


def nth(network, number):
    """:returns: the ``number``-th address of a network, as text."""
    return str(ipaddress.ip_network(network)[number])
