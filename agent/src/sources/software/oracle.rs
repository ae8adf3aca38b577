//! Oracle products, by the inventory that Oracle's installer keeps of its homes.
//!
//! Knows where the central inventory is named, and of each home's own inventory the products at the top: what somebody
//! chose to install, not the hundreds of components below. Knows nothing of licences, but keeps a database's edition,
//! since that is what they hang on.

use std::ops::ControlFlow;

use muster_common::{
    inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName},
    time::{EndpointTime, Timestamp},
};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read, text,
        xml::{self, Step, XmlError},
    },
};

/// Names the central inventory; the second place is an older habit.
const POINTERS: &[&str] = &["etc/oraInst.loc", "var/opt/oracle/oraInst.loc"];
const POINTER_LIMIT: usize = 16 << 10;
const INVENTORY_LIMIT: usize = 1 << 20;
/// A database's home states thousands of components after its products.
const COMPONENTS_LIMIT: usize = 4 << 20;
const VARIABLES_LIMIT: usize = 1 << 20;
/// More homes or products are cut with a problem.
const HOMES_LIMIT: usize = 64;
const PRODUCTS_LIMIT: usize = 1000;

/// Oracle's products.
#[derive(Debug)]
pub(crate) struct OracleSource;

impl Source for OracleSource {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_ORACLE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "etc/oraInst.loc",
            "var/opt/oracle/oraInst.loc",
            "INVENTORY/ContentsXML/inventory.xml",
            "HOME/inventory/ContentsXML/comps.xml",
            "HOME/inventory/globalvariables/oracle.server/globalvariables.xml",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        let pointer =
            POINTERS.iter().find_map(|path| read::bytes(host, path, POINTER_LIMIT, &mut part.problems));
        let Some(inventory) = pointer.as_deref().and_then(inventory_folder) else { return part };
        let path = format!("{inventory}/ContentsXML/inventory.xml");
        let Some(bytes) = read::bytes(host, &path, INVENTORY_LIMIT, &mut part.problems) else { return part };
        let (mut homes, result) = homes(&bytes);
        if let Err(error) = result {
            part.problems.add(&path, ErrorKind::Malformed, error.to_string());
        }
        if homes.len() > HOMES_LIMIT {
            part.problems.add(&path, ErrorKind::TooLarge, format!("more than {HOMES_LIMIT} homes"));
            homes.truncate(HOMES_LIMIT);
        }
        for home in homes {
            products_of_home(host, &home, &mut part);
        }
        part
    }
}

fn products_of_home(host: &dyn Host, home: &str, part: &mut SectionPart) {
    let path = format!("{home}/inventory/ContentsXML/comps.xml");
    let content = match host.prefix(&path, COMPONENTS_LIMIT) {
        Ok(content) => content,
        // A home that was deleted by hand stays in the inventory.
        Err(error) => return part.problems.add_error(error),
    };
    let (mut products, result) = products(&content.bytes);
    match result {
        Err(error) if !content.more => part.problems.add(&path, ErrorKind::Malformed, error.to_string()),
        // The products come first; a file that goes on and had none is not Oracle's.
        Ok(()) | Err(_) if content.more && products.is_empty() => {
            let message = format!("no product in its first {COMPONENTS_LIMIT} bytes");
            part.problems.add(&path, ErrorKind::TooLarge, message);
        }
        Ok(()) | Err(_) => {}
    }
    if products.len() > PRODUCTS_LIMIT {
        part.problems.add(&path, ErrorKind::TooLarge, format!("more than {PRODUCTS_LIMIT} products"));
        products.truncate(PRODUCTS_LIMIT);
    }
    let edition = products
        .iter()
        .any(|product| product.name == DATABASE)
        .then(|| database_edition(host, home, &mut part.problems))
        .flatten();
    part.items.extend(products.into_iter().map(|product| product.into_item(home, edition.as_deref())));
}

/// The component whose edition is asked for.
const DATABASE: &str = "oracle.server";

