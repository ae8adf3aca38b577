
# The collector and the command line, from their own packages.
dpkg -i /root/muster-collector.deb /root/muster.deb >>/root/story.log 2>&1 || fail "collector and muster can't be installed"
systemctl is-active --quiet muster-collector && fail "a collector without a configuration runs"
/usr/lib/muster/collector-setup proof.muster.internal localhost >>/root/story.log || fail "the collector can't be set up"
until_ok cli devices || fail "the collector does not answer"
ok "collector installed and set up, $(systemctl show -P User muster-collector), rates $(rating muster-collector.service)"
mkdir -p /etc/muster/collector.d
cat >/etc/muster/collector.d/10-privacy.toml <<'END'
[charter.privacy]
logins = true
per_user = true
usage = true
neighbours = true
neighbour_networks = ["192.0.2.0/24 via 00:11:22:33:44:55"]
END
systemctl reload muster-collector || fail "the collector's charter can't be read again"
