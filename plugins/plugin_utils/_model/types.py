# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of inventory variables: each is a parser that returns the normal form or raises ValueError with what it expected.

Strings are accepted for numbers and booleans: AWX surveys and ``-e name=value`` deliver nothing else.
"""
from __future__ import annotations

import ipaddress
import re

from .addresses import is_address, split_host_port

_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")
_VERSION = re.compile(r"^[0-9]+\.[0-9]+\.[0-9]+$")
_HEAP = re.compile(r"^([0-9]+)([mg])$")
#: GiB. From 32 on the JVM's pointers are of 8 bytes; where exactly depends on where the heap lies.
MOST_HEAP = 31
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
AUDIT_LEVELS = ("None", "Metadata", "Request", "RequestResponse")
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def is_dns_name(text):
    """:returns: whether ``text`` is a name of DNS labels in lower case that cannot be taken for an address."""
    labels = text.split(".")
    return len(text) <= 253 and all(_LABEL.match(label) for label in labels) and not labels[-1].isdigit()


def is_label_value(text):
    """:returns: whether Kubernetes takes ``text`` as the value of a label."""
    return bool(_LABEL_VALUE.match(text))


def is_label_key(text):
    """:returns: whether Kubernetes takes ``text`` as the key of a label, a taint or an annotation."""
    prefix, slash, name = text.rpartition("/")
    return bool(name) and is_label_value(name) and (is_dns_name(prefix) if slash else True)


def _need(condition, expected):
    if not condition:
        raise ValueError(expected)


def string(value):
    _need(isinstance(value, str), "a string")
    return value


def integer(value):
    if isinstance(value, str) and re.match(r"^-?[0-9]+$", value.strip()):
        value = int(value)
    _need(isinstance(value, int) and not isinstance(value, bool), "a whole number")
    return value


def count(value):
    expected = "a number, 0 or more"
    try:
        value = integer(value)
    except ValueError:
        raise ValueError(expected) from None
    _need(value >= 0, expected)
    return value


def heap(value):
    """:returns: the memory of a JVM's heap as its -Xmx takes it."""
    expected = "megabytes or gigabytes such as 512m or 4g, from 128m to %dg: a larger heap holds less, since its pointers are twice as long" % MOST_HEAP
    found = _HEAP.match(value.strip().lower()) if isinstance(value, str) else None
    _need(found, expected)
    megabytes = int(found.group(1)) * (1024 if found.group(2) == "g" else 1)
    _need(128 <= megabytes <= MOST_HEAP * 1024, expected)
    return found.group(0)


def boolean(value):
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        value = value.lower() in _TRUE
    _need(isinstance(value, bool), "true or false")
    return value


def port(value):
    expected = "a port number from 1 to 65535"
    try:
        value = integer(value)
    except ValueError:
        raise ValueError(expected) from None
    _need(1 <= value <= 65535, expected)
    return value


def mtu(value):
    expected = "0 (found out by the pod network itself) or a number of bytes from 1280 to 65535"
    try:
        value = integer(value)
    except ValueError:
        raise ValueError(expected) from None
    _need(value == 0 or 1280 <= value <= 65535, expected)
    return value


def prefix(value):
    expected = "a prefix length: 1 to 30 for IPv4, 1 to 126 for IPv6, 0 for the default"
    try:
        value = integer(value)
    except ValueError:
        raise ValueError(expected) from None
    _need(0 <= value <= 126, expected)
    return value


def version(value):
    _need(isinstance(value, str) and _VERSION.match(value), 'a version in quotes, such as "1.36.4"')
    return value


def label(value):
    expected = "a DNS label: lower-case letters, digits and '-', at most 63, no '-' at either end"
    _need(isinstance(value, str) and _LABEL.match(value), expected)
    return value


def label_value(value):
    expected = "a label value: at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends"
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    # `zone: no` is false in YAML, which nobody guesses from a message that only talks of characters.
    _need(not isinstance(value, bool), expected + " (YAML reads no, off, yes and on as booleans: put it in quotes)")
    _need(isinstance(value, str) and is_label_value(value), expected)
    return value


def dns_name(value):
    _need(isinstance(value, str) and is_dns_name(value), "a DNS name in lower case, such as cluster.local")
    return value


def network(value):
    expected = "a network with its host bits zero, such as 10.244.0.0/16"
    _need(isinstance(value, str) and "/" in value, expected)
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError(expected) from None


def address(value):
    expected = "an IP address of a machine (no loopback, multicast or unspecified address)"
    if value == "":
        return ""
    _need(isinstance(value, str) and is_address(value), expected)
    parsed = ipaddress.ip_address(value)
    _need(not (parsed.is_loopback or parsed.is_multicast or parsed.is_unspecified), expected)
    return str(parsed)


def endpoint(value):
    expected = "a DNS name or an address, and perhaps a port: api.example.com:6443, 192.0.2.10, [2001:db8::10]:6443"
    _need(isinstance(value, str), expected)
    if value == "":
        return ""
    try:
        host = split_host_port(value, 6443)[0]
    except ValueError:
        raise ValueError(expected) from None
    _need(is_address(host) or is_dns_name(host), expected)
    return value


