//! Samples in which a commented-out setting shows its default, so that a test can hold them to the code.

/// The sample with its commented-out settings switched on: `#interval = "1h"` becomes `interval = "1h"`. Prose has a
/// space behind the `#` and stays.
pub fn uncommented(sample: &str) -> String {
    let switch_on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|letter: char| letter.is_ascii_lowercase()) => {
            setting.to_owned()
        }
        _ => line.to_owned(),
    };
    sample.lines().map(switch_on).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_switched_on_and_prose_stays() {
        assert_eq!(uncommented("# Prose.\n#a = 1\nb = 2"), "# Prose.\na = 1\nb = 2");
    }
}
