#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A whole Ceph with an S3 gateway: one monitor, one manager, one OSD in memory. Usage: ceph.sh DIRECTORY PORT
# MONITOR-PORT MONITOR-PORT-1, keys in the environment (ACCESS_KEY, SECRET_KEY). Stays until its gateway ends.
set -euo pipefail
D=$1 port=$2 monitor=$3 monitor1=$4
mkdir -p "$D"/{mon,mgr,osd,log}
K=$D/keyring
export CEPH_CONF=$D/ceph.conf
cat >"$CEPH_CONF" <<C
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = [v2:127.0.0.1:$monitor,v1:127.0.0.1:$monitor1]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $K
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data = $D/mon
mgr data = $D/mgr
osd data = $D/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd memory target = 939524096
log file = $D/log/\$name.log
admin socket = $D/\$name.asok
pid file = $D/\$name.pid
run dir = $D
crash dir = $D/log
mgr initial modules =
ms bind port min = 33000
ms bind port max = 60000
rgw dynamic resharding = false
rgw override bucket index max shards = 1
C
ceph-authtool --create-keyring "$K" --gen-key -n mon. --cap mon 'allow *'
for entity in client.admin client.rgw.a mgr.x osd.0; do
    ceph-authtool "$K" --gen-key -n "$entity" --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' \
        --cap mds 'allow *'
done
fsid=$(sed -n 's/^fsid = //p' "$CEPH_CONF")
monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor,v1:127.0.0.1:$monitor1]" "$D/monmap"
CEPH_ARGS=--no-mon-config ceph-mon --mkfs -i a --monmap "$D/monmap" --keyring "$K"
# In the foreground (-f), or they would leave the process group and outlive the test.
CEPH_ARGS=--no-mon-config ceph-mon -f -i a &
ceph config set mon auth_allow_insecure_global_id_reclaim false
ceph-mgr -f -i x &
osd=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$osd" 0
ceph-osd -i 0 --mkfs --osd-uuid "$osd"
ceph-osd -f -i 0 &
radosgw -f -n client.rgw.a --rgw-frontends="beast endpoint=127.0.0.1:$port tcp_nodelay=1" &
gateway=$!
radosgw-admin user create --uid=gw --display-name=gw --access-key="$ACCESS_KEY" --secret-key="$SECRET_KEY"
wait "$gateway"
