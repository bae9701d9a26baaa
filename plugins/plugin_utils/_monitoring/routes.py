# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom Alertmanager tells what: from channels and routes by severity to its configuration."""
from __future__ import annotations

from .alerts import HEARTBEAT, SEVERITIES
from .settings import duration_problem

CHANNELS = ("mail", "chat", "pager", "webhook")
#: channel -> (what it needs, what it may have). Whatever is a secret is the path of a file on the monitoring host.
OPTIONS = {
    "mail": (("to", "from", "smarthost"), ("username", "password_file", "require_tls")),
    "chat": (("url_file",), ("channel",)),
    "pager": (("key_file",), ("url",)),
    "webhook": (("url",), ("username", "password_file", "token_file", "ca_file")),
}


def problems(channels, routes, timing):
    """:returns: reasons why these cannot be a configuration.

    :param channels: the variable monitoring_channels.
    :param routes: the variable monitoring_routes: severity -> channels.
    :param timing: the variable monitoring_notification_timing.
    """
    found = []
    for name, settings in channels.items():
        if name not in OPTIONS:
            found.append("monitoring_channels has %r, expected some of: %s" % (name, ", ".join(CHANNELS)))
            continue
        if not isinstance(settings, dict):
            found.append("monitoring_channels, %s is %r, expected settings" % (name, settings))
            continue
        needed, optional = OPTIONS[name]
        found += ["monitoring_channels, %s has no %s, expected one: add it" % (name, option) for option in needed if not settings.get(option)]
        found += ["monitoring_channels, %s has %r, expected some of: %s; secrets are named by the path of their file" % (
            name, option, ", ".join(needed + optional)) for option in settings if option not in needed + optional]
        if bool(settings.get("username")) != bool(settings.get("password_file")):
            found.append("monitoring_channels, %s: username and password_file go together, expected both or none" % name)
    for severity, names in routes.items():
        if severity not in SEVERITIES:
            found.append("monitoring_routes has %r, expected some of: %s" % (severity, ", ".join(SEVERITIES)))
        found += ["monitoring_routes, %s names %r, expected some of: %s" % (severity, name, ", ".join(CHANNELS)) for name in names if name not in CHANNELS]
    for severity in SEVERITIES:
        if channels and not [name for name in routes.get(severity, ()) if name in channels]:
            found.append("monitoring_routes, %s leads to no channel that is there (%s), expected at least one: nobody would be told" % (
                severity, ", ".join(channels)))
    for name in ("group_wait", "group_interval", "repeat_urgent", "repeat"):
        found += duration_problem("monitoring_notification_timing, " + name, timing.get(name))
    return found


def _mail(settings):
    made = {"to": settings["to"], "from": settings["from"], "smarthost": settings["smarthost"], "require_tls": settings.get("require_tls", True),
            "send_resolved": True}
    if settings.get("username"):
        made.update(auth_username=settings["username"], auth_password_file=settings["password_file"])
    return {"email_configs": [made]}


def _chat(settings):
    made = {"api_url_file": settings["url_file"], "send_resolved": True, "title": "{{ .CommonLabels.severity }}: {{ .CommonAnnotations.summary }}",
            "text": "{{ range .Alerts }}{{ .Annotations.summary }}: {{ .Annotations.description }}\n{{ end }}"}
    return {"slack_configs": [dict(made, channel=settings["channel"]) if settings.get("channel") else made]}


def _pager(settings):
    made = {"routing_key_file": settings["key_file"], "send_resolved": True, "severity": "critical", "description": "{{ .CommonAnnotations.summary }}"}
    return {"pagerduty_configs": [dict(made, url=settings["url"]) if settings.get("url") else made]}


def _webhook(settings):
    http = {}
    if settings.get("username"):
        http["basic_auth"] = {"username": settings["username"], "password_file": settings["password_file"]}
    if settings.get("token_file"):
        http["authorization"] = {"credentials_file": settings["token_file"]}
    if settings.get("ca_file"):
        http["tls_config"] = {"ca_file": settings["ca_file"]}
    made = {"url": settings["url"], "send_resolved": True}
    return {"webhook_configs": [dict(made, http_config=http) if http else made]}


MAKERS = {"mail": _mail, "chat": _chat, "pager": _pager, "webhook": _webhook}


def _receiver(name, channels, names):
    made = {"name": name}
    for channel in names:
        if channel in channels:
            made.update(MAKERS[channel](channels[channel]))
    return made


def configuration(channels, routes, timing):
    """:returns: alertmanager.yml. A receiver is called as the severity that it is for.

    An alert of a severity that no rule of ours has, such as a site's own, goes where tickets go.
    """
    receivers = [_receiver(severity, channels, routes.get(severity, ())) for severity in SEVERITIES]
    # Whoever watches the watcher is a program, not a person.
    receivers += [_receiver("heartbeat", channels, ["webhook"])]
    branches = [{"receiver": "heartbeat", "matchers": ['alertname="%s"' % HEARTBEAT], "group_wait": "0s", "group_interval": "1m", "repeat_interval": "5m"}]
    for severity in SEVERITIES:
        branches.append({"receiver": severity, "matchers": ['severity="%s"' % severity],
                         "repeat_interval": timing["repeat" if severity in ("ticket", "warning") else "repeat_urgent"]})
    return {
        "route": {"receiver": "ticket", "group_by": ["alertname", "service", "severity"], "group_wait": timing["group_wait"],
                  "group_interval": timing["group_interval"], "repeat_interval": timing["repeat"], "routes": branches},
        "receivers": receivers,
        "inhibit_rules": [
            {"source_matchers": ['severity="page"'], "target_matchers": ['severity="ticket"'], "equal": ["alertname", "sloth_service", "sloth_slo"]},
            {"source_matchers": ['severity="critical"'], "target_matchers": ['severity="warning"'], "equal": ["alertname", "service", "host"]},
            # A host that is away is one thing to mend, and not one for each of its parts.
            {"source_matchers": ['alertname="HostDown"'], "target_matchers": ['alertname=~"TargetDown|BreakerOpen|BalancerDown|EtcdWithoutLeader"'],
             "equal": ["host"]}]}
