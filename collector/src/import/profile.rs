//! What is known beforehand of the lists that one system writes: its own headings, its words, how far it is believed.
//!
//! Data only; what is done with it stands in `device_list` and `device_row`.

use muster_common::device::Field;

use super::columns::Column;

/// What makes a row the same row, unless chosen otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The order's number with the first identifier: one machine may be bought twice.
    OrderAndFirst,
    /// The first identifier.
    First,
    /// The asset tag, else the first identifier: the system's own number outlasts a corrected serial number.
    AssetTag,
}

/// What is done with a second row of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// It is refused.
    Refuse,
    /// The one that was seen last is kept: a machine that was enrolled again leaves its old row behind.
    LatestSeen,
    /// They are one, with the latest warranty end: a list of services has a row for each.
    LatestWarranty,
}

/// What is known of a system's lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// The system, for people; empty for a list of nobody in particular.
    pub(super) system: &'static str,
    /// Headings, as `plain` leaves them, by all of which of any group its lists are told from others'.
    pub(super) signatures: &'static [&'static [&'static str]],
    /// Its own headings, as `plain` leaves them; of several for one meaning the first that is there is taken.
    pub(super) aliases: &'static [(&'static str, Column)],
    /// Headings that are understood and not taken, with the reason.
    pub(super) ignored: &'static [(&'static str, &'static str)],
    /// Whether it is an authoritative record of what is ours.
    pub(super) vouches: bool,
    /// Whether an identifier that can't be read is left out instead of refusing the row: systems fill their columns with
    /// what they have, people mean what they write.
    pub(super) lenient: bool,
    /// Who made every machine in it.
    pub(super) maker: Option<&'static str>,
    /// What makes a row the same row.
    pub(super) naming: Naming,
    /// What is done with a second row of the same name.
    pub(super) repeats: Repeats,
    /// The system's words for ours, in lower case; an empty word means none. With any of them, a word that isn't listed is
    /// left out instead of refused.
    pub(super) words: &'static [(Field, &'static [(&'static str, &'static str)])],
}

impl Profile {
    /// Of a list that nothing is known of.
    pub(super) const PLAIN: Self = Self {
        system: "",
        signatures: &[],
        aliases: &[],
        ignored: &[],
        vouches: true,
        lenient: false,
        maker: None,
        naming: Naming::First,
        repeats: Repeats::Refuse,
        words: &[],
    };

    /// What a heading means, and its place among the aliases.
    pub(super) fn alias(&self, name: &str) -> Option<(usize, Column)> {
        let at = self.aliases.iter().position(|(alias, _)| *alias == name)?;
        self.aliases.get(at).map(|(_, column)| (at, *column))
    }

    /// Why a heading is not taken.
    pub(super) fn why_ignored(&self, name: &str) -> Option<&'static str> {
        self.ignored.iter().find(|(heading, _)| *heading == name).map(|(_, why)| *why)
    }

    /// The words for a field.
    pub(super) fn words_of(&self, field: Field) -> Option<&'static [(&'static str, &'static str)]> {
        self.words.iter().find(|(of, _)| *of == field).map(|(_, words)| *words)
    }

    /// Whether a heading means anything in such a list.
    pub(super) fn knows(&self, heading: &str) -> bool {
        let name = super::columns::plain(heading);
        !name.is_empty() && (self.alias(&name).is_some() || Column::from_heading(heading).is_some())
    }
}
