//! Software that was unpacked under /opt, where something in the tree says which version it is.
//!
//! Knows what makers leave there: JetBrains' `product-info.json`, Eclipse's `.eclipseproduct`, MATLAB's
//! `VersionInfo.xml`, files named VERSION, folders named by a version, and IBM's Installation Manager, which keeps one
//! list of all. A folder without any of these says nothing and is not guessed at. Knows nothing of package managers: a
//! tree that a package brought is listed in its own section too, and the path tells that it is the same. Java runtimes
//! have a source of their own.

use std::ops::ControlFlow;

use muster_common::inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName};
use serde::Deserialize;

use crate::{
    host::{FileKind, Host},
    sources::{
        Source, Stamp,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read,
        software::java,
        text,
        xml::{self, Step, XmlError},
    },
};

/// Trees and vendors' folders of trees.
const ROOTS: &[&str] = &["opt", "usr/local/MATLAB"];
const INSTALLATION_MANAGER: &str = "var/ibm/InstallationManager/installed.xml";

const FOLDER_LIMIT: usize = 1000;
/// Trees of one vendor.
const TREES_LIMIT: usize = 100;
const FILE_LIMIT: usize = 64 << 10;
const INSTALLED_LIMIT: usize = 1 << 20;
/// Parts of a tree, which are never trees of their own.
const PARTS: &[&str] = &[
    "bin", "conf", "config", "data", "doc", "docs", "etc", "include", "jbr", "jre", "lib", "lib64",
    "license", "licenses", "log", "logs", "man", "plugins", "sbin", "share", "src", "tmp", "var",
];

/// Versioned trees.
#[derive(Debug)]
pub(crate) struct OptSource;

impl Source for OptSource {
    fn name(&self) -> &'static str {
        "opt"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_OPT)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "opt/*/{product-info.json,.eclipseproduct,VersionInfo.xml,VERSION,version.txt}",
            "opt/*/*/{product-info.json,.eclipseproduct,VersionInfo.xml,VERSION,version.txt}",
            "usr/local/MATLAB/*/VersionInfo.xml",
            INSTALLATION_MANAGER,
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        for root in ROOTS {
            for name in read::names(host, root, FOLDER_LIMIT, &mut part.problems).unwrap_or_default() {
                if part.items.len() >= ITEMS_LIMIT {
                    return part;
                }
                tree_or_vendor(host, root, &name, &mut part);
            }
        }
        installation_manager(host, &mut part);
        part
    }
}

/// A folder in a root is a tree itself, or else a vendor's with trees in it.
fn tree_or_vendor(host: &dyn Host, root: &str, name: &str, part: &mut SectionPart) {
    let place = format!("{root}/{name}");
    // Files lie there too, and what may not be listed is its owner's.
    let Ok(listing) = host.list(&place, FOLDER_LIMIT) else { return };
    if let Some(product) = of_tree(host, &place, "", name, &listing.names, &mut part.problems) {
        part.items.push(product.into_item(&place));
        return;
    }
    let trees = listing.names.iter().filter(|tree| !tree.starts_with('.') && !PARTS.contains(&tree.as_str()));
    for tree in trees.take(TREES_LIMIT) {
        let place = format!("{place}/{tree}");
        let Ok(listing) = host.list(&place, FOLDER_LIMIT) else { continue };
        if let Some(product) = of_tree(host, &place, name, tree, &listing.names, &mut part.problems) {
            part.items.push(product.into_item(&place));
        }
    }
}

/// The name of the product whose tree a path below /opt lies in, as its item has it.
pub(crate) fn name_at(host: &dyn Host, path: &str) -> Option<String> {
    let mut parts = path.split('/');
    let (root, first, second) =
        (parts.next().filter(|root| ROOTS.contains(root))?, parts.next()?, parts.next());
    let product = |place: &str, above: &str, folder: &str| {
        let names = host.list(place, FOLDER_LIMIT).ok()?.names;
        Some(of_tree(host, place, above, folder, &names, &mut Problems::default())?.name)
    };
    let tree = format!("{root}/{first}");
    product(&tree, "", first).or_else(|| product(&format!("{tree}/{}", second?), first, second?))
}

/// A product and where it is said to come from.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Product {
    vendor: Option<String>,
    namespace: String,
    name: String,
    version: String,
    display_name: Option<String>,
}

