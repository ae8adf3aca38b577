//! Enters the service's own sandbox and tries what it should allow and forbid; each try is a line on standard output.
//!
//! A process can't leave the sandbox, so the test of it runs this one. The state folder is the first argument.

#![expect(clippy::print_stdout, reason = "the test reads what this prints")]

use std::{env, fs, io, net::TcpListener, path::PathBuf, process::Command, thread};

fn main() {
    let state = PathBuf::from(env::args_os().nth(1).unwrap_or_default());
    let beside = state.with_file_name("beside");
    let existing = state.with_file_name("existing");
    let inside = muster_agent::sandbox::enter(&state, None);
    println!("files: {}", inside.files);
    println!("calls: {}", inside.calls);
    tell("write in the state folder", fs::write(state.join("new"), "x"));
    tell("rename in the state folder", fs::rename(state.join("new"), state.join("renamed")));
    tell("remove in the state folder", fs::remove_file(state.join("renamed")));
    tell("read elsewhere", fs::read(&existing));
    tell("list processes", fs::read_to_string("/proc/1/comm"));
    tell("start a thread", thread::Builder::new().spawn(|| ()));
    tell("write elsewhere", fs::write(&beside, "x"));
    tell("overwrite elsewhere", fs::write(&existing, "x"));
    tell("remove elsewhere", fs::remove_file(&existing));
    let by_thread = thread::spawn(move || fs::write(&beside, "x")).join();
    tell("write elsewhere from a thread", by_thread.unwrap_or(Ok(())));
    tell("start a program", Command::new("/bin/true").status());
    tell("listen", TcpListener::bind("127.0.0.1:0"));
}

fn tell<T>(what: &str, result: io::Result<T>) {
    match result {
        Ok(_) => println!("{what}: done"),
        Err(error) => println!("{what}: {:?}", error.kind()),
    }
}
