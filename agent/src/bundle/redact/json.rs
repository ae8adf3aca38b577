//! JSON, value by value and in its place: what a rule names stays, every other text and number is replaced.
//!
//! Works on the signs and not on a tree, so that a file that is cut short or not quite JSON is treated alike, and
//! whatever is wrong with it is wrong afterwards too.

use super::Context;
use crate::bundle::pseudonym::Kind;

/// What stays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json {
    /// The keys that lead to where anything stays.
    pub(super) under: &'static [&'static str],
    /// The keys below whose texts and numbers stay.
    pub(super) kept: &'static [&'static str],
    /// Whether all keys there stay, as where they are names of products.
    pub(super) open: bool,
    /// How what stays is written.
    pub(super) stays: Stays,
}

/// How what stays is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    /// As it is.
    AsItIs,
    /// As references of images: a registry that isn't everybody's is replaced, and what lies in it.
    Images,
    /// As what an extension's policy names: the id before a semicolon stays, the address behind it goes.
    Extensions,
    /// As addresses: a host that isn't everybody's is replaced, and what lies on it.
    Addresses,
}

/// Registries and channels that are everybody's.
const PUBLIC: &[&str] = &[
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "k8s.gcr.io",
    "registry.k8s.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "registry.access.redhat.com",
    "registry.redhat.io",
    "registry.fedoraproject.org",
    "registry.opensuse.org",
    "docker.elastic.co",
    "lscr.io",
    "nvcr.io",
    "conda.anaconda.org",
    "repo.anaconda.com",
    "repo.continuum.io",
    "registry.npmjs.org",
];

/// Channels that are everybody's.
const CHANNELS: &[&str] =
    &["pkgs", "main", "free", "conda-forge", "bioconda", "anaconda", "nvidia", "pytorch", "intel", "r"];

/// Depth beyond which nothing is understood, and so nothing stays.
const DEPTH_LIMIT: usize = 64;

/// Replaces in place.
pub(super) fn redact(bytes: &mut [u8], rule: &Json, context: &mut Context<'_>) {
    let mut walk = Walk { rule, levels: Vec::new(), depth: 0 };
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'{' | b'[' => {
                walk.open(byte == b'{');
                at += 1;
            }
            b'}' | b']' => {
                walk.close();
                at += 1;
            }
            b'"' => {
                let end = end_of_string(bytes, at + 1);
                let is_key = walk.is_key(bytes, end + 1);
                let inner = bytes.get_mut(at + 1..end).unwrap_or_default();
                if is_key {
                    walk.key(inner);
                    if !walk.keeps_key() {
                        replace(inner, context);
                    } else if rule.stays == Stays::Images {
                        stay(inner, rule.stays, context);
                    }
                } else if walk.keeps_value() {
                    stay(inner, rule.stays, context);
                } else {
                    replace(inner, context);
                }
                at = end + 1;
            }
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
                    .count();
                let place = &mut bytes[at..at + length];
                // An exponent could leave the bounds of a number.
                if !walk.keeps_value() && length > 1 && !place.contains(&b'e') && !place.contains(&b'E') {
                    let replaced = context.of(Kind::Other, place);
                    place.copy_from_slice(&replaced);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
}

/// Where in the document the walk is.
struct Walk<'r> {
    rule: &'r Json,
    levels: Vec<Level>,
    /// Levels in all, also those beyond the bound.
    depth: usize,
}

struct Level {
    is_object: bool,
    key: Vec<u8>,
}