/// What a tree says of itself; `above` is the vendor's folder, empty where there is none.
fn of_tree(
    host: &dyn Host,
    place: &str,
    above: &str,
    folder: &str,
    names: &[String],
    problems: &mut Problems,
) -> Option<Product> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let mut content = |file: &str| {
        let path = format!("{place}/{file}");
        let bytes = has(file).then(|| read::guessed(host, &path, FILE_LIMIT, problems)).flatten()?;
        Some((path, bytes))
    };
    type Parse = fn(&[u8]) -> Option<Product>;
    let formats: [(&str, Parse); 3] =
        [("product-info.json", jetbrains), (".eclipseproduct", eclipse), ("VersionInfo.xml", matlab)];
    for (file, parse) in formats {
        let Some((path, bytes)) = content(file) else { continue };
        let product = parse(&bytes);
        if product.is_none() {
            problems.add(&path, ErrorKind::Malformed, "names no product and version");
        }
        return product;
    }
    let named = versioned(folder);
    let version_file = ["VERSION", "version.txt"].into_iter().find_map(&mut content);
    let version = version_file.and_then(|(_, bytes)| stated_version(&bytes));
    let product = match (named, version) {
        // `opt/NAME/1.2.3` has its name from the folder above.
        (Some((name, version)), None) if is_tree(host, place, names) => {
            let name = if name.is_empty() { above } else { name };
            (name, version.to_owned())
        }
        (Some((name, _)), Some(version)) => (if name.is_empty() { above } else { name }, version),
        (None, Some(version)) => (folder, version),
        (Some(_) | None, None) => return None,
    };
    // A Java runtime has a source of its own.
    if content("release").is_some_and(|(_, bytes)| java::Release::parse(&bytes).is_some()) {
        return None;
    }
    let (name, version) = product;
    let namespace = if name == above { "" } else { above };
    Some(Product {
        namespace: text::clean(namespace.as_bytes()).unwrap_or_default(),
        name: text::clean(name.as_bytes())?,
        version: text::clean(version.as_bytes())?,
        ..Product::default()
    })
}

/// Whether a folder named by a version has programs or libraries, as opposed to data of that version.
fn is_tree(host: &dyn Host, place: &str, names: &[String]) -> bool {
    let parts = names.iter().filter(|name| matches!(name.as_str(), "bin" | "lib" | "sbin" | "lib64"));
    parts.into_iter().any(|name| {
        host.metadata(&format!("{place}/{name}")).is_ok_and(|found| found.kind == FileKind::Folder)
    })
}

/// Name and version of a folder such as `apache-tomcat-9.0.85`, `foo_v1.2` or `1.2.3`, whose name is empty.
fn versioned(folder: &str) -> Option<(&str, &str)> {
    let (name, version) = match folder.rfind(['-', '_']) {
        Some(place) => (&folder[..place], &folder[place + 1..]),
        None => ("", folder),
    };
    let version = version.strip_prefix('v').unwrap_or(version);
    let is_name = !name.starts_with('.') && !folder.starts_with(['-', '_']);
    (is_name && is_version(version)).then_some((name, version))
}

/// Two numbers at least, with points between.
fn is_version(text: &str) -> bool {
    let mut parts = text.split('.');
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 64
        && parts.next().is_some_and(numeric)
        && parts.next().is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()))
        && parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The version in a file that holds nothing else.
fn stated_version(bytes: &[u8]) -> Option<String> {
    let line = text::clean(bytes)?;
    let version = line.strip_prefix('v').unwrap_or(&line);
    let (number, rest) = version.split_at(version.find(['-', '+', '~']).unwrap_or(version.len()));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'~' | b'_');
    (is_version(number) && rest.len() <= 64 && rest.bytes().all(plain)).then(|| version.to_owned())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProductInfo {
    name: String,
    version: String,
    product_code: Option<String>,
    product_vendor: Option<String>,
}

