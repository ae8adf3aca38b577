
# The agent as .rpm. This system has no packages of rpm's own that could meet what it requires; what is required is told
# by the package's own test.
rpm_do() { rpm --dbpath /var/lib/rpm-proof "$@" >>/root/story.log 2>&1; }
rpm_do -K --nosignature /root/first.rpm || fail "the package's digests are wrong"
answers
rpm_do -i --force-debian --nodeps /root/first.rpm || fail "the .rpm can't be installed"
until_ok connected || fail "the agent of the .rpm does not connect"
identity=$(agent_id)
[ -n "$identity" ] || fail "the agent of the .rpm has no identity"
[ "$(systemctl is-enabled muster-agent)" = enabled ] || fail "the .rpm does not enable the service"
rpm_do -V --nodeps muster-agent || fail "what the .rpm installed is not as packed"
ok ".rpm installed, enrolled, connected: $(rpm --dbpath /var/lib/rpm-proof -q muster-agent)"

echo '# A line of the operator.' >>/etc/muster/agent.toml
go_offline acme-rpm-2.3.4
before=$(process)
rpm_do -U --force-debian --nodeps /root/second.rpm || fail "the .rpm can't be upgraded"
until_ok runs_anew "$before" || fail "the agent does not run after the upgrade of the .rpm"
[ "$(agent_id)" = "$identity" ] || fail "the upgrade of the .rpm lost the identity"
[ "$(epoch)" = "$spool" ] || fail "the upgrade of the .rpm lost the spool"
grep -q '^# A line of the operator' /etc/muster/agent.toml || fail "the upgrade of the .rpm lost a change of the configuration"
systemctl start muster-collector
until_ok collector_knows acme-rpm || fail "what waited in the spool was not delivered"
ok ".rpm upgraded to $(rpm --dbpath /var/lib/rpm-proof -q muster-agent) offline with $waits waiting: same identity, same spool, delivered, configuration kept"

rpm_do -e muster-agent || fail "the .rpm can't be erased"
systemctl is-active --quiet muster-agent && fail "the service still runs after the .rpm was erased"
[ ! -e /usr/bin/muster-agent ] || fail "the erased .rpm left its program"
grep -q '^# A line of the operator' /etc/muster/agent.toml.rpmsave || fail "the erased .rpm did not keep the changed configuration"
[ -e $state/identity/identity.toml ] || fail "the erased .rpm did not keep the identity"
ok ".rpm erased: no program, no service; configuration as .rpmsave and identity kept"