impl Walk<'_> {
    fn open(&mut self, is_object: bool) {
        self.depth += 1;
        if self.levels.len() < DEPTH_LIMIT {
            self.levels.push(Level { is_object, key: Vec::new() });
        }
    }

    fn close(&mut self) {
        if self.depth <= self.levels.len() {
            self.levels.pop();
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn is_known(&self) -> bool {
        self.depth == self.levels.len()
    }

    fn is_key(&self, bytes: &[u8], after: usize) -> bool {
        let follows = bytes.get(after..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace());
        self.levels.last().is_some_and(|level| level.is_object) && follows == Some(&b':')
    }

    fn key(&mut self, key: &[u8]) {
        if let Some(level) = self.levels.last_mut() {
            level.key = key.to_vec();
        }
    }

    fn keys(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.levels.iter().filter(|level| level.is_object).map(|level| level.key.as_slice())
    }

    /// Whether the last `skip` keys stand below those that lead here.
    fn is_under(&self, skip: usize) -> bool {
        let mut keys = self.keys();
        let leads = self.rule.under.iter().all(|wanted| keys.next() == Some(wanted.as_bytes()));
        leads && keys.count() >= skip
    }

    fn keeps_key(&self) -> bool {
        let Some(key) = self.keys().next_back() else { return false };
        let is_one_of = |words: &[&str]| words.iter().any(|word| word.as_bytes() == key);
        self.is_known()
            && (is_one_of(self.rule.under)
                || is_one_of(self.rule.kept)
                || (self.rule.open && self.is_under(1)))
    }

    fn keeps_value(&self) -> bool {
        let Some(key) = self.keys().next_back() else {
            return self.is_known() && self.rule.kept.contains(&"");
        };
        let is_named = self.rule.kept.iter().any(|word| word.as_bytes() == key || *word == "*");
        self.is_known() && is_named && self.is_under(0)
    }
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Escapes stay escapes; one of a letter stands for any letter.
fn replace(inner: &mut [u8], context: &mut Context<'_>) {
    let replaced = context.of(Kind::Other, inner);
    let mut at = 0;
    while at < inner.len() {
        if inner[at] == b'\\' {
            let is_letter = inner.get(at + 1) == Some(&b'u');
            if let Some(digits) = inner.get_mut(at + 2..at + 6).filter(|_| is_letter) {
                digits.copy_from_slice(b"0078");
            }
            at += if is_letter { 6 } else { 2 };
        } else {
            inner[at] = replaced[at];
            at += 1;
        }
    }
}

fn stay(inner: &mut [u8], stays: Stays, context: &mut Context<'_>) {
    let private = match stays {
        Stays::AsItIs => None,
        Stays::Images => image(inner),
        Stays::Extensions => memchr::memchr(b';', inner).map(|place| place..inner.len()),
        Stays::Addresses => address(inner),
    };
    if let Some(place) = private.and_then(|range| inner.get_mut(range)) {
        replace(place, context);
    }
}

/// The part of an image's reference that is private: registry and repository, and the tag's letters.
fn image(reference: &[u8]) -> Option<std::ops::Range<usize>> {
    let (host, _) = reference.split_at(memchr::memchr(b'/', reference)?);
    let is_host = memchr::memchr2(b'.', b':', host).is_some() || host == b"localhost";
    let is_public = PUBLIC.iter().any(|known| known.as_bytes() == host);
    let digest = memchr::memmem::find(reference, b"@sha256:").unwrap_or(reference.len());
    (is_host && !is_public).then_some(0..digest)
}

fn address(text: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = memchr::memmem::find(text, b"://")? + 3;
    let rest = &text[start..];
    let host = &rest[..memchr::memchr(b'/', rest).unwrap_or(rest.len())];
    if !PUBLIC.iter().any(|known| known.as_bytes() == host) {
        return Some(start..text.len());
    }
    // A token comes first, as `/t/TOKEN`, then whose channel it is, and at last the platform.
    let path = &rest[host.len()..];
    let token =
        path.strip_prefix(b"/t/").map(|after| 3..3 + memchr::memchr(b'/', after).unwrap_or(after.len()));
    let channel = &path[token.as_ref().map_or(0, |token| token.end)..];
    let owner = channel.get(1..).unwrap_or_default().split(|byte| *byte == b'/').next()?;
    let private = if CHANNELS.iter().any(|known| known.as_bytes() == owner) {
        token?
    } else {
        let start = token.map_or(1, |token| token.start);
        start..memchr::memrchr(b'/', path).filter(|end| *end > start).unwrap_or(path.len())
    };
    let path = start + host.len();
    Some(path + private.start..path + private.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::redact::testing::with_context;

    fn redacted(rule: &Json, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        with_context(|context| redact(&mut bytes, rule, context));
        assert_eq!(bytes.len(), text.len());
        String::from_utf8(bytes).unwrap()
    }

    const SNAPS: Json =
        Json { under: &["data", "snaps"], kept: &["name", "revision"], open: true, stays: Stays::AsItIs };

    #[test]
    fn what_a_rule_names_stays_and_nothing_else() {
        let text = r#"{"data":{"authority":{"people":[{"name":"annabel","id":471147114711}]},"snaps":{"firefox":{"name":"firefox",
            "revision":"12","notes":"call \u00e9lizabeth \"tomorrow\"","x":[{"name":"kept"},"missing"]}},"snaps2":{"name":"hidden"}}}"#;
        let after = redacted(&SNAPS, text);
        for gone in [
            "annabel",
            "471147114711",
            "authority",
            "people",
            "lizabeth",
            "tomorrow",
            "missing",
            "hidden",
            "snaps2",
            "00e9",
        ] {
            assert!(!after.contains(gone), "{gone} in {after}");
        }
        let value: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(value["data"]["snaps"]["firefox"]["revision"], "12");
        assert!(after.contains(r#"{"name":"kept"}"#), "{after}");
    }

    #[test]
    fn what_is_cut_short_is_replaced_all_the_same() {
        for text in
            [r#"{"data":{"other":"secret"#, r#"{"a":"secret\"#, r#"["secret", "a": {"b"#, r#""secret""#]
        {
            assert!(!redacted(&SNAPS, text).contains("secret"), "{text}");
        }
        let deep = format!("{}\"secret\"{}", "{\"data\":".repeat(100), "}".repeat(100));
        assert!(!redacted(&SNAPS, &deep).contains("secret"));
    }

    #[test]
    fn private_registries_and_addresses_go() {
        let images = Json { under: &[], kept: &["*"], open: true, stays: Stays::Images };
        let after = redacted(
            &images,
            r#"{"nginx:1":"nginx@sha256:12","ghcr.io/a/b:2":"x","hub.acme.test:5000/team/app:3":"hub.acme.test:5000/team/app@sha256:34"}"#,
        );
        assert!(
            after.contains("nginx:1") && after.contains("ghcr.io/a/b:2") && after.contains("@sha256:34"),
            "{after}"
        );
        assert!(!after.contains("acme") && !after.contains("team"), "{after}");

        let addresses = Json { under: &[], kept: &["channel"], open: false, stays: Stays::Addresses };
        for (text, gone) in [
            (r#"{"channel":"https://conda.anaconda.org/t/tk-12345/acme-team/noarch"}"#, "tk-12345"),
            (r#"{"channel":"https://conda.anaconda.org/t/tk-12345/acme-team/noarch"}"#, "acme-team"),
            (r#"{"channel":"https://conda.anaconda.org/acme-team/noarch"}"#, "acme-team"),
            (r#"{"channel":"https://conda.anaconda.org/acme-team"}"#, "acme-team"),
            (r#"{"channel":"https://conda.anaconda.org/t/tk-12345"}"#, "tk-12345"),
            (r#"{"channel":"https://conda.anaconda.org/t/tk-12345/"}"#, "tk-12345"),
            (r#"{"channel":"https://conda.anaconda.org/t/tk-12345/conda-forge/noarch"}"#, "tk-12345"),
            (r#"{"channel":"https://conda.corp.test/x"}"#, "corp"),
        ] {
            assert!(!redacted(&addresses, text).contains(gone), "{text}");
        }
        for text in [
            r#"{"channel":"https://conda.anaconda.org/conda-forge/linux-64"}"#,
            r#"{"channel":"https://repo.anaconda.com/pkgs/main"}"#,
            r#"{"channel":"defaults"}"#,
        ] {
            assert_eq!(redacted(&addresses, text), text);
        }
    }
}
