//! A process as `/proc/PID/stat` tells it, without its arguments, which stand elsewhere and are never read.
//!
//! Pure. Knows nothing of packages.

/// What is taken of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process<'a> {
    /// What the kernel calls it: the first 15 bytes of its program's name, unless it gave itself another.
    pub(crate) name: &'a [u8],
    /// When it started, in ticks since the boot: with the number it tells a process from one that had it before.
    pub(crate) started: u64,
}

/// PF_KTHREAD: a thread of the kernel.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Reads the line; `None` for threads of the kernel, for the dead, and where it can't be read.
pub(crate) fn process(line: &[u8]) -> Option<Process<'_>> {
    let open = memchr::memchr(b'(', line)?;
    // The name may hold anything, brackets too.
    let close = memchr::memrchr(b')', line)?;
    let name = line.get(open + 1..close)?;
    let mut fields = line.get(close + 1..)?.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let state = fields.next()?;
    if matches!(state, b"Z" | b"X" | b"x") {
        return None;
    }
    // The state is field 3, flags are 9, the start 22.
    let flags: u64 = number(fields.nth(5)?)?;
    let started = number(fields.nth(12)?)?;
    (flags & KERNEL_THREAD == 0 && !name.is_empty()).then_some(Process { name, started })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_start() {
        let check = |line: &str, expected: Option<(&str, u64)>| {
            let found = process(line.as_bytes()).map(|found| (found.name, found.started));
            assert_eq!(found, expected.map(|(name, started)| (name.as_bytes(), started)), "{line}");
        };
        let rest = "S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8231 225280 100 1844";
        check(&format!("7 (bash) {rest}\n"), Some(("bash", 8231)));
        check(&format!("7 (a) S (b) c) {rest}"), Some(("a) S (b) c", 8231)));
        check(&format!("7 (bash) {}", rest.replacen('S', "Z", 1)), None);
        check("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 12 0 0", None);
        for line in [
            "",
            "7",
            "7 (",
            "7 )(",
            "7 (bash",
            "7 (bash) S 1 7",
            "7 () S 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 x",
        ] {
            check(line, None);
        }
    }
}
