//! An error with its causes, on one line: for logs, and for people who must see what the system said.

use std::{error::Error, fmt};

/// Shows an error and each of its causes, joined by colons.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not keep it")]
    struct Outer(#[source] fmt::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        let inner = fmt::Error.to_string();
        assert_eq!(Chain(&Outer(fmt::Error)).to_string(), format!("could not keep it: {inner}"));
        assert_eq!(Chain(&fmt::Error).to_string(), inner);
    }
}
