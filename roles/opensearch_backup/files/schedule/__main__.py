# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule's run on a node: python3 -I FOLDER --config FILE. Role opensearch_backup puts the collection's own code beside it, as it is."""
from __future__ import annotations

import argparse
import json
import os
import sys

from module_utils._common.errors import IronrackError
from module_utils._common.fs import atomic_write
from module_utils._opensearch import moments, schedule
from module_utils._opensearch.backup_api import BackupApi
from module_utils._opensearch.client import OpenSearchClient
from module_utils._opensearch.plain import by_http_client


def remembered(path):
    """:returns: what the last run that had an answer saw; nothing where there was none."""
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return {}


def run(settings):
    """:returns: (what was done, or None; why it failed, or None; what is known of the series)."""
    done, failure, known = None, None, remembered(settings["state"])
    try:
        api = BackupApi(OpenSearchClient(settings, by_http_client))
        try:
            done = schedule.back_up(settings, api)
        except IronrackError as error:
            failure = str(error)
        # How old the last one is, is known all the same, as long as it is not the store that is gone.
        known = schedule.seen(settings, api, moments.now())
    except (IronrackError, OSError) as error:
        failure = failure or str(error)
    return done, failure, known


def main():
    """:returns: the exit status: 0 where all went well, or nothing was to be done."""
    parser = argparse.ArgumentParser(description="Backs OpenSearch up by its schedule.")
    parser.add_argument("--config", required=True)
    with open(parser.parse_args().config, encoding="utf-8") as stream:
        settings = json.load(stream)
    done, failure, known = run(settings)
    atomic_write(settings["state"], json.dumps(known).encode(), mode=0o644)
    values = dict(known, run_timestamp_seconds=round(moments.now().timestamp(), 3), run_success=0 if failure else 1)
    text = schedule.exposition(values, {"repository": settings["repository"], "series": settings["prefix"]})
    if os.path.isdir(os.path.dirname(settings["textfile"])):
        atomic_write(settings["textfile"], text.encode(), mode=0o644)
    print(failure or json.dumps(done), file=sys.stderr if failure else sys.stdout)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
