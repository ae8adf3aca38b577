//! `cargo xtask prove NAME`: proofs that take too long for the gate, each a claim of the documents made repeatable.
//!
//! Knows nothing of how a proof works inside. A proof prints what it tried and what it found, and fails when the claim
//! doesn't hold; the gate runs a small seeded sample of those that have one. What this machine can't show is no failure:
//! such a proof ends with [`Skipped`], which is printed, and nothing is said to hold.
//!
//! To add a proof: write one file here with a `pub(super) fn run(words: &[String]) -> Result<()>`, one line in
//! [`PROOFS`], and the figures that it prints into the document that makes the claim.

mod audit;
mod clone;
mod disk;
mod dmi;
mod durability;
mod fuzz;
mod glibc;
mod hostile;
mod identity;
mod oracle;
mod packages;
mod python;
mod service;
mod store_durability;
mod victim;

use std::fmt;

use anyhow::{Result, bail};

/// Why a proof shows nothing on this machine.
#[derive(Debug)]
pub(super) struct Skipped(String);

impl Skipped {
    pub(super) fn because(why: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self(why.into()))
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "skipped, so nothing is shown: {}", self.0)
    }
}

impl std::error::Error for Skipped {}

/// A claim, and the function that tries to break it.
struct Proof {
    name: &'static str,
    shows: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "audit",
        shows: "no entry of the audit log is changed, removed, inserted, moved or cut off unseen, by packs and by heads",
        run: audit::run,
    },
    Proof {
        name: "clone",
        shows: "quickstart and the gate work on a clean clone, in either order, with no manual step",
        run: clone::run,
    },
    Proof {
        name: "dmi",
        shows: "the agent tells every number that dmidecode prints of a machine's parts, and no other",
        run: dmi::run,
    },
    Proof {
        name: "durability",
        shows: "what the collector acknowledged is there after kill -9 and power loss, once",
        run: durability::run,
    },
    Proof {
        name: "fuzz",
        shows: "no bytes crash a parser of the agent, hold it for seconds or make it hoard memory",
        run: fuzz::run,
    },
    Proof {
        name: "glibc",
        shows: "the agent built for glibc 2.17 needs nothing newer, and runs on the oldest Debian that can be had",
        run: glibc::run,
    },
    Proof {
        name: "hostile",
        shows: "collect --root reads nothing outside, and ends in time and within bounds whatever stands in its way",
        run: hostile::run,
    },
    Proof {
        name: "identity",
        shows: "no machine becomes another and at most one in a thousand two, simulated over two years and told over TCP",
        run: identity::run,
    },
    Proof {
        name: "packages",
        shows: "the agent finds what each package manager lists of a root that it made, item by item",
        run: packages::run,
    },
    Proof {
        name: "python",
        shows: "a client in Python, generated from proto/schema, lists devices over mutual TLS",
        run: python::run,
    },
    Proof {
        name: "service",
        shows: "the packages install, enrol, report all that root sees, upgrade, restart and purge clean under a real systemd",
        run: service::run,
    },
    Proof {
        name: "store-durability",
        shows: "what the embedded store acknowledged is there after kill -9 and power loss, once",
        run: store_durability::run,
    },
];

/// Which proof, and its own options.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The proof; without one all of them are listed
    name: Option<String>,
    /// Options of the proof itself
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Some(name) = &arguments.name else {
        for proof in PROOFS {
            println!("{:16} {}", proof.name, proof.shows);
        }
        return Ok(());
    };
    let Some(proof) = PROOFS.iter().find(|proof| proof.name == name) else {
        let names: Vec<&str> = PROOFS.iter().map(|proof| proof.name).collect();
        bail!("there is no proof {name:?}; there are: {}", names.join(", "));
    };
    println!("proving: {}", proof.shows);
    match (proof.run)(&arguments.words) {
        Ok(()) => println!("holds: {}", proof.shows),
        Err(error) if error.is::<Skipped>() => println!("{error:#}"),
        Err(error) => return Err(error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_proof_says_why_and_is_known_behind_a_context() {
        let error = Skipped::because("no root here").context("the machine");
        assert!(error.is::<Skipped>());
        assert_eq!(format!("{error:#}"), "the machine: skipped, so nothing is shown: no root here");
    }

    #[test]
    fn names_are_unique_and_an_unknown_one_lists_them() {
        let mut names: Vec<&str> = PROOFS.iter().map(|proof| proof.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROOFS.len());
        let arguments = Arguments { name: Some("wishes".to_owned()), words: Vec::new() };
        let error = run(&arguments).unwrap_err().to_string();
        assert!(error.contains("there is no proof \"wishes\"; there are: audit"), "{error}");
    }
}
