//! `muster`: the command line of operators and of security tooling.
//!
//! Knows nothing of how an answer is found: it asks a collector over mutual TLS, shows what came back, and says what
//! to do when something didn't work. The modules stand in the order in which a command meets them.

mod arguments;
mod commands;
mod config;
mod connection;
mod failure;
mod output;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use crate::{arguments::Arguments, commands::Done, failure::Failure, output::Screen};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::of_terminal(arguments.color);
    match commands::run(&arguments, &screen).await {
        Ok(Done { text, failure: None }) => print(&text),
        Ok(Done { text, failure: Some(failure) }) => {
            // What did not go well outlives a reader who has read enough.
            let _ = print(&text);
            complain(&failure)
        }
        Err(failure) => complain(&failure),
    }
}

fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(failure: &Failure) -> ExitCode {
    // With standard error gone there is nobody left to tell, and the exit code still says it.
    let _ = writeln!(io::stderr().lock(), "{failure}");
    ExitCode::from(failure.exit_code())
}