/// JetBrains' `product-info.json`.
pub(crate) fn jetbrains(bytes: &[u8]) -> Option<Product> {
    let ProductInfo { name, version, product_code, product_vendor } = serde_json::from_slice(bytes).ok()?;
    let clean = |value: String| text::clean(value.as_bytes());
    let name = clean(name)?;
    Some(Product {
        vendor: Some(product_vendor.and_then(clean).unwrap_or_else(|| "JetBrains".to_owned())),
        namespace: "jetbrains".to_owned(),
        version: clean(version)?,
        // The code is what licences and updates go by.
        name: product_code.and_then(clean).unwrap_or_else(|| name.clone()),
        display_name: Some(name),
    })
}

/// Eclipse's `.eclipseproduct`, a file of properties.
pub(crate) fn eclipse(bytes: &[u8]) -> Option<Product> {
    let value = |wanted: &[u8]| {
        bytes.split(|byte| *byte == b'\n').find_map(|line| {
            text::clean(line.trim_ascii().strip_prefix(wanted)?.trim_ascii_start().strip_prefix(b"=")?)
        })
    };
    Some(Product {
        namespace: "eclipse".to_owned(),
        name: value(b"id")?,
        version: value(b"version")?,
        display_name: value(b"name"),
        ..Product::default()
    })
}

/// MATLAB's `VersionInfo.xml`.
pub(crate) fn matlab(bytes: &[u8]) -> Option<Product> {
    let (mut version, mut release) = (None, None);
    let mut element = String::new();
    let result = xml::walk(bytes, |step| {
        match step {
            Step::Open(opened) => element = opened.name().to_owned(),
            Step::Text(value) if element == "version" => {
                version = version.take().or(text::clean(value.as_bytes()))
            }
            Step::Text(value) if element == "release" => {
                release = release.take().or(text::clean(value.as_bytes()))
            }
            Step::Text(_) | Step::Close(_) => {}
        }
        ControlFlow::Continue(())
    });
    result.ok()?;
    let release: Option<String> = release;
    Some(Product {
        vendor: Some("MathWorks".to_owned()),
        namespace: "mathworks".to_owned(),
        name: "matlab".to_owned(),
        version: version?,
        display_name: release.map(|release| format!("MATLAB {release}")),
    })
}

fn installation_manager(host: &dyn Host, part: &mut SectionPart) {
    let bytes = read::bytes(host, INSTALLATION_MANAGER, INSTALLED_LIMIT, &mut part.problems);
    let Some(bytes) = bytes else { return };
    let (products, result) = installed(&bytes);
    if let Err(error) = result {
        part.problems.add(INSTALLATION_MANAGER, ErrorKind::Malformed, error.to_string());
    }
    part.items.extend(products.into_iter().map(|(place, product)| product.into_item(&place)));
}

