# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment says: names, addresses, times. README.md lists every variable."""
from __future__ import annotations

import re
import socket
import typing as t

from . import faults
from .values import LABEL, METRIC, Number, Pattern, Refused, address, existing

PREFIX = "LLM_"
FAULT_PREFIX = "LLM_FAULT_"
# What Kubernetes tells a pod about Services beside it, whose names may start with ours.
LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_[A-Z]+(_.*)?)?)")
REQUIRED = None

label = Pattern(LABEL, "a DNS label: at most 63 of a-z, 0-9 and -, with neither end a -")
metric = Pattern(METRIC, "a name of a Prometheus metric")
seconds = Number(0, 86400)

# Name: its reader and its default. Times are in seconds.
VARIABLES: dict[str, tuple[t.Callable[[str], t.Any], str | None]] = {
    "release": (label, REQUIRED),
    "service": (label, "llm"),
    "pod": (label, ""),
    "listen": (address, "0.0.0.0:8080"),
    "control": (address, "127.0.0.1:8081"),
    "model": (existing, "/usr/share/llm/model.gguf"),
    "model_name": (label, "tiny-random"),
    "slots": (Number(1, 64, whole=True), "4"),
    "threads": (Number(1, 64, whole=True), "1"),
    "context": (Number(64, 131072, whole=True), "8192"),
    "ready_after": (seconds, "0"),
    "drain_grace": (seconds, "5"),
    "drain_limit": (seconds, "60"),
    "idle": (Number(1, 86400), "75"),
    "price": (Number(0, 1000), "0.002"),
    "leak_limit_mib": (Number(1, 1048576), "1024"),
    "metric_cost": (metric, "llm_cost_total"),
    "metric_cache_hits": (metric, "llm_cache_hits_total"),
    "metric_cache_misses": (metric, "llm_cache_misses_total"),
    "metric_breaker": (metric, "llm_circuit_breaker_open"),
}


class Settings(t.NamedTuple):
    """The values of VARIABLES, and the faults to start with."""

    release: str
    service: str
    pod: str
    listen: tuple[str, int]
    control: tuple[str, int]
    model: str
    model_name: str
    slots: int
    threads: int
    context: int
    ready_after: float
    drain_grace: float
    drain_limit: float
    idle: float
    price: float
    leak_limit_mib: float
    metric_cost: str
    metric_cache_hits: str
    metric_cache_misses: str
    metric_breaker: str
    faults: faults.Faults


def read(environment: t.Mapping[str, str]) -> Settings:
    """:raises Refused: with every variable that is unknown, missing or wrong."""
    reasons, values = [], {}
    known = {PREFIX + name.upper() for name in VARIABLES} | {FAULT_PREFIX + name.upper() for name in faults.READERS}
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known and not LINK.fullmatch(variable):
            reasons.append(f"{variable} is not known, expected one of {', '.join(sorted(known))}")
    for name, (reader, default) in VARIABLES.items():
        variable = PREFIX + name.upper()
        text = environment.get(variable, default)
        if name == "pod" and not text:
            # Kubernetes names the host like the pod.
            text = socket.gethostname().partition(".")[0].lower()
        if text is None:
            reasons.append(f"{variable} is not set, expected {reader.name}")
            continue
        try:
            values[name] = reader(text)
        except ValueError as expected:
            reasons.append(f"{variable} is {text!r}, expected {expected}")
    given = {name: environment[FAULT_PREFIX + name.upper()] for name in faults.READERS if FAULT_PREFIX + name.upper() in environment}
    try:
        values["faults"] = faults.changed(faults.Faults(), given, FAULT_PREFIX)
    except Refused as refused:
        reasons += refused.reasons
    names = [values.get(name) for name in VARIABLES if name.startswith("metric_")]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        reasons.append(f"two metrics are called {name}, expected a name for each")
    if reasons:
        raise Refused(reasons)
    return Settings(**values)


def control_address(environment: t.Mapping[str, str]) -> tuple[str, int]:
    """Where a server with this environment has its switches; one that listens everywhere is asked on loopback.

    :raises Refused: where that is no address.
    """
    variable = PREFIX + "CONTROL"
    try:
        host, port = address(environment.get(variable, VARIABLES["control"][1]))
    except ValueError as expected:
        raise Refused([f"{variable} is {environment[variable]!r}, expected {expected}"]) from None
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port