def name_or_address(value):
    expected = "a DNS name or an IP address"
    _need(isinstance(value, str), expected)
    if is_address(value):
        return str(ipaddress.ip_address(value))
    _need(is_dns_name(value), expected)
    return value


def san(value):
    expected = "a DNS name (a leading '*.' is fine) or an IP address"
    _need(isinstance(value, str), expected)
    if value.startswith("*.") and is_dns_name(value[2:]):
        return value
    try:
        return name_or_address(value)
    except ValueError:
        raise ValueError(expected) from None


def taint(value):
    """:returns: {key, value, effect} from that or from kubectl's ``key=value:Effect``."""
    expected = "a taint: {key, value, effect} or key=value:Effect, with an effect of " + ", ".join(TAINT_EFFECTS)
    if isinstance(value, str):
        key_value, dummy, effect = value.rpartition(":")
        key, dummy, text = key_value.partition("=")
        value = {"key": key, "value": text, "effect": effect}
    _need(isinstance(value, dict) and set(value) <= {"key", "value", "effect"}, expected)
    made = {"key": value.get("key"), "value": value.get("value", "") or "", "effect": value.get("effect")}
    _need(isinstance(made["key"], str) and is_label_key(made["key"]), expected)
    _need(isinstance(made["value"], str) and is_label_value(made["value"]), expected)
    _need(made["effect"] in TAINT_EFFECTS, expected)
    return made


def list_of(parse):
    """:returns: the parser of a list whose entries ``parse`` reads; a single string with commas is a list too (AWX surveys)."""
    def parse_list(value):
        if isinstance(value, str):
            value = [entry.strip() for entry in value.split(",") if entry.strip()]
        _need(isinstance(value, list), "a list")
        made = []
        for number, entry in enumerate(value):
            try:
                made.append(parse(entry))
            except ValueError as error:
                raise ValueError("a list; entry %d should be %s" % (number + 1, error)) from None
        return made
    return parse_list


def dictionary(value):
    _need(isinstance(value, dict) and all(isinstance(key, str) for key in value), "a dictionary with strings as keys")
    return value


def _scalar_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def arguments(value):
    """:returns: flags without their leading dashes -> text, or a list of texts for a flag that is given several times."""
    expected = "a dictionary of flags without leading dashes, each with a string, number, boolean or a list of those"
    _need(isinstance(value, dict), expected)
    made = {}
    for key, entry in value.items():
        _need(isinstance(key, str) and re.match(r"^[a-z0-9][a-z0-9-]*$", key), expected)
        entries = entry if isinstance(entry, list) else [entry]
        _need(all(isinstance(one, (str, int, float, bool)) for one in entries), expected)
        made[key] = [_scalar_text(one) for one in entries] if isinstance(entry, list) else _scalar_text(entry)
    return made


def audit_rule(value):
    """:returns: a rule of an audit policy as it is; what else than its level it says is the API server's to judge."""
    expected = "a rule of an audit policy: a dictionary with a level of " + ", ".join(AUDIT_LEVELS)
    _need(isinstance(value, dict) and all(isinstance(key, str) for key in value) and value.get("level") in AUDIT_LEVELS, expected)
    return value


def feature_gates(value):
    expected = "a dictionary of feature gate names with true or false"
    _need(isinstance(value, dict), expected)
    try:
        return {string(key): boolean(entry) for key, entry in value.items()}
    except ValueError:
        raise ValueError(expected) from None


def labels(value):
    expected = "a dictionary of Kubernetes labels: keys such as example.com/rack, values of at most 63 characters"
    _need(isinstance(value, dict), expected)
    made = {}
    for key, entry in value.items():
        entry = _scalar_text(entry) if isinstance(entry, (bool, int)) else entry
        _need(isinstance(key, str) and is_label_key(key) and isinstance(entry, str) and is_label_value(entry), expected)
        made[key] = entry
    return made


def strings(value):
    expected = "a dictionary of strings"
    _need(isinstance(value, dict), expected)
    _need(all(isinstance(key, str) and isinstance(entry, str) for key, entry in value.items()), expected)
    return value


PARSERS = {
    "str": string, "int": integer, "count": count, "heap": heap, "bool": boolean, "port": port, "mtu": mtu, "prefix": prefix, "version": version,
    "label": label, "label_value": label_value, "dns_name": dns_name, "network": network, "address": address, "endpoint": endpoint, "dict": dictionary,
    "list of str": list_of(string), "list of dict": list_of(dictionary), "list of addresses": list_of(address), "list of servers": list_of(name_or_address),
    "list of SANs": list_of(san), "list of taints": list_of(taint), "list of namespaces": list_of(label), "list of networks": list_of(network),
    "audit rules": list_of(audit_rule), "arguments": arguments, "feature gates": feature_gates, "labels": labels, "dict of str": strings,
}
