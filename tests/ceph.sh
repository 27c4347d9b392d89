#!/usr/bin/env bash
# Runs a command with a full S3 server on loopback: one Ceph monitor, one object store in memory and
# its gateway, without systemd. The command finds LONGHAUL_TEST_STORE and the AWS variables.
# Usage: tests/ceph.sh COMMAND… (needs Debian's ceph-mon, ceph-osd, radosgw and ceph-common)
set -euo pipefail

for program in ceph-mon ceph-osd radosgw radosgw-admin ceph monmaptool curl; do
    if ! command -v "$program" > /dev/null; then
        echo "SKIPPED: no $program here; apt-get install ceph-mon ceph-osd radosgw ceph-common" >&2
        exit 0
    fi
done

folder=$(mktemp -d)
mon_port=${CEPH_MON_PORT:-16790}
port=${CEPH_PORT:-5103}
stop() {
    for pid in "$folder"/run/*.pid; do
        if [ -e "$pid" ]; then kill -9 "$(cat "$pid")" 2> /dev/null || true; fi
    done
    rm -rf "$folder"
}
trap stop EXIT
mkdir "$folder"/{mon,osd,run,log,rgw}

cluster=$(cat /proc/sys/kernel/random/uuid)
export CEPH_CONF=$folder/ceph.conf
cat > "$CEPH_CONF" << CONF
[global]
fsid = $cluster
mon initial members = a
mon host = v1:127.0.0.1:$mon_port
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
run dir = $folder/run
log file = $folder/log/\$name.log
admin socket = $folder/run/\$name.asok
pid file = $folder/run/\$name.pid
ms bind msgr2 = false
osd objectstore = memstore
memstore device bytes = 4294967296
osd data = $folder/osd
mon data = $folder/mon
mon data avail crit = 1
mon data avail warn = 2
osd class load list = *
osd class default list = *
rgw frontends = beast endpoint=127.0.0.1:$port
rgw data = $folder/rgw
rgw enable usage log = false
rgw dns name = 127.0.0.1
rgw override bucket index max shards = 1
CONF

{
    monmaptool --create --addv a "[v1:127.0.0.1:$mon_port]" --fsid "$cluster" "$folder/monmap"
    ceph-mon --mkfs -i a --monmap "$folder/monmap"
    ceph-mon -i a
    osd=$(cat /proc/sys/kernel/random/uuid)
    timeout 120 ceph osd new "$osd" 0
    ceph-osd -i 0 --mkfs --osd-uuid "$osd"
    ceph-osd -i 0
    timeout 300 radosgw-admin user create --uid=test --display-name=test \
        --access-key=testkey --secret-key=testsecret
    radosgw -n client.rgw.a
} > "$folder/log/start.log" 2>&1 || { cat "$folder/log/start.log" >&2; exit 1; }
for n in $(seq 360); do
    if curl -s -o /dev/null "http://127.0.0.1:$port/"; then break; fi
    if [ "$n" = 360 ]; then echo "the gateway does not listen after 3 minutes" >&2; exit 1; fi
    sleep 0.5
done

export AWS_ACCESS_KEY_ID=testkey AWS_SECRET_ACCESS_KEY=testsecret AWS_REGION=default
export AWS_ENDPOINT_URL=http://127.0.0.1:$port
# The bucket, by a signed request.
curl --fail --silent --show-error --request PUT --user testkey:testsecret \
    --aws-sigv4 "aws:amz:default:s3" --header "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
    "http://127.0.0.1:$port/longhaul-tests"
export LONGHAUL_TEST_STORE=s3://longhaul-tests
"$@"
