#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes what a deployment keeps secret, once: the bus's keys, and for the S3 server that comes along its access key.
# Each service gets a volume with its own secret key and all public ones, and nothing that belongs to another.
set -eu
umask 077

secrets=/secrets
services="iscsi cache uploader snapshotter exporter cli"

# The marker is written last: what was interrupted is done again, and no service has started until it is complete.
if [ ! -e "$secrets/cli/complete" ]; then
    rm -rf /tmp/keys
    sluice keys create --directory /tmp/keys
    for kind in $services; do
        rm -f "$secrets/$kind"/*.key "$secrets/$kind"/*.pub
        cp /tmp/keys/*.pub "/tmp/keys/$kind.key" "$secrets/$kind/"
    done
    rm -rf /tmp/keys
    : >"$secrets/cli/complete"
fi

if [ "${S3_SERVER:-yes}" = yes ] && [ ! -e "$secrets/bucket/credentials" ]; then
    random() { od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }
    access=$(random 10)
    secret=$(random 20)
    cat >"$secrets/s3/s3.json" <<JSON
{"identities": [{"name": "sluice", "credentials": [{"accessKey": "$access", "secretKey": "$secret"}],
  "actions": ["Read:sluice", "Write:sluice", "List:sluice"]}]}
JSON
    printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$access" "$secret" \
        >"$secrets/bucket/credentials.new"
    mv "$secrets/bucket/credentials.new" "$secrets/bucket/credentials"
fi
