# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has every object of some kinds written to etcd again, unchanged.

An API server that finds an object under another key than the first one writes it again even where a request changes nothing. So each object
gets a patch that names only its uid and the version that was seen: nothing of it can be lost or changed, a conflict is told and not won,
and neither a Secret's content nor its size crosses this client (lists and answers are asked for as metadata alone).

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode

from .._common.errors import IronrackError

PAGE = 500
WORKERS = 4
#: A list whose pages took longer than etcd keeps old revisions is begun again, and a contended object read again, this often.
RESTARTS = 5
ATTEMPTS = 8
LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PATCH = "application/merge-patch+json"


class Gone(Exception):
    """A page of a list is no longer to be had."""


def _refused(what, status, document):
    # The API's own sentence names the object or the webhook, and never an object's content for a patch of nothing.
    return IronrackError("%s was answered %d: %s" % (what, status, str((document or {}).get("message", ""))[:300]), status=status)


def path_of(api, resource):
    """:returns: the API's path of all objects of a kind. :raises IronrackError: where the API has no such kind."""
    name, _dot, group = resource.partition(".")
    base = "/api/v1"
    if group:
        status, document = api("GET", "/apis/" + quote(group))
        if status != 200:
            raise _refused("the API group %s" % group, status, document)
        base = "/apis/" + document["preferredVersion"]["groupVersion"]
    status, document = api("GET", base)
    if status != 200:
        raise _refused(base, status, document)
    if not any(one["name"] == name for one in document.get("resources") or []):
        raise IronrackError("the API has no kind %s: cluster_encryption_resources names plurals, such as secrets or deployments.apps" % resource)
    return "%s/%s" % (base, name)


def one_path(base, metadata):
    """:returns: the path of one object below the path of its kind."""
    head, _slash, plural = base.rpartition("/")
    namespace = metadata.get("namespace")
    return "%s/%s%s/%s" % (head, "namespaces/%s/" % quote(namespace) if namespace else "", plural, quote(metadata["name"], safe=""))


def pages(api, base, size=PAGE):
    """Yield the metadata of all objects of a kind, a page at a time.

    :raises Gone: where the list has to be begun again.
    """
    token = ""
    while True:
        query = {"limit": size}
        if token:
            query["continue"] = token
        status, document = api("GET", "%s?%s" % (base, urlencode(query)), accept=LIST)
        if status == 410:
            raise Gone(base)
        if status != 200:
            raise _refused("the list of %s" % base, status, document)
        if not isinstance(document.get("items"), list):
            raise IronrackError("the list of %s holds no items: that is no answer to build on" % base)
        yield [item["metadata"] for item in document["items"]]
        token = (document.get("metadata") or {}).get("continue") or ""
        if not token:
            return


def write_again(api, base, metadata):
    """Have one object written again.

    :returns: whether it was; False where it is gone by now.
    :raises IronrackError: where the API refuses it, or others win each time.
    """
    path, uid = one_path(base, metadata), metadata["uid"]
    for _attempt in range(ATTEMPTS):
        body = {"metadata": {"uid": uid, "resourceVersion": metadata["resourceVersion"]}}
        status, document = api("PATCH", path + "?fieldManager=ironrack.cluster", body=body, accept=OBJECT, content_type=PATCH)
        if status == 200:
            return True
        if status == 404:
            return False
        if status != 409:
            raise _refused(path, status, document)
        status, document = api("GET", path, accept=OBJECT)
        if status == 404:
            return False
        if status != 200:
            raise _refused(path, status, document)
        metadata = document["metadata"]
        if metadata["uid"] != uid:
            return False  # another object of that name: it was made after the list, with the key of now
    raise IronrackError("%s was changed by others %d times in a row, each time before it could be written: run this again" % (path, ATTEMPTS))


def rewrite(api, resources):
    """Write all objects of some kinds again.

    :param api: called with (method, path, body, accept, content_type); returns (status, document).
    :param resources: names such as ``secrets`` or ``deployments.apps``.
    :returns: resource -> number of objects that were written.
    :raises IronrackError: where one of them could not be.
    """
    counts = {}
    for resource in resources:
        base = path_of(api, resource)
        for restart in range(RESTARTS + 1):
            counts[resource] = 0
            try:
                with ThreadPoolExecutor(max_workers=WORKERS) as pool:
                    for page in pages(api, base):
                        counts[resource] += sum(pool.map(lambda metadata: write_again(api, base, metadata), page))
                break
            except Gone:
                if restart == RESTARTS:
                    raise IronrackError("the list of %s could not be read to its end in %d attempts: etcd forgets a page's revision before the "
                                        "next page is asked for. Run this again when the API is less busy" % (resource, RESTARTS + 1))
    return counts


def count(api, resources):
    """:returns: resource -> number of objects that :func:`rewrite` would write."""
    counts = {}
    for resource in resources:
        status, document = api("GET", path_of(api, resource) + "?limit=1", accept=LIST)
        if status != 200:
            raise _refused("the list of %s" % resource, status, document)
        counts[resource] = len(document.get("items") or []) + int((document.get("metadata") or {}).get("remainingItemCount") or 0)
    return counts