/// What the installer was told to install: `EE`, `SE2`, …
fn database_edition(host: &dyn Host, home: &str, problems: &mut Problems) -> Option<String> {
    let path = format!("{home}/inventory/globalvariables/{DATABASE}/globalvariables.xml");
    let bytes = read::bytes(host, &path, VARIABLES_LIMIT, problems)?;
    let mut edition = None;
    let result = xml::walk(&bytes, |step| {
        if let Step::Open(element) = step
            && element.attribute("NAME").as_deref() == Some("oracle_install_db_InstallType")
        {
            edition = element.attribute("VAL").or_else(|| element.attribute("VALUE"));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = result {
        problems.add(&path, ErrorKind::Malformed, error.to_string());
    }
    edition
}

/// The folder that a pointer file names, relative to the root.
fn inventory_folder(pointer: &[u8]) -> Option<String> {
    let value = pointer.split(|byte| *byte == b'\n').find_map(|line| {
        let (key, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
        (key.trim() == "inventory_loc").then_some(value)
    })?;
    absolute(value)
}

/// An absolute path as a path of the host's.
fn absolute(path: &str) -> Option<String> {
    let path = text::clean(path.as_bytes())?;
    let path = path.strip_prefix('/')?.trim_end_matches('/');
    (!path.is_empty() && path.split('/').all(|part| part != "..")).then(|| path.to_owned())
}

/// The homes in a central inventory; one that was removed stays listed with a mark.
pub(crate) fn homes(bytes: &[u8]) -> (Vec<String>, Result<(), XmlError>) {
    let mut homes = Vec::new();
    let result = xml::walk(bytes, |step| {
        if let Step::Open(element) = step
            && element.name() == "HOME"
            && element.attribute("REMOVED").as_deref() != Some("T")
            && let Some(home) = element.attribute("LOC").as_deref().and_then(absolute)
            && !homes.contains(&home)
        {
            homes.push(home);
        }
        if homes.len() > HOMES_LIMIT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (homes, result)
}

/// One product at the top of a home.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Product {
    name: String,
    version: String,
    /// Its name for people.
    title: Option<String>,
    installed: Option<EndpointTime>,
}

/// The products at the top of a home's inventory; an error says that it ends early.
pub(crate) fn products(bytes: &[u8]) -> (Vec<Product>, Result<(), XmlError>) {
    let mut products: Vec<Product> = Vec::new();
    let mut at_top = false;
    let mut in_title = false;
    let result = xml::walk(bytes, |step| {
        match step {
            Step::Open(element) => match element.name() {
                "TL_LIST" => at_top = true,
                "COMP" if at_top => products.extend(product(element)),
                "EXT_NAME" => in_title = at_top,
                _ => {}
            },
            Step::Text(value) if in_title => {
                if let Some(product) = products.last_mut() {
                    product.title = product.title.take().or_else(|| text::clean(value.as_bytes()));
                }
            }
            Step::Text(_) => {}
            Step::Close("EXT_NAME") => in_title = false,
            // The components follow, which nobody chose.
            Step::Close("TL_LIST") => return ControlFlow::Break(()),
            Step::Close(_) => {}
        }
        if products.len() > PRODUCTS_LIMIT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (products, result)
}

fn product(element: &xml::Element<'_>) -> Option<Product> {
    Some(Product {
        name: element.attribute("NAME")?,
        version: element.attribute("VER")?,
        title: None,
        installed: element.attribute("INSTALL_TIME").as_deref().and_then(install_time),
    })
}

/// `2019.Nov.26 07:54:54 EST`. Abbreviations of zones are ambiguous, so the clock on the wall is taken for UTC's: it is
/// the day that somebody asks for.
fn install_time(value: &str) -> Option<EndpointTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = value.split_ascii_whitespace();
    let (date, time) = (words.next()?, words.next()?);
    let mut date = date.split('.');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let moment: Timestamp = format!("{year}-{month:02}-{day:0>2}T{time}Z").parse().ok()?;
    Some(EndpointTime::from_millis(moment.as_millis()))
}

impl Product {
    fn into_item(self, home: &str, edition: Option<&str>) -> Item {
        let Self { name, version, title, installed } = self;
        let title = match (title, edition.filter(|_| name == DATABASE)) {
            (Some(title), Some(edition)) => Some(format!("{title} ({edition})")),
            (title, _) => title,
        };
        let package = Package {
            purl_type: "generic".to_owned(),
            namespace: "oracle".to_owned(),
            name,
            version,
            display_name: title,
            vendor: Some("Oracle Corporation".to_owned()),
            ..Package::default()
        };
        let installation = Installation { path: format!("/{home}"), installed, ..Installation::default() };
        Item { kind: ItemKind::Package(package), installation: Some(installation) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    const POINTER: &str = "inventory_loc=/u01/app/oraInventory\ninst_group=oinstall\n";
    const COMPONENTS: &str = r#"<?xml version="1.0" standalone="yes" ?>
<!-- Do not modify the contents of this file by hand. -->
<PRD_LIST>
<TL_LIST>
<COMP NAME="oracle.server" VER="19.0.0.0.0" BUILD_NUMBER="0" RELEASE="Production"
 INSTALL_TIME="2024.Nov.5 07:54:54 UTC" INST_LOC="x">
   <EXT_NAME>Oracle Database 19c</EXT_NAME>
   <DESC>Installs a starter database</DESC>
   <DEP_LIST><DEP NAME="oracle.rdbms" VER="19.0.0.0.0" DEP_GRP_NAME="Required"/></DEP_LIST>
</COMP>
<COMP NAME="oracle.client" VER="19.0.0.0.0"/>
<COMP NAME="nothing"/>
</TL_LIST>
<COMP_LIST><COMP NAME="oracle.rdbms" VER="19.0.0.0.0"><EXT_NAME>Oracle RDBMS</EXT_NAME></COMP></COMP_LIST>
</PRD_LIST>"#;
    const VARIABLES: &str = r#"<SESSION><VARIABLE_LIST SIZE="2"><VARIABLE NAME="a" VAL="b"/>
<VARIABLE TYPE="String" NAME="oracle_install_db_InstallType" DESC_RES_ID="" SECURE="F" VAL="EE"/></VARIABLE_LIST></SESSION>"#;

    /// `path name@version title time` of each product.
    fn shown(part: &SectionPart) -> Vec<String> {
        part.items
            .iter()
            .map(|item| {
                let ItemKind::Package(package) = &item.kind else { panic!("{item:?} is no package") };
                let installation = item.installation.as_ref().unwrap();
                format!(
                    "{} {}@{} {:?} {}",
                    installation.path,
                    package.name,
                    package.version,
                    package.display_name.as_deref().unwrap_or_default(),
                    installation.installed.map(|time| time.to_string()).unwrap_or_default()
                )
            })
            .collect()
    }

    fn check(files: &[(&str, &str)], expected: &[&str], expected_problems: &[&str]) {
        let (_folder, host) = recorded(files);
        let part = OracleSource.collect(&host);
        assert_eq!(shown(&part), expected);
        let problems: Vec<_> = part.problems.into_entries().into_iter().map(|entry| entry.subject).collect();
        assert_eq!(problems, expected_problems);
    }

    #[test]
    fn products_of_all_homes() {
        let inventory = r#"<?xml version="1.0" standalone="yes" ?>
<INVENTORY><VERSION_INFO><SAVED_WITH>12.2.0.7.0</SAVED_WITH></VERSION_INFO><HOME_LIST>
<HOME NAME="OraDB19Home1" LOC="/u01/app/oracle/product/19/" TYPE="O" IDX="1"><NODE_LIST><NODE NAME="n"/></NODE_LIST></HOME>
<HOME NAME="Twice" LOC="/u01/app/oracle/product/19" TYPE="O" IDX="2"/>
<HOME NAME="Old" LOC="/u01/old" TYPE="O" IDX="3" REMOVED="T"/>
<HOME NAME="Out" LOC="/u01/../../etc" TYPE="O" IDX="4"/>
<HOME NAME="Relative" LOC="D:\Oracle" TYPE="O" IDX="5"/>
<HOME NAME="Gone" LOC="/u01/gone" TYPE="O" IDX="6"/>
</HOME_LIST></INVENTORY>"#;
        check(
            &[
                ("etc/oraInst.loc", POINTER),
                ("u01/app/oraInventory/ContentsXML/inventory.xml", inventory),
                ("u01/app/oracle/product/19/inventory/ContentsXML/comps.xml", COMPONENTS),
                (
                    "u01/app/oracle/product/19/inventory/globalvariables/oracle.server/globalvariables.xml",
                    VARIABLES,
                ),
                ("u01/old/inventory/ContentsXML/comps.xml", COMPONENTS),
            ],
            &[
                "/u01/app/oracle/product/19 oracle.server@19.0.0.0.0 \"Oracle Database 19c (EE)\" \
                 2024-11-05T07:54:54Z",
                "/u01/app/oracle/product/19 oracle.client@19.0.0.0.0 \"\" ",
            ],
            &["u01/gone/inventory/ContentsXML/comps.xml"],
        );
    }

    #[test]
    fn hostile_inventories() {
        let many: String = (0..=HOMES_LIMIT).map(|home| format!("<HOME LOC='/{home}'/>")).collect();
        assert_eq!(homes(many.as_bytes()).0.len(), HOMES_LIMIT + 1);
        let flood = format!("<TL_LIST>{}", "<COMP NAME='a' VER='1'/>".repeat(PRODUCTS_LIMIT * 2));
        assert_eq!(products(flood.as_bytes()).0.len(), PRODUCTS_LIMIT + 1);
        let (found, result) = products(b"<TL_LIST><COMP NAME='a' VER='1'></TL_LIST>");
        assert_eq!((found.len(), result.is_err()), (1, true));
        for (pointer, expected) in [
            ("inventory_loc = /u01/inv/ \r\n", Some("u01/inv")),
            ("inventory_loc=\n", None),
            ("inventory_loc=/../etc", None),
            ("inventory_loc=/", None),
            ("\u{0}\u{1}", None),
        ] {
            assert_eq!(inventory_folder(pointer.as_bytes()).as_deref(), expected, "{pointer:?}");
        }
        check(&[], &[], &[]);
        check(
            &[("etc/oraInst.loc", "inventory_loc=/i"), ("i/ContentsXML/inventory.xml", "<INVENTORY><HOME")],
            &[],
            &["i/ContentsXML/inventory.xml"],
        );
    }

    #[test]
    fn times() {
        for (value, expected) in [
            ("2026.Mar.08 14:00:20 UTC", Some("2026-03-08T14:00:20Z")),
            ("2026.Mar.08 14:00:20", Some("2026-03-08T14:00:20Z")),
            ("2026.Foo.08 14:00:20 UTC", None),
            ("2026.Mar.99 14:00:20 UTC", None),
            ("x", None),
        ] {
            assert_eq!(install_time(value).map(|time| time.to_string()).as_deref(), expected, "{value}");
        }
    }
}
