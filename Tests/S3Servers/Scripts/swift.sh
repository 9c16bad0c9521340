#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# OpenStack Swift with its S3 interface, all four servers and a memcached. Usage: swift.sh DIRECTORY PORT ACCOUNT-PORT
# CONTAINER-PORT OBJECT-PORT MEMCACHED-PORT, the user's secret in the environment (SECRET_KEY); its access key is
# acc:gw.
set -euo pipefail
D=$1 port=$2 memcached=$6
declare -A ports=([account]=$3 [container]=$4 [object]=$5)
mkdir -p "$D/devices/d1" "$D/rings"
cat >"$D/rings/swift.conf" <<C
[swift-hash]
swift_hash_path_suffix = sluice
swift_hash_path_prefix = test
[storage-policy:0]
name = Policy-0
default = yes
C
for kind in account container object; do
    (
        cd "$D/rings"
        swift-ring-builder "$kind.builder" create 4 1 1
        swift-ring-builder "$kind.builder" add "r1z1-127.0.0.1:${ports[$kind]}/d1" 1
        swift-ring-builder "$kind.builder" rebalance
    )
    cat >"$D/$kind.conf" <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${ports[$kind]}
user = $(id -un)
swift_dir = $D/rings
devices = $D/devices
mount_check = false
workers = 0
log_address = $D/no-syslog
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
C
done
cat >"$D/proxy.conf" <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
user = $(id -un)
swift_dir = $D/rings
workers = 0
log_address = $D/no-syslog
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth slo dlo versioned_writes copy proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_acc_gw = $SECRET_KEY .admin
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$memcached
$(for filter in catch_errors gatekeeper listing_formats bulk slo dlo versioned_writes copy; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"
done)
C
memcached -u "$(id -un)" -l 127.0.0.1 -p "$memcached" -U 0 -m 32 &
for kind in account container object; do "swift-$kind-server" "$D/$kind.conf" & done
exec swift-proxy-server "$D/proxy.conf"
