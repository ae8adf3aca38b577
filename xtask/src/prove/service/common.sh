#!/bin/bash
# The story of one machine, told inside a container with its own systemd; each line of the result is a finding. This is
# what its chapters share: first.sh, deb.sh, rpm.sh and last.sh follow.
exec 2>>/root/story.log
set -u
result=/root/result
state=/var/lib/muster-agent

ok() { echo "ok: $*" >>$result; }
end() {
    echo "$*" >>$result
    {
        journalctl --no-pager -u muster-collector 2>&1 | grep -v ' = ' | tail -n 20
        journalctl --no-pager -u muster-agent 2>&1 | grep -v ' = ' | tail -n 40
        muster-agent status 2>&1
    } >/root/journal
    sync
    systemctl poweroff --force
    exit
}
fail() { end "FAILED: $*"; }
# Until a command succeeds, a minute at most.
until_ok() {
    for _ in $(seq 240); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.25
    done
    return 1
}
as_collector() { (cd / && runuser -u muster-collector -- "$@"); }
cli() { as_collector muster --config /var/lib/muster-collector/operator/config.toml "$@"; }
status_of() { muster-agent status --output json | sed -n "s/.*\"$1\": \"\\{0,1\\}\\([^\",]*\\)\"\\{0,1\\},\\{0,1\\}$/\\1/p" | head -n 1; }
agent_id() { status_of agent_id; }
process() { systemctl show -P MainPID muster-agent; }
connected() { [ "$(process)" != 0 ] && systemctl show -P StatusText muster-agent | grep -q '^Connected to'; }
connected_anew() { [ "$(process)" != "$1" ] && connected; }
runs_anew() { [ "$(process)" != 0 ] && [ "$(process)" != "$1" ] && [ "$(status_of process_id)" = "$(process)" ]; }
# Has collected since it was started, and the collector has all of it.
settled() {
    connected && [ "$(status_of process_id)" = "$(process)" ] && [ -n "$(status_of finished)" ] &&
        muster-agent status | grep -Eq '^pending +nothing'
}
something_waits() { [ -n "$(status_of finished)" ] && muster-agent status | grep -Eq '^pending +[1-9]'; }
epoch() { head -c 16 $state/spool-sequence | od -An -tx1 | tr -d ' \n'; }
reported() { cli devices --output json | grep -Eq '"(softwareCount|software_count)": *[1-9]'; }
device() { cli devices --output json | sed -n 's/.*"name": *"devices\/\([^"]*\)".*/\1/p' | head -n 1; }
inventory() { cli device "$(device)" --software --output json; }
collector_knows() { inventory | grep -q "$1"; }
answers() {
    umask 077
    as_collector muster-collector token create --one-time >/etc/muster/enroll-token
    umask 022
    printf 'collector = localhost:7443\nenroll = localhost:7444\n' >/etc/muster/agent.answers
}
# What the collector holds of the service, beside what root sees in the same minute.
compare_later() {
    before=$(process)
    systemctl restart muster-agent
    until_ok runs_anew "$before" || fail "the agent does not come back"
    until_ok settled || fail "the agent has not reported all that it found"
    muster-agent collect --personal --output json >"/root/$1.root.json" || fail "root can't collect"
    inventory >"/root/$1.service.json" || fail "the collector gives no inventory"
}
rating() { systemd-analyze security --no-pager "$1" | sed -n 's/.*Overall exposure level for [^:]*: *//p'; }
below_two() { systemd-analyze security --no-pager --threshold=19 "$1" >/dev/null; }
# Stops the collector, lets the machine change, and waits until the agent has something that it can't deliver.
go_offline() {
    systemctl stop muster-collector
    mkdir -p "/opt/$1/bin"
    before=$(process)
    systemctl restart muster-agent
    until_ok runs_anew "$before" || fail "the agent does not start without a collector"
    until_ok something_waits || fail "nothing waits in the spool while the collector is away"
    waits=$(muster-agent status | sed -n 's/^pending *//p')
    spool=$(epoch)
}