/// The offerings in Installation Manager's list with where each is installed; an error says that it ends early.
pub(crate) fn installed(bytes: &[u8]) -> (Vec<(String, Product)>, Result<(), XmlError>) {
    let mut products = Vec::new();
    let mut place = String::new();
    let result = xml::walk(bytes, |step| {
        if let Step::Open(element) = step {
            match element.name() {
                "location" => place = element.attribute("path").unwrap_or_default(),
                "package" if element.attribute("kind").as_deref() == Some("offering") => {
                    if let (Some(name), Some(version)) =
                        (element.attribute("id"), element.attribute("version"))
                    {
                        let product = Product {
                            vendor: Some("IBM".to_owned()),
                            namespace: "ibm".to_owned(),
                            name,
                            version,
                            display_name: element.attribute("name"),
                        };
                        products.push((place.trim_start_matches('/').to_owned(), product));
                    }
                }
                _ => {}
            }
        }
        if products.len() > FOLDER_LIMIT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (products, result)
}

impl Product {
    fn into_item(self, place: &str) -> Item {
        let Self { vendor, namespace, name, version, display_name } = self;
        let package = Package {
            purl_type: "generic".to_owned(),
            namespace,
            name,
            version,
            vendor,
            display_name,
            ..Package::default()
        };
        let installation = Installation { path: format!("/{place}"), ..Installation::default() };
        Item { kind: ItemKind::Package(package), installation: Some(installation) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn check(files: &[(&str, &str)], expected: &[&str], expected_problems: &[&str]) {
        let (_folder, host) = recorded(files);
        let part = OptSource.collect(&host);
        let rows: Vec<_> = part
            .items
            .iter()
            .map(|item| {
                let ItemKind::Package(package) = &item.kind else { panic!("{item:?} is no package") };
                format!(
                    "{} {}/{}@{} {:?}",
                    item.installation.as_ref().unwrap().path,
                    package.namespace,
                    package.name,
                    package.version,
                    package.display_name.as_deref().unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(rows, expected);
        let problems: Vec<_> = part.problems.into_entries().into_iter().map(|entry| entry.subject).collect();
        assert_eq!(problems, expected_problems);
    }

    #[test]
    fn trees_that_say_what_they_are() {
        check(
            &[
                (
                    "opt/idea/product-info.json",
                    r#"{"name":"IntelliJ IDEA","version":"2024.1.2","buildNumber":"241.17011.79","productCode":"IU",
                        "launch":[{"os":"Linux"}]}"#,
                ),
                (
                    "opt/eclipse/.eclipseproduct",
                    "#x\nname=Eclipse Platform\nid=org.eclipse.platform\nversion=4.30.0\n",
                ),
                ("opt/apache-tomcat-9.0.85/bin/catalina.sh", ""),
                ("opt/node/20.11.0/bin/node", ""),
                ("opt/acme/server-2.1/VERSION", "2.1.7-rc1\n"),
                ("opt/acme/client/version.txt", "v3.0\r\n"),
                (
                    "usr/local/MATLAB/R2023a/VersionInfo.xml",
                    "<MathWorks_version_info><version>9.14.0.2206163</version><release>R2023a</release>\
                     </MathWorks_version_info>",
                ),
                (
                    INSTALLATION_MANAGER,
                    "<installInfo><location id='WAS' kind='product' path='/opt/IBM/WebSphere/AppServer'>\
                     <package kind='offering' name='WebSphere ND' id='com.ibm.websphere.ND.v85' version='8.5.5000.1'/>\
                     <package kind='fix' id='x' version='1'/></location></installInfo>",
                ),
            ],
            &[
                "/opt/acme/client acme/client@3.0 \"\"",
                "/opt/acme/server-2.1 acme/server@2.1.7-rc1 \"\"",
                "/opt/apache-tomcat-9.0.85 /apache-tomcat@9.0.85 \"\"",
                "/opt/eclipse eclipse/org.eclipse.platform@4.30.0 \"Eclipse Platform\"",
                "/opt/idea jetbrains/IU@2024.1.2 \"IntelliJ IDEA\"",
                "/opt/node/20.11.0 /node@20.11.0 \"\"",
                "/usr/local/MATLAB/R2023a mathworks/matlab@9.14.0.2206163 \"MATLAB R2023a\"",
                "/opt/IBM/WebSphere/AppServer ibm/com.ibm.websphere.ND.v85@8.5.5000.1 \"WebSphere ND\"",
            ],
            &[],
        );
    }

    #[test]
    fn what_says_nothing_is_not_guessed_at() {
        check(
            &[
                ("opt/google/chrome/chrome", ""),
                ("opt/data-1.2.3/table.csv", ""),
                ("opt/x/VERSION", "see the manual, chapter 1.2"),
                ("opt/y/VERSION/1.2.3", "a folder"),
                ("opt/jdk-17.0.2/release", "JAVA_VERSION=\"17.0.2\"\n"),
                ("opt/jdk-17.0.2/bin/java", ""),
                ("opt/1.2.3.tar.gz", ""),
                ("opt/broken/product-info.json", "[]"),
                ("opt/odd/.eclipseproduct", "name"),
                (INSTALLATION_MANAGER, "<installInfo><location"),
            ],
            &[],
            &["opt/broken/product-info.json", "opt/odd/.eclipseproduct", INSTALLATION_MANAGER],
        );
        check(&[], &[], &[]);
    }

    #[test]
    fn folder_names() {
        for (folder, expected) in [
            ("gradle-8.5", Some(("gradle", "8.5"))),
            ("foo_v1.2.3", Some(("foo", "1.2.3"))),
            ("1.2.3", Some(("", "1.2.3"))),
            ("v1.2", Some(("", "1.2"))),
            ("gradle-8.5rc1", Some(("gradle", "8.5rc1"))),
            ("a-1", None),
            ("2024", None),
            ("-1.2", None),
            (".x-1.2", None),
            ("a-1..2", None),
            ("a-1.2.", None),
        ] {
            assert_eq!(versioned(folder), expected, "{folder}");
        }
    }
}
