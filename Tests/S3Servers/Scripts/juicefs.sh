#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A JuiceFS gateway over files and SQLite. Usage: juicefs.sh DIRECTORY PORT METRICS-PORT JUICEFS, keys in the
# environment (MINIO_ROOT_USER, MINIO_ROOT_PASSWORD).
set -euo pipefail
directory=$1 port=$2 metrics=$3 juicefs=$4
# Nothing of it goes to the home directory.
export HOME=$directory
"$juicefs" format --storage file --bucket "$directory/data/" --trash-days 0 "sqlite3://$directory/meta.db" test
exec "$juicefs" gateway --no-usage-report --no-agent --multi-buckets --keep-etag --cache-dir "$directory/cache" \
    --metrics "127.0.0.1:$metrics" "sqlite3://$directory/meta.db" "127.0.0.1:$port"
