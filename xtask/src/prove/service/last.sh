
# The collector goes, its data stays.
dpkg --purge muster-collector muster >>/root/story.log 2>&1 || fail "collector and muster can't be purged"
systemctl is-active --quiet muster-collector && fail "the collector still runs"
[ -d /var/lib/muster-collector/authority ] || fail "purging the collector deleted the organisation's authority"
ok "collector purged: its data stays"
end "done"
