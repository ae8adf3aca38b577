#!/bin/bash
# The story of one machine, told inside a container with its own systemd; each line of the result is a finding.
exec 2>>/root/story.log
set -u
result=/root/result
state=/var/lib/muster-agent
cli="muster --config /root/collector/operator/config.toml"

ok() { echo "ok: $*" >>$result; }
end() {
    echo "$*" >>$result
    {
        journalctl --no-pager -u muster-agent 2>&1 | tail -n 60
        tail -n 20 /root/collector.log
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
agent_id() { muster-agent status --output json | sed -n 's/.*"agent_id": "\(.*\)".*/\1/p'; }
process() { systemctl show -P MainPID muster-agent; }
connected() { [ "$(process)" != 0 ] && systemctl show -P StatusText muster-agent | grep -q '^Connected to'; }
connected_anew() { [ "$(process)" != "$1" ] && connected; }
reported() { $cli devices --output json | grep -Eq '"(softwareCount|software_count)": *[1-9]'; }

muster-collector init --data /root/collector --name localhost --trust-domain proof.muster.internal \
    --config /root/collector.toml >>/root/story.log || fail "the collector can't be made"
muster-collector serve --config /root/collector.toml >/root/collector.log 2>&1 &
until_ok $cli devices || fail "the collector does not answer"

mkdir -p /etc/muster
umask 077
muster-collector token create --config /root/collector.toml --one-time >/etc/muster/enroll-token
umask 022
printf 'collector = localhost:7443\nenroll = localhost:7444\n' >/etc/muster/agent.answers

dpkg -i /root/first.deb >>/root/story.log 2>&1 || fail "the package can't be installed"
ok "installed"
until_ok connected || fail "the agent does not connect"
identity=$(agent_id)
[ -n "$identity" ] || fail "the agent has no identity"
[ ! -e /etc/muster/enroll-token ] || fail "the enrolment string is still there"
until_ok [ ! -e $state/enrollment-token ] || fail "the used enrolment string is still there"
ok "enrolled from the file and connected: $(systemctl show -P StatusText muster-agent)"
until_ok reported || fail "the collector has not heard of the installed packages"
$cli devices --output json >/root/devices.json
ok "the collector has it: $(grep -Eo '"(softwareCount|software_count)": *[0-9]+' /root/devices.json)"
muster-agent status >/root/status.txt
ok "$(grep '^sandbox' /root/status.txt)"
ok "$(grep -A1 '^sandbox' /root/status.txt | tail -n 1)"
ok "$(grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/"$(process)"/status | tr '\t\n' '  ')"
ok "watchdog $(systemctl show -P WatchdogUSec muster-agent), $(systemctl show -P Type muster-agent)"

before=$(process)
dpkg -i /root/second.deb >>/root/story.log 2>&1 || fail "the upgrade can't be installed"
until_ok connected_anew "$before" || fail "the agent does not connect after the upgrade"
[ "$(agent_id)" = "$identity" ] || fail "the upgrade lost the identity"
ok "upgraded to $(dpkg-query -W -f '${Version}' muster-agent) with the same identity"

before=$(process)
kill -9 "$before"
until_ok connected_anew "$before" || fail "the agent is not restarted after SIGKILL"
[ "$(agent_id)" = "$identity" ] || fail "the restart lost the identity"
ok "restarted after SIGKILL with the same identity"

# The same unit with another command sees what the service sees.
sed -e 's/^Type=.*/Type=oneshot/' -e '/^WatchdogSec/d' -e '/^Restart/d' -e '/^ExecStartPre/d' \
    -e 's|^ExecStart=.*|ExecStart=/usr/bin/muster-agent collect --output json|' \
    -e '/^\[Service\]/a StandardOutput=file:/run/service.json' \
    /usr/lib/systemd/system/muster-agent.service >/run/systemd/system/service-collects.service
systemctl daemon-reload
systemctl start service-collects.service || fail "the service's sandbox lets it collect nothing"
cp /run/service.json /root/service.json
muster-agent collect --output json >/root/root.json || fail "root can't collect"
rm /run/systemd/system/service-collects.service

dpkg --purge muster-agent >>/root/story.log 2>&1 || fail "the package can't be purged"
getent passwd muster-agent >/dev/null && fail "the purge left the user"
getent group muster-agent >/dev/null && fail "the purge left the group"
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /run \) -prune -o \
    \( -name '*muster-agent*' -o -path '/etc/muster*' \) -print)
[ -z "$left" ] || fail "the purge left: $(echo "$left" | tr '\n' ' ')"
systemctl is-active --quiet muster-agent && fail "the service still runs"
ok "purged: no file, no user, no process"
end "done"
