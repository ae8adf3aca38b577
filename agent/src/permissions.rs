//! What may be read of people: the local ceiling and the charter's grant, both.
//!
//! Pure. Nothing that a collector says raises the ceiling, which stands in this machine's configuration alone; and
//! without a charter nothing is granted. Knows nothing of how either got here.

use muster_common::governance::{AgentSettings, NeighbourNetwork, Privacy};

use crate::sources::{Personal, Source};

/// What may be read of people now; the default is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    kinds: Privacy,
    /// Empty unless neighbours are allowed.
    networks: Vec<NeighbourNetwork>,
}

/// Why something personal is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// This machine's own configuration forbids it.
    Ceiling,
    /// The organisation does not ask for it.
    Charter,
}

impl Permissions {
    /// What both the ceiling and the charter allow.
    pub fn new(ceiling: Privacy, asked: &AgentSettings) -> Self {
        let kinds = ceiling.and(asked.privacy);
        let networks = if kinds.neighbours { asked.neighbour_networks.clone() } else { Vec::new() };
        Self { kinds, networks }
    }

    /// Everything, for a person who looks at a machine on that machine.
    pub fn everything() -> Self {
        let kinds = Privacy { usage: true, logins: true, per_user: true, neighbours: true };
        Self { kinds, networks: Vec::new() }
    }

    /// Whether something personal may be read.
    pub fn allows(&self, personal: Personal) -> bool {
        switch(self.kinds, personal)
    }

    /// The networks on which neighbours may be listed.
    pub fn networks(&self) -> &[NeighbourNetwork] {
        &self.networks
    }

    /// What they are in the words in which an organisation asks, without a schedule.
    pub fn in_words_of_charter(&self) -> AgentSettings {
        AgentSettings {
            privacy: self.kinds,
            neighbour_networks: self.networks.clone(),
            ..AgentSettings::default()
        }
    }

    /// Whether `other` allows all that this allows: then what was read under this may still be told under `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.kinds.is_within(other.kinds)
            && self.networks.iter().all(|network| other.networks.contains(network))
    }
}

/// The sources that may run.
pub fn permitted(sources: &[&'static dyn Source], permissions: &Permissions) -> Vec<&'static dyn Source> {
    let may_run =
        |source: &&&'static dyn Source| source.personal().is_none_or(|personal| permissions.allows(personal));
    sources.iter().filter(may_run).copied().collect()
}

/// Why something personal is not read; `None` when it is. The ceiling is named first, since without it nothing that
/// the organisation asks for changes anything.
pub fn why_off(personal: Personal, ceiling: Privacy, grant: Privacy) -> Option<Off> {
    match (switch(ceiling, personal), switch(grant, personal)) {
        (false, _) => Some(Off::Ceiling),
        (true, false) => Some(Off::Charter),
        (true, true) => None,
    }
}

/// The key in `[privacy]` of the agent's configuration and of the charter.
pub fn key(personal: Personal) -> &'static str {
    match personal {
        Personal::Usage => "usage",
        Personal::Logins => "logins",
        Personal::PerUser => "per_user",
        Personal::Neighbours => "neighbours",
    }
}

fn switch(privacy: Privacy, personal: Personal) -> bool {
    let Privacy { usage, logins, per_user, neighbours } = privacy;
    match personal {
        Personal::Usage => usage,
        Personal::Logins => logins,
        Personal::PerUser => per_user,
        Personal::Neighbours => neighbours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Personal; 4] = [Personal::Usage, Personal::Logins, Personal::PerUser, Personal::Neighbours];

    fn only(personal: Personal) -> Privacy {
        let is = |kind| kind == personal;
        Privacy {
            usage: is(Personal::Usage),
            logins: is(Personal::Logins),
            per_user: is(Personal::PerUser),
            neighbours: is(Personal::Neighbours),
        }
    }

    fn asked(privacy: Privacy) -> AgentSettings {
        let networks = ["192.0.2.0/24 via 00:11:22:33:44:55", "2001:db8::/64 via 00:11:22:33:44:55"];
        let neighbour_networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        AgentSettings { privacy, neighbour_networks, ..AgentSettings::default() }
    }

    #[test]
    fn both_must_allow_and_each_kind_stands_for_itself() {
        let all = Permissions::everything().kinds;
        for kind in KINDS {
            for (ceiling, grant, expected) in [
                (Privacy::NONE, Privacy::NONE, Some(Off::Ceiling)),
                (Privacy::NONE, all, Some(Off::Ceiling)),
                (Privacy::NONE, only(kind), Some(Off::Ceiling)),
                (all, Privacy::NONE, Some(Off::Charter)),
                (only(kind), Privacy::NONE, Some(Off::Charter)),
                (only(kind), only(kind), None),
                (all, only(kind), None),
                (only(kind), all, None),
                (all, all, None),
            ] {
                let permissions = Permissions::new(ceiling, &asked(grant));
                assert_eq!(why_off(kind, ceiling, grant), expected, "{kind:?} {ceiling:?} {grant:?}");
                assert_eq!(permissions.allows(kind), expected.is_none(), "{kind:?} {ceiling:?} {grant:?}");
            }
            for other in KINDS.into_iter().filter(|other| *other != kind) {
                assert!(
                    !Permissions::new(only(kind), &asked(all)).allows(other),
                    "{kind:?} allows {other:?}"
                );
                assert!(!Permissions::new(only(kind), &asked(only(other))).allows(kind));
            }
        }
        // Whoever asks for nothing gets nothing.
        assert_eq!(Permissions::new(all, &AgentSettings::default()), Permissions::default());
    }

    #[test]
    fn networks_count_where_neighbours_are_allowed_alone() {
        let neighbours = only(Personal::Neighbours);
        assert_eq!(Permissions::new(neighbours, &asked(neighbours)).networks().len(), 2);
        assert!(Permissions::new(Privacy::NONE, &asked(neighbours)).networks().is_empty());
        assert!(Permissions::new(neighbours, &asked(only(Personal::Usage))).networks().is_empty());
    }

    #[test]
    fn a_network_less_is_a_permission_less() {
        let neighbours = only(Personal::Neighbours);
        let both = Permissions::new(neighbours, &asked(neighbours));
        let mut fewer = asked(neighbours);
        fewer.neighbour_networks.pop();
        let one = Permissions::new(neighbours, &fewer);
        assert!(one.is_within(&both) && !both.is_within(&one));
        assert!(Permissions::default().is_within(&one) && !one.is_within(&Permissions::default()));
    }
}
