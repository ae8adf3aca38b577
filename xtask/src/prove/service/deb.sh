
# The agent as .deb.
answers
dpkg -i /root/first.deb >>/root/story.log 2>&1 || fail "the package can't be installed"
ok "installed"
until_ok connected || fail "the agent does not connect"
identity=$(agent_id)
[ -n "$identity" ] || fail "the agent has no identity"
[ ! -e /etc/muster/enroll-token ] || fail "the enrolment string is still there"
until_ok [ ! -e $state/enrollment-token ] || fail "the used enrolment string is still there"
ok "enrolled from the file and connected: $(systemctl show -P StatusText muster-agent)"
until_ok reported || fail "the collector has not heard of the installed packages"
ok "the collector has it: $(cli devices --output json | grep -Eo '"(softwareCount|software_count)": *[0-9]+')"
muster-agent status >/root/status.txt
ok "$(grep '^sandbox' /root/status.txt)"
ok "$(grep -A1 '^sandbox' /root/status.txt | tail -n 1)"
ok "$(grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/"$(process)"/status | tr '\t\n' '  ')"
ok "watchdog $(systemctl show -P WatchdogUSec muster-agent), $(systemctl show -P Type muster-agent)"

for unit in muster-agent muster-collector; do
    systemd-analyze verify "/usr/lib/systemd/system/$unit.service" >/root/verify 2>&1 || fail "verify: $(cat /root/verify)"
    [ ! -s /root/verify ] || fail "verify: $(cat /root/verify)"
done
ok "systemd-analyze verify finds nothing in both units"
below_two muster-agent.service || fail "the unit rates $(rating muster-agent.service)"
ok "as installed it rates $(rating muster-agent.service)"

# Charter and machine allow what tells of people; homes are still hidden.
printf '[privacy]\nlogins = true\nper_user = true\nusage = true\nneighbours = true\n' >/etc/muster/agent.d/20-privacy.toml
compare_later hidden

mkdir -p /etc/systemd/system/muster-agent.service.d
cp /usr/share/doc/muster-agent/per-user.conf.example /etc/systemd/system/muster-agent.service.d/per-user.conf
systemctl daemon-reload
compare_later shown
systemd-analyze verify muster-agent.service >/root/verify 2>&1 || fail "verify with the drop-in: $(cat /root/verify)"
below_two muster-agent.service || fail "with homes the unit rates $(rating muster-agent.service)"
ok "with the drop-in for homes it rates $(rating muster-agent.service)"

before=$(process)
kill -9 "$before"
until_ok connected_anew "$before" || fail "the agent is not restarted after SIGKILL"
[ "$(agent_id)" = "$identity" ] || fail "the restart lost the identity"
ok "restarted after SIGKILL with the same identity"

# Three minutes are too long to wait for here; the beat follows what the unit says.
mkdir -p /run/systemd/system/muster-agent.service.d
printf '[Service]\nWatchdogSec=4\nTimeoutAbortSec=4\n' >/run/systemd/system/muster-agent.service.d/watchdog.conf
systemctl daemon-reload
before=$(process)
systemctl restart muster-agent
until_ok connected_anew "$before" || fail "the agent does not run under a short watchdog"
before=$(process)
sleep 6
[ "$(process)" = "$before" ] || fail "an agent that is well does not beat its watchdog in time"
kill -STOP "$before"
until_ok connected_anew "$before" || fail "the watchdog does not restart an agent that hangs"
journalctl --no-pager -u muster-agent | grep -q 'Watchdog timeout' || fail "something else restarted the agent"
[ "$(agent_id)" = "$identity" ] || fail "the watchdog's restart lost the identity"
ok "an agent that hung was restarted by the watchdog, with the same identity"
rm -r /run/systemd/system/muster-agent.service.d
systemctl daemon-reload

go_offline acme-deb-2.3.4
before=$(process)
dpkg -i /root/second.deb >>/root/story.log 2>&1 || fail "the upgrade can't be installed"
until_ok runs_anew "$before" || fail "the agent does not run after the upgrade"
[ "$(agent_id)" = "$identity" ] || fail "the upgrade lost the identity"
[ "$(epoch)" = "$spool" ] || fail "the upgrade lost the spool"
until_ok something_waits || fail "the upgrade lost what waited in the spool"
systemctl start muster-collector
until_ok collector_knows acme-deb || fail "what waited in the spool was not delivered"
ok "upgraded to $(dpkg-query -W -f '${Version}' muster-agent) offline with $waits waiting: same identity, same spool, delivered"

# What an operator put there is an operator's to remove.
rm -r /etc/systemd/system/muster-agent.service.d /etc/muster/agent.d/20-privacy.toml
dpkg --remove muster-agent >>/root/story.log 2>&1 || fail "the package can't be removed"
[ -e $state/identity/identity.toml ] || fail "removing without purging lost the identity"
dpkg --purge muster-agent >>/root/story.log 2>&1 || fail "the package can't be purged"
getent passwd muster-agent >/dev/null && fail "the purge left the user"
getent group muster-agent >/dev/null && fail "the purge left the group"
left() {
    find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /run \) -prune -o \
        \( -name '*muster-agent*' -o -path '/etc/muster/agent*' -o -path '/etc/muster/enroll*' \) -print
}
[ -z "$(left)" ] || fail "the purge left: $(left | tr '\n' ' ')"
systemctl is-active --quiet muster-agent && fail "the service still runs"
pgrep -x muster-agent >/dev/null 2>&1 && fail "a process still runs"
ok "purged: no file, no user, no process"
