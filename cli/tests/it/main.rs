//! `muster` as its users meet it: exit code, standard output and standard error of the program itself.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod assess;
mod program;
mod refused;
mod road;
mod wrong_use;
