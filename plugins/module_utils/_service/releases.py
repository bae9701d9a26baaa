# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of one service in the Kubernetes API: what there is of them, and what becomes of them.

Each call may be made again. A Deployment carries the generation of the intent that it was deployed by, and whoever comes with an older one is refused.
What is scaled to nothing or deleted has to be the version that was seen; where it is another one by now nothing is done, and a new look shows why.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError
from . import objects, surroundings
from .api import METADATA, Conflict, ServiceApi
from .objects import CONFIG_MAP, DEPLOYMENT, GENERATION, HPA, PDB, RELEASE, SERVICE, SERVICE_KIND, VPA, ZONE, ZONE_LABEL, Kind

POD, NODE = Kind("v1", "Pod", "pods"), "/api/v1/nodes"
KINDS = {one.kind: one for one in (DEPLOYMENT, HPA, VPA, PDB, SERVICE_KIND, CONFIG_MAP) + surroundings.KINDS}
#: How often a write is tried anew because the API's own controllers wrote the object's status in between.
ATTEMPTS = 8


class Superseded(IronrackError):
    """Somebody has deployed the release under a newer generation. Its details carry ``generation`` and ``present``."""


class Releases:
    """The releases of a service.

    :param request: KubeClient.request.
    :param service: the complete description.
    :param zones: the zones in their order, for a release that is spread over its zones' Deployments.
    :param dry_run: whether nothing is changed.
    """

    def __init__(self, request, service, zones=(), dry_run=False):
        self._service, self._zones = service, list(zones)
        self._api = ServiceApi(request, service["namespace"], dry_run)
        self._verticals = None

    @property
    def changes(self):
        """:returns: (name, before, after) of each object that was changed, or would be."""
        return self._api.changes

    # What there is

    def look(self):
        """:returns: release -> what rollout_intent's observation says of it. :raises KubeUnreachable: where the API does not say."""
        found = {}
        for one in self._deployments():
            found.setdefault(one["metadata"]["labels"].get(RELEASE, ""), []).append(one)
        return {release: self._seen(deployments) for release, deployments in sorted(found.items())}

    def _deployments(self, release=None):
        labels = {SERVICE: self._service["name"]}
        if release is not None:
            labels[RELEASE] = release
        return sorted(self._api.listed(self._api.path(DEPLOYMENT), labels), key=lambda one: one["metadata"]["name"])

    @staticmethod
    def _seen(deployments):
        seen = {
            "replicas": sum(_replicas(one) for one in deployments),
            "ready": sum((one.get("status") or {}).get("readyReplicas") or 0 for one in deployments),
            # The oldest: a deploy is done where all of them carry its generation.
            "generation": min(generation_of(one) for one in deployments),
            # Of several Deployments, what was seen is all of them.
            "uid": ",".join(one["metadata"]["uid"] for one in deployments),
            "resource_version": ",".join(one["metadata"]["resourceVersion"] for one in deployments)}
        zones = {_zone(one): _replicas(one) for one in deployments if _zone(one)}
        return dict(seen, zones=zones) if zones else seen

    def pods(self, release):
        """:returns: name, address, node, zone and whether it is ready, of each pod that is not about to end."""
        pods = self._api.listed(self._api.path(POD), objects.selector_of(self._service, release))
        nodes = self._api.listed(NODE, accept=METADATA) if pods else []
        zones = {one["metadata"]["name"]: (one["metadata"].get("labels") or {}).get(ZONE_LABEL, "") for one in nodes}
        return [{"name": one["metadata"]["name"], "address": one["status"].get("podIP", ""), "node": one["spec"].get("nodeName", ""),
                 "zone": zones.get(one["spec"].get("nodeName"), ""), "ready": _is_ready(one)}
                for one in sorted(pods, key=lambda one: one["metadata"]["name"])
                if not one["metadata"].get("deletionTimestamp") and one["status"].get("phase") not in ("Succeeded", "Failed")]

    def progress(self, release):
        """:returns: (whether all pods of a release run what it was described as and are ready, what was seen)."""
        deployments, missing = self._deployments(release), []
        for one in deployments:
            status, wanted = one.get("status") or {}, _replicas(one)
            if (status.get("observedGeneration") or 0) < one["metadata"].get("generation", 0):
                missing.append("%s was not looked at yet" % one["metadata"]["name"])
            counts = {name: status.get(name) or 0 for name in ("replicas", "updatedReplicas", "readyReplicas")}
            if any(count != wanted for count in counts.values()):
                missing.append("of %d pods of %s %d are there, %d as described now, %d ready" % (
                    wanted, one["metadata"]["name"], counts["replicas"], counts["updatedReplicas"], counts["readyReplicas"]))
        return bool(deployments) and not missing, "; ".join(missing) or ("no Deployment" if not deployments else "all ready")

    # What becomes of them

    def prepare(self, peers):
        """Have the namespace and what all releases share.

        :param peers: addresses of the balancers and monitoring hosts.
        :returns: whether that changed something.
        """
        changed = self._api.create(surroundings.NAMESPACE, surroundings.namespace(self._service))
        for document in surroundings.shared(self._service, peers):
            changed |= self._apply(document)
        return changed

    def _apply(self, document):
        return self._api.apply(KINDS[document["kind"]], document)[0]

    def deploy(self, release, replicas, generation, zones=None, pinned=None):
        """Have a release with so many pods, which are also the least for its autoscaler.

        :param generation: of the intent.
        :param zones: zone -> pods, for a release that is to be kept apart by zone. One that is apart already is so with every call.
        :param pinned: the least number of pods for the autoscaler, where it is another one.
        :returns: whether that changed something.
        :raises Superseded: where it was deployed under a newer generation.
        """
        there = self._deployments(release)
        for one in there:
            self._refuse_older(release, generation, one)
        sizes, left = self._sizes(release, replicas, zones, there)
        least = sizes if pinned is None else objects.spread(pinned, list(sizes))
        changed = self._apply(surroundings.account(self._service))
        # What new pods read is there before they are; what is new itself is made after the Deployments that own it.
        kept = [one for one in there if one not in left]
        if kept:
            changed |= self._beside(release, replicas, kept)
        applied = {}
        for zone in sizes:
            altered, applied[zone] = self._apply_deployment(release, generation, zone)
            changed |= altered
        if [_uid(one) for one in kept] != [_uid(one) for one in applied.values()]:
            changed |= self._beside(release, replicas, list(applied.values()))
        changed |= self._autoscalers(release, least, applied)
        for zone, size in sizes.items():
            changed |= self._scale(release, generation, applied[zone], size)
        for one in left:
            changed |= self._api.delete(DEPLOYMENT, one, exact=True)
        return changed | self._tidy(release)

    @staticmethod
    def _refuse_older(release, generation, there):
        present = generation_of(there)
        if present > generation:
            raise Superseded("%s was deployed under generation %d, and this is generation %d: it was left alone. Another controller has been here "
                             "since: read the rollout's record again" % (release, present, generation), generation=generation, present=present)

    def _sizes(self, release, replicas, zones, there):
        """:returns: (zone -> pods, where "" is a Deployment for all zones, the Deployments that have to go)."""
        whole, apart = [one for one in there if not _zone(one)], [_zone(one) for one in there if _zone(one)]
        if not zones and not apart:
            return {"": replicas}, []
        if not zones:
            order = [zone for zone in self._zones if zone in apart] + sorted(set(apart) - set(self._zones))
            return objects.spread(replicas, order), []
        if any(map(_replicas, whole)):
            raise IronrackError("release %s runs in one Deployment for all zones, and is asked for zone by zone. A release keeps the form that it was "
                                "made with: scale it to nothing first, or release by another strategy" % release)
        return dict(dict.fromkeys(apart, 0), **zones), whole

    def _apply_deployment(self, release, generation, zone):
        document = objects.deployment(self._service, release, generation, zone)
        path = self._api.path(DEPLOYMENT, document["metadata"]["name"])

        def attempt():
            before = self._api.get(path)
            if before is not None:
                self._refuse_older(release, generation, before)
            return self._api.apply(DEPLOYMENT, document, before and before["metadata"]["resourceVersion"])

        return _settled(attempt)

    def _beside(self, release, replicas, deployments):
        changed = False
        for document in objects.beside(self._service, release, replicas):
            # In a dry run a Deployment that is new has no uid.
            owners = [one for one in deployments if one["metadata"].get("uid")]
            changed |= self._apply(objects.owned(document, owners) if owners else document)
        return changed

    def _autoscalers(self, release, least, applied):
        changed = False
        for zone, deployment in applied.items():
            wanted = []
            if objects.scales(self._service):
                wanted.append(objects.autoscaler(self._service, release, least[zone], zone, 1.0 / len(applied)))
            if self._service["vertical"] != "none" and self._has_verticals():
                wanted.append(objects.vertical(self._service, release, zone))
            for document in wanted:
                changed |= self._apply(objects.owned(document, [deployment]) if deployment["metadata"].get("uid") else document)
        return changed

    def _has_verticals(self):
        if self._verticals is None:
            self._verticals = self._api.get("/apis/" + VPA.api_version) is not None
        return self._verticals

    def _scale(self, release, generation, deployment, size):
        def attempt():
            now = self._api.get(path) or deployment
            self._refuse_older(release, generation, now)
            wanted = max(size, _replicas(now)) if size and objects.scales(self._service) else size
            return self._api.scale(now, wanted)

        path = self._api.path(DEPLOYMENT, deployment["metadata"]["name"])
        return _settled(attempt)

    def _tidy(self, release):
        """What a former description asked for, and this one does not."""
        labels, unwanted = objects.selector_of(self._service, release), []
        if not objects.scales(self._service):
            unwanted += [(HPA, one) for one in self._api.listed(self._api.path(HPA), labels)]
        if not self._service["releases"][release]["config"]:
            unwanted += [(CONFIG_MAP, one) for one in self._api.listed(self._api.path(CONFIG_MAP), labels)]
        if self._service["vertical"] == "none" and self._has_verticals():
            unwanted += [(VPA, one) for one in self._api.listed(self._api.path(VPA), labels)]
        deleted = [self._api.delete(kind, one) for kind, one in unwanted]
        return any(deleted)

    def pin(self, release, minimum):
        """Set the least number of pods that a release's autoscaler keeps.

        :returns: whether that changed something; without an autoscaler nothing is done.
        """
        there = {_zone(one): one for one in self._deployments(release)}
        least, changed = objects.spread(minimum, sorted(there)) if there else {}, False
        for zone, deployment in there.items():
            name = objects.name_of(self._service, release, zone)
            if objects.scales(self._service) and self._api.get(self._api.path(HPA, name)):
                document = objects.autoscaler(self._service, release, least[zone], zone, 1.0 / len(there))
                changed |= self._apply(objects.owned(document, [deployment]))
        return changed

    def scale_down(self, release, precondition):
        """Leave a release without pods, where it is still what was seen.

        :param precondition: uid and resource_version of :meth:`look`; an empty one takes what is there.
        :returns: whether that changed something. Where it is another one by now, nothing is done.
        """
        return self._take(release, precondition, lambda one: self._api.scale(one, 0))

    def delete(self, release, precondition):
        """Delete a release, where it is still what was seen; what belongs to it goes with it.

        :param precondition: as for :meth:`scale_down`.
        :returns: whether that changed something.
        """
        return self._take(release, precondition, lambda one: self._api.delete(DEPLOYMENT, one, exact=True))

    def _take(self, release, precondition, act):
        there, changed = self._deployments(release), False
        if not there:
            return False
        seen = self._seen(there)
        if any(seen[name] != value for name, value in (precondition or {}).items()):
            return False
        for one in there:
            try:
                changed |= act(one)
            except Conflict:
                break  # a new look shows what it is now
        return changed


def _settled(attempt):
    for _attempt in range(ATTEMPTS - 1):
        try:
            return attempt()
        except Conflict:
            continue
    return attempt()


def generation_of(deployment):
    """:returns: the generation that a Deployment carries; 0 where it carries none."""
    text = (deployment["metadata"].get("annotations") or {}).get(GENERATION, "0")
    return int(text) if text.isdigit() else 0


def _zone(deployment):
    return deployment["metadata"]["labels"].get(ZONE, "")


def _uid(deployment):
    return deployment["metadata"].get("uid")


def _replicas(deployment):
    return deployment["spec"].get("replicas", 1)


def _is_ready(pod):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions") or [])
