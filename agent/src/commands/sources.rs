//! `muster-agent sources`: what is read for an inventory, and from where.

use std::io::Write;

use crate::{commands::table, sources::SOURCES};

/// Prints one line a source.
pub(crate) fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    let mut rows = vec![["SOURCE", "SECTION", "READS"].map(str::to_owned).to_vec()];
    rows.extend(SOURCES.iter().map(|source| {
        vec![source.name().to_owned(), source.section().as_str().to_owned(), source.reads().join(", ")]
    }));
    out.write_all(table::aligned("", &rows).as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_source_has_a_line() {
        let mut out = Vec::new();
        super::run(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), crate::sources::SOURCES.len() + 1);
        let words: Vec<&str> = text.lines().flat_map(|line| line.split_whitespace().take(3)).collect();
        let expected = ["dpkg", "software.dpkg", "var/lib/dpkg/status,"];
        assert!(words.windows(3).any(|found| found == expected), "{text}");
    }
}
