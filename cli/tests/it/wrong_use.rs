//! What goes wrong before anything is asked: the command line, the configuration, the files, the address.

use std::net::TcpListener;

use crate::program::{Authority, Home, Validity, make_readable, run};

fn home(address: &str) -> Home {
    Home::new(address, &Authority::new(), Validity::Good)
}

#[test]
fn without_a_configuration_it_says_where_it_looked_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(folder.path(), &["devices"]);
    outcome.check_failed(2, &["error: ", ".config/muster/config.toml", "/etc/muster/cli.toml", "   do: "]);
}

#[test]
fn a_wrong_command_line_is_told_by_clap() {
    let home = home("localhost:1");
    home.run(&["devcies"]).check_failed(2, &["devices"]);
    home.run(&["flags", "--code", "stael"]).check_failed(2, &["there is no flag \"stael\""]);
    home.run(&["device", "x", "--at", "yesterday"]).check_failed(2, &["RFC 3339"]);
    home.run(&["devices", "--page-size", "5000"]).check_failed(2, &["1..=1000"]);
    home.run(&["import", "x.csv", "--source", "Not A Name"]).check_failed(2, &["lower-case letters"]);
    home.run(&["agents", "revoke", "x", "--reason", "lost"]).check_failed(2, &["is not a agent id"]);
}

#[test]
fn a_wrong_configuration_names_file_line_and_key() {
    let home = home("localhost:1");
    home.write("config.toml", "address = \"localhost:1\"\nadress = \"x\"\n");
    home.run(&["devices"]).check_failed(2, &["config.toml:2: adress", "did you mean address?"]);
    home.write("config.toml", "address = localhost\n");
    home.run(&["devices"]).check_failed(2, &["config.toml:1"]);
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let home = home("localhost:1");
    make_readable(&home.path("key.pem"));
    home.run(&["devices"]).check_failed(2, &["key.pem has mode 0644", "chmod 0600"]);
}

#[test]
fn a_missing_or_broken_certificate_says_how_to_get_one() {
    let home = home("localhost:1");
    home.write("certificate.pem", "not a certificate");
    home.run(&["devices"]).check_failed(2, &["certificate.pem", "muster-collector operator NAME"]);
    std::fs::remove_file(home.path("roots.pem")).unwrap();
    home.write("certificate.pem", &std::fs::read_to_string(home.path("key.pem")).unwrap());
    home.run(&["devices"]).check_failed(2, &["certificate.pem holds"]);
}

#[test]
fn where_nobody_listens_it_says_so() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let home = home(&format!("localhost:{port}"));
    home.run(&["devices"])
        .check_failed(4, &["no collector answers at localhost", "refused", "muster-collector runs"]);
}

#[test]
fn a_file_that_is_not_there_is_not_imported() {
    let home = home("localhost:1");
    home.run(&["import", "missing.csv"]).check_failed(2, &["missing.csv can't be read", "   do: "]);
}

#[test]
fn a_charter_is_checked_without_a_collector_or_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("bad.toml", "required_fields = [\"ownr\"]\ncolour = 1\n");
    let outcome = run(folder.path(), &["charter", "check", "bad.toml"]);
    let expected = [
        "bad.toml:1: required_fields: there is no field \"ownr\"; did you mean owner?",
        "bad.toml:2: colour: unknown key",
        "   do: correct 2 problems",
    ];
    outcome.check_failed(2, &expected);
    run(folder.path(), &["charter", "check", "missing.toml"])
        .check_failed(2, &["missing.toml can't be read"]);
    write("good.toml", include_str!("../../../deploy/examples/charter.toml"));
    let outcome = run(folder.path(), &["charter", "check", "good.toml"]);
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
    assert!(outcome.output.contains("good.toml is a charter without problems"), "{}", outcome.output);
    let shown = run(folder.path(), &["charter", "show", "good.toml"]).output;
    assert!(shown.contains("Every device must have owner and location."), "{shown}");
}
