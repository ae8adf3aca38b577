//! `muster assess` over exports, as whoever has nothing but a folder runs it.

use std::{fs, path::Path};

use crate::program::run;

#[test]
fn a_folder_of_exports_becomes_one_page_that_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/imports");
    for name in ["staff.csv", "seats.csv", "aws-instances.json", "azure-resources.csv", "dhcpd.leases"] {
        fs::copy(samples.join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "nothing that any system writes\n").unwrap();
    let hostile = "serial,location,order_number\nPF0AAAAA,<script>alert(1)</script>,PO-1\n";
    fs::write(folder.path().join("purchase.csv"), hostile).unwrap();
    let page = folder.path().join("page.html");
    let (from, to) = (folder.path().to_str().unwrap().to_owned(), page.to_str().unwrap().to_owned());
    let outcome = run(folder.path(), &["assess", &from, "--to", &to]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
    assert!(outcome.output.contains("6 of 7 files taken in"), "{}", outcome.output);
    assert!(outcome.output.contains("notes.txt was left out"), "{}", outcome.output);
    let figure = |title: &str| {
        let line = outcome.output.lines().find(|line| line.starts_with(title)).unwrap_or_default();
        line.trim_start_matches(title).split_whitespace().next().unwrap_or_default().to_owned()
    };
    // Lea Weiß left in August and keeps a seat; Nadja Süß has two that she last signed in to in February.
    assert_eq!(figure("somebody who has left still has it"), "1");
    assert_eq!(figure("a seat is paid and was not signed in to for 90 days, or never"), "2");
    assert_eq!(figure("a cloud resource has no owner or no tag"), "2");
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "text is escaped");
    assert!(!html.contains("http://") && !html.contains("https://"), "nothing is fetched");
    for words in ["i-0a1b2c3d4e5f60002", "ida.voss(at)example.org", "Lea Weiß"] {
        assert!(html.contains(words), "{words} stands on the page");
    }
}

#[test]
fn a_folder_without_files_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(folder.path(), &["assess", folder.path().to_str().unwrap()]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.errors.contains("put exports of other systems there"), "{}", outcome.errors);
}
