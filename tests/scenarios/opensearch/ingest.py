# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ingest nodes of their own: one leaves and another one of its name comes, while documents go through a pipeline; the last one stays."""
from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from pathlib import Path

import yaml

from ..common import ROOT, NotProved, attempt, hosts_of, playbook, say
from ..releases.service import until
from . import api
from .faults import WHOLE, colour
from .replace import identity, words
from .restart import SETTINGS, foreseen
from .writer import Writer

INDEX = "lab-ingest"
GROUP = "opensearch_ingest"


@contextlib.contextmanager
def altered(inventory, **groups):
    """:param groups: group -> names of its hosts, of those that the inventory has.

    :returns: the path of an inventory that is the same but for these groups.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "inventory"
        # Its variables are links to those of others, which would lead nowhere from there.
        shutil.copytree(ROOT / inventory, made)
        content = yaml.safe_load((made / "hosts.yml").read_text())
        children = content["all"]["children"]
        every = {name: values for group in children.values() for name, values in group["hosts"].items() if values}
        for group, names in groups.items():
            children[group] = {"hosts": {name: every[name] for name in names}}
        (made / "hosts.yml").write_text(yaml.safe_dump(content))
        yield made


def refused(inventory, name, *more, told, record):
    """:raises NotProved: where a playbook does not refuse with some words, or changes something. :returns: seconds."""
    status, seconds, counts, _followed, log = attempt(inventory, name, *more, record=record)
    # The words are wrapped in the log of a task that failed.
    if not status or told not in " ".join(log.read_text().split()) or counts["changed"]:
        raise NotProved("%s should be refused with '%s': status %s, changed %s; see %s" % (name, told, status, counts["changed"], log))
    return seconds


def opensearch_ingest(inventory):
    """Under a writer whose index has a default pipeline: an ingest node is taken out and comes again; what leaves no ingest node is refused."""
    nodes = api.nodes(inventory)
    own = [name for name, entry in hosts_of(inventory).items() if GROUP in entry["groups"]]
    data = [name for name, entry in hosts_of(inventory).items() if "opensearch_data" in entry["groups"]]
    victim, first = own[0], nodes[own[1]]
    api.ask(first, "DELETE", "/" + INDEX)
    api.well(first, "PUT", "/_ingest/pipeline/" + INDEX, {"processors": [{"set": {"field": "by", "value": "the pipeline"}}]})
    api.well(first, "PUT", "/" + INDEX, dict(SETTINGS, settings=dict(SETTINGS["settings"], **{"index.default_pipeline": INDEX})))
    old = identity(first, victim)
    with Writer([nodes[name] for name in nodes if name != victim], INDEX) as writer:
        time.sleep(3)
        foreseen(inventory, "opensearch_node_replace", words(victim))
        out, _counts = playbook(inventory, "opensearch_node_replace", *words(victim), record="opensearch-ingest-out")
        _again, counts = playbook(inventory, "opensearch_node_replace", *words(victim), record="opensearch-ingest-again")
        gone = colour(first)
        joined, _counts = playbook(inventory, "site", "--limit", victim, record="opensearch-ingest-join")
        until("all nodes, green", WHOLE, lambda: colour(first) == ("green", len(nodes)))
        time.sleep(2)
    lost, total = writer.lost(first), api.well(first, "GET", "/%s/_count" % INDEX)["count"]
    through = api.well(first, "POST", "/%s/_count" % INDEX, {"query": {"match": {"by": "the pipeline"}}})["count"]
    problems = ["a second run changed %s" % counts["changed"]] if counts["changed"] else []
    problems += ["without it the cluster was %s" % (gone,)] if gone != ("green", len(nodes) - 1) else []
    problems += ["%s is the node that it was" % victim] if identity(first, victim) in ("", old) else []
    problems += ["%d acknowledged documents are lost, as %s" % (len(lost), lost[:3])] if lost else []
    problems += ["%d of %d documents went through the pipeline" % (through, total)] if through != total or not total else []
    if problems:
        raise NotProved("an ingest node replaced: %s" % "; ".join(problems))
    with altered(inventory, **{GROUP: [victim]}) as alone:
        last = refused(alone, "opensearch_node_replace", *words(victim), told="the only node that runs ingest pipelines", record="opensearch-ingest-last")
    with altered(inventory, opensearch_data=data[1:], **{GROUP: [*own, data[0]]}) as other:
        # As many copies as the nodes that are left would have room for.
        moved = refused(other, "site", "-e", json.dumps({"opensearch_index_replicas": 1}),
                        told="holds data, and opensearch_data does not have it any more", record="opensearch-ingest-moved")
    api.well(first, "DELETE", "/" + INDEX)
    api.well(first, "DELETE", "/_ingest/pipeline/" + INDEX)
    say("opensearch-ingest: %s, after a check run that changed nothing, out in %.0f s, the same once more changes nothing; back as another node in %.0f s; %d "
        "writes acknowledged, none lost, %d had no good answer, all went through the pipeline; refused: the last one (%.0f s), and %s as ingest node while it "
        "holds data (%.0f s)" % (victim, out, joined, writer.count(), len(writer.failed), last, data[0], moved))
