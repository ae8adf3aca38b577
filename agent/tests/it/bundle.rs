//! `muster-agent bundle`: nothing that identifies is in it, and it tells the same as the machine did.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use muster_agent::{
    collect::collect,
    host::{BundleHost, Host, LiveHost, RecordedHost},
    sources::{SOURCES, Source},
};
use muster_common::inventory::{Inventory, ItemKind, Section};
use tempfile::TempDir;

use crate::fixtures;

fn bundle(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muster-agent")).arg("bundle").args(arguments).output().unwrap()
}

/// A bundle of a recorded machine, what was said about it, and the folder in which it lies.
fn bundled(root: &Path) -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.tar");
    let output =
        bundle(&["--personal", "--root", root.to_str().unwrap(), "--output", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, file, String::from_utf8(output.stdout).unwrap())
}

fn told_by(host: &dyn Host, sources: &[&dyn Source]) -> Inventory {
    collect(host, sources, None)
}

/// Everything about a section that must stay: its state, how many items of which kind, products with their versions.
fn shape(section: &Section) -> impl PartialEq + std::fmt::Debug {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut products = BTreeSet::new();
    for item in &section.items {
        let debug = format!("{:?}", item.kind);
        *kinds.entry(debug.split('(').next().unwrap().to_owned()).or_default() += 1;
        match &item.kind {
            ItemKind::Package(it) => {
                products.insert(format!(
                    "{} {} {} {} {}",
                    it.purl_type, it.namespace, it.name, it.version, it.architecture
                ));
            }
            ItemKind::System(it) => {
                products.insert(format!(
                    "{:?} {:?} {:?} {:?} {:?}",
                    it.manufacturer, it.product_name, it.version, it.sku, it.container
                ));
            }
            ItemKind::Monitor(it) => {
                products.insert(format!("{:?} {:?} {:?}", it.manufacturer, it.model, it.product_code));
            }
            ItemKind::Battery(it) => {
                products.insert(format!("{:?} {:?} {:?}", it.model, it.cycles, it.design_mwh));
            }
            ItemKind::Account(it) => {
                products.insert(format!("{} {:?} {:?} {:?}", it.uid, it.shell, it.may_log_in, it.privileged));
            }
            ItemKind::OperatingSystem(it) => {
                products.insert(format!("{:?} {:?} {:?}", it.pretty_name, it.kernel, it.time_zone));
            }
            ItemKind::Volume(it) => {
                products.insert(format!("{:?} {:?} {:?}", it.file_system, it.encryption, it.size_bytes));
            }
            _ => {}
        }
    }
    (section.name.clone(), section.status, kinds, products, section.errors.len())
}

fn check_same(before: &Inventory, after: &Inventory, context: &str) {
    assert_eq!(before.sections.len(), after.sections.len(), "{context}");
    for (before, after) in before.sections.iter().zip(&after.sections) {
        assert_eq!(shape(before), shape(after), "{context}: {:?}\n{:?}", before.errors, after.errors);
    }
}

/// What a secret may look like in a file.
fn written(secret: &str) -> Vec<Vec<u8>> {
    let lower = secret.to_lowercase();
    let wide = |low: bool| lower.bytes().flat_map(|byte| if low { [byte, 0] } else { [0, byte] }).collect();
    let in_digits =
        |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
    let mut all =
        vec![lower.clone().into_bytes(), wide(true), wide(false), in_digits(&lower), in_digits(secret)];
    let digits: String = lower.chars().filter(char::is_ascii_hexdigit).collect();
    let is_number = lower.chars().all(|sign| sign.is_ascii_hexdigit() || ":-".contains(sign));
    if is_number && matches!(digits.len(), 12 | 32) {
        let byte = |place: usize| u8::from_str_radix(&digits[place..place + 2], 16).unwrap();
        let mut raw: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        all.push(digits.clone().into_bytes());
        all.push(raw.clone());
        if raw.len() == 16 {
            raw[..4].reverse();
            raw[4..6].reverse();
            raw[6..8].reverse();
            all.push(raw);
        }
    }
    all
}

fn check_gone(bytes: &[u8], secrets: &[&str], context: &str) {
    let lower = bytes.to_ascii_lowercase();
    for secret in secrets {
        for form in written(secret) {
            let found = memchr::memmem::find(&lower, &form).or_else(|| memchr::memmem::find(bytes, &form));
            if let Some(place) = found {
                let around = &bytes[place.saturating_sub(80)..(place + 80).min(bytes.len())];
                panic!("{context}: {secret} is in it: {}", around.escape_ascii());
            }
        }
    }
}

fn structure(kind: u8, formatted: &[u8], strings: &[&str]) -> Vec<u8> {
    let mut bytes = vec![kind, u8::try_from(formatted.len() + 4).unwrap(), kind, 0];
    bytes.extend_from_slice(formatted);
    strings.iter().for_each(|string| bytes.extend([string.as_bytes(), &[0]].concat()));
    if strings.is_empty() {
        bytes.push(0);
    }
    bytes.push(0);
    bytes
}

/// Entry point and table of a laptop.
fn firmware() -> (Vec<u8>, Vec<u8>) {
    let uuid =
        [0x44, 0x45, 0x4c, 0x4c, 0x31, 0x00, 0x10, 0x4a, 0x80, 0x56, 0xb7, 0xc0, 0x4f, 0x4b, 0x5a, 0x32];
    let mut system = vec![1, 2, 3, 4];
    system.extend(uuid);
    system.extend([6, 5, 6]);
    let mut processor = vec![0; 0x24];
    (processor[0], processor[3], processor[0x1c], processor[0x1d]) = (1, 2, 3, 4);
    let mut module = vec![0; 0x24];
    module[0x08..0x0a].copy_from_slice(&0x2000_u16.to_le_bytes());
    module[0x0c..0x12].copy_from_slice(&[1, 0, 0, 0, 0, 0]);
    (module[0x13], module[0x14], module[0x15]) = (2, 3, 4);
    let mut battery = vec![0; 0x16];
    battery[..5].copy_from_slice(&[1, 2, 0, 0, 3]);
    battery[0x0c..0x0e].copy_from_slice(&1803_u16.to_le_bytes());
    let table = [
        structure(0, &[1, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], &["Acme BIOS", "1.2.3", "01/02/2024"]),
        structure(1, &system, &["Acme", "Laptop 9", "v1", "SN-LAPTOP-77", "Family", "SKU-1"]),
        structure(
            2,
            &[1, 2, 3, 4, 5, 0, 6],
            &["Acme", "Board", "v2", "SN-BOARD-88", "TAG-BOARD-1", "Desk of Annabel"],
        ),
        structure(3, &[1, 9, 2, 3, 4], &["Acme", "v3", "SN-CHASSIS-99", "TAG-CHASSIS-2"]),
        structure(4, &processor, &["CPU0", "Intel", "SN-CPU-11", "TAG-CPU-3"]),
        structure(11, &[2], &["Dell System", "1[OEM-SECRET-55]"]),
        structure(17, &module, &["DIMM A", "Samsung", "SN-DIMM-22", "TAG-DIMM-4"]),
        structure(22, &battery, &["Front", "LGC", "01AV478"]),
        structure(
            39,
            &[0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0],
            &["Bay", "PSU", "Delta", "SN-PSU-33", "TAG-PSU-5", "P1", "r1"],
        ),
        // A maker's own, with a network adapter's address.
        structure(221, &[0x00, 0x1b, 0x21, 0x3a, 0x4f, 0x5e, 1, 1], &["OWN-SECRET-66"]),
        structure(127, &[], &[]),
    ]
    .concat();
    let mut entry = b"_SM3_\0\x18\x03\x02\0\x01\0".to_vec();
    entry.extend(u32::try_from(table.len()).unwrap().to_le_bytes());
    entry.extend(32_u64.to_le_bytes());
    entry[5] = entry.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    (entry, table)
}

/// A monitor's block.
fn edid() -> Vec<u8> {
    let mut block = vec![0; 128];
    block[..8].copy_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
    block[8..16].copy_from_slice(&[0x10, 0xac, 0x41, 0x42, 0x4c, 0x37, 0x39, 0x38]);
    (block[16], block[17], block[18], block[19]) = (12, 30, 1, 4);
    let descriptor = |kind: u8, text: &str| {
        let mut bytes = vec![0, 0, 0, kind, 0];
        bytes.extend(format!("{text}\n").bytes());
        bytes.resize(18, b' ');
        bytes
    };
    block[54..72].copy_from_slice(&descriptor(0xff, "MONSN-4711X"));
    block[72..90].copy_from_slice(&descriptor(0xfc, "DELL U2720Q"));
    block[127] = block.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    block
}

/// What must not be found.
const SECRETS: &[&str] = &[
    "web-07",
    "web--07",
    "northwind",
    "annabel",
    "Zweistein",
    "boblastname",
    "machine.test",
    "4c4c4544-0031-4a10-8056-b7c04f4b5a32",
    "0123456789abcdeffedcba9876543211",
    "00:1b:21:3a:4f:5e",
    "00:1b:21:77:88:99",
    "SN-LAPTOP-77",
    "SN-BOARD-88",
    "TAG-BOARD-1",
    "SN-CHASSIS-99",
    "TAG-CHASSIS-2",
    "SN-CPU-11",
    "TAG-CPU-3",
    "OEM-SECRET-55",
    "SN-DIMM-22",
    "TAG-DIMM-4",
    "SN-PSU-33",
    "TAG-PSU-5",
    "OWN-SECRET-66",
    "MONSN-4711X",
    "L798",
    "S3DISKSERIAL9",
    "5002538d40a1b2c3",
    "USBSERIAL0815",
    "$6$salt$hash",
    "192.168.178.77",
    "203.0.113.77",
    "2001:db8:77::1",
    "nas.machine.test",
    "customer-share",
    "tok-s3cr3t",
    "private-registry",
    "secret-team",
    "ENV-SECRET",
    "macaroon-secret",
    "bob@private.test",
    "hunter22",
    "b1c2d3e4-0000-4aaa-8bbb-ccccddddeeee",
    "SSID-OF-HOME",
    "office-of-customer",
    "script-for-customer",
    "conda-token",
    "anna-profile",
    "4155550123",
];

/// A machine that has each of them, most more than once.
fn machine() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (entry, table) = firmware();
    let put = |path: &str, bytes: &[u8]| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put("sys/firmware/dmi/tables/smbios_entry_point", &entry);
    put("sys/firmware/dmi/tables/DMI", &table);
    put("sys/class/drm/card0-DP-1/edid", &edid());
    for (path, text) in [
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n"),
        ("etc/debian_version", "12.4\n"),
        ("etc/hostname", "web-07.northwind.machine.test\n"),
        ("etc/hosts", "127.0.0.1 localhost\n203.0.113.77 nas.machine.test\n2001:db8:77::1 x\n"),
        ("etc/resolv.conf", "search northwind.machine.test\nnameserver 192.168.178.77\n"),
        ("etc/machine-id", "0123456789abcdeffedcba9876543211\n"),
        ("etc/timezone", "Europe/Berlin\n"),
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:Boblastname:/usr/sbin:/usr/sbin/nologin\n\
             annabel:x:1000:1000:Anna Zweistein,,415-555-0123,4155550123:/home/annabel:/bin/bash\n\
             bob:$6$salt$hash:1001:1001::/srv/people/anna-profile:/bin/bash\n",
        ),
        (
            "etc/shadow",
            "root:*:1::::::\nannabel:$6$salt$hash:19000:0:99999:7:::\nbob:!$6$salt$hash:1::::::\n",
        ),
        ("etc/group", "root:x:0:\nsudo:x:27:annabel,bob\ndocker:x:998:annabel\nannabel:x:1000:\n"),
        ("etc/systemd/system/multi-user.target.wants/agent.service", ""),
        ("etc/systemd/system/multi-user.target.wants/wg-quick@office-of-customer.service", ""),
        ("etc/systemd/system/getty.target.wants/getty@tty1.service", ""),
        (
            "etc/systemd/system/agent.service",
            "[Unit]\nDescription=Agent of web-07\n[Service]\nEnvironment=TOKEN=tok-s3cr3t\nUser=annabel\n\
             ExecStart=/opt/agent --token tok-s3cr3t\nExecStartPre=/bin/tok-s3cr3t\n",
        ),
        (
            "proc/self/mountinfo",
            "1 0 8:1 / / rw - ext4 /dev/mapper/web--07--vg-root rw\n\
             2 1 0:50 /export/customer-share /mnt/customer-share rw - nfs4 203.0.113.77:/customer-share rw,addr=203.0.113.77\n\
             3 1 0:51 / /media/annabel rw - cifs //nas.machine.test/customer-share rw,username=bob,password=hunter22\n",
        ),
        (
            "proc/mounts",
            "//nas.machine.test/customer-share /home/bob cifs rw,username=bob,password=hunter22 0 0\n",
        ),
        ("proc/swaps", "Filename Type Size Used Priority\n/home/annabel/customer-share file 1 0 -2\n"),
        ("sys/dev/block/8:1/size", "2048\n"),
        ("sys/dev/block/8:1/dm/name", "web--07--vg-root\n"),
        ("sys/dev/block/8:1/dm/uuid", "CRYPT-LUKS2-b1c2d3e400004aaa8bbbccccddddeeee-web--07--vg-root\n"),
        ("proc/1/environ", "container=lxc\0PASSWORD=hunter22\0TOKEN=ENV-SECRET\0"),
        ("proc/1/cgroup", "0::/lxc/customer-share\n"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Cortex\nSerial\t\t: 00000000s3diskserial9\n"),
        ("proc/meminfo", "MemTotal: 16000000 kB\n"),
        ("sys/class/dmi/id/product_serial", "SN-LAPTOP-77\n"),
        (
            "sys/class/power_supply/BAT0/uevent",
            "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_MODEL_NAME=01AV478\nPOWER_SUPPLY_SERIAL_NUMBER= 1803\nHID_UNIQ=USBSERIAL0815\n",
        ),
        ("sys/block/sda/device/model", "Samsung SSD\n"),
        ("sys/block/sda/device/serial", "S3DISKSERIAL9\n"),
        ("sys/block/sda/device/wwid", "naa.5002538d40a1b2c3\n"),
        ("sys/block/sda/size", "1000\n"),
        ("sys/bus/usb/devices/1-4/uevent", "PRODUCT=781/5581/100\nTYPE=0/0/0\n"),
        ("sys/bus/usb/devices/1-4/serial", "USBSERIAL0815\n"),
        ("sys/bus/usb/devices/1-4/product", "Ultra of Annabel\n"),
        ("sys/class/net/eth0/address", "00:1b:21:3a:4f:5e\n"),
        ("sys/class/net/eth0/ifindex", "2\n"),
        ("sys/class/net/wlx001b21778899/address", "00:1b:21:77:88:99\n"),
        ("sys/class/net/wlx001b21778899/ifindex", "3\n"),
        ("sys/class/net/wlx001b21778899/wireless/ssid", "SSID-OF-HOME\n"),
        (
            "var/lib/dpkg/status",
            "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\nArchitecture: amd64\nMaintainer: Bob <bob@private.test>\n\
             Homepage: https://bob:hunter22@git.example.org/x\n\nPackage: northwind-tools\nStatus: install ok installed\n\
             Version: 203.0.113.7\nArchitecture: all\nMaintainer: Annabel Zweistein <annabel@web-07>\n\n",
        ),
        (
            "usr/lib/python3/dist-packages/acme-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nAuthor: Zweistein\nAuthor-email: bob@private.test\n\nhunter22\n",
        ),
        (
            "usr/local/lib/node_modules/tool/package.json",
            r#"{"name":"tool","version":"2.0.1","author":"Zweistein","_where":"/home/annabel/x","token":"tok-s3cr3t"}"#,
        ),
        (
            "opt/conda/conda-meta/zlib-1.3-0.json",
            r#"{"build":"0","channel":"https://conda.anaconda.org/t/conda-token/secret-team/linux-64","name":"zlib","version":"1.3"}"#,
        ),
        (
            "var/lib/docker/image/overlay2/repositories.json",
            r#"{"Repositories":{"private-registry.test:5000/secret-team/app":{"private-registry.test:5000/secret-team/app:1":"sha256:1111111111111111111111111111111111111111111111111111111111111111"},"nginx":{"nginx:1.25":"sha256:2222222222222222222222222222222222222222222222222222222222222222"}}}"#,
        ),
        (
            "var/lib/docker/image/overlay2/imagedb/content/sha256/1111111111111111111111111111111111111111111111111111111111111111",
            r#"{"architecture":"amd64","os":"linux","config":{"Env":["KEY=ENV-SECRET"]}}"#,
        ),
        (
            "var/lib/docker/image/overlay2/imagedb/content/sha256/2222222222222222222222222222222222222222222222222222222222222222",
            r#"{"architecture":"amd64","os":"linux"}"#,
        ),
        (
            "etc/docker/daemon.json",
            r#"{"registry-mirrors":["https://private-registry.test"],"data-root":"/var/lib/docker"}"#,
        ),
        ("var/lib/snapd/snaps/core22_1380.snap", "x"),
        (
            "var/lib/snapd/state.json",
            r#"{"data":{"auth":{"device":{"serial":"USBSERIAL0815"},"users":[{"email":"bob@private.test","macaroon":"macaroon-secret"}]},"snaps":{"core22":{"active":true,"current":"1380","sequence":[{"name":"core22","snap-id":"x","revision":"1380"}]}}}}"#,
        ),
        ("usr/local/bin/script-for-customer", "#!/bin/sh\n# ENV-SECRET\n"),
        ("home/annabel/.local/bin/script-for-customer", "#!/bin/sh\n"),
        (
            "home/annabel/.vscode/extensions/extensions.json",
            r#"[{"identifier":{"id":"rust-lang.rust-analyzer","uuid":"b1c2d3e4-0000-4aaa-8bbb-ccccddddeeee"},"version":"0.4.1","location":{"path":"/home/annabel/x"},"metadata":{"publisherDisplayName":"Rust","size":7}}]"#,
        ),
        (
            "home/annabel/.config/google-chrome/Default/Preferences",
            r#"{"account_info":[{"email":"bob@private.test"}],"extensions":{"settings":{"cjpalhdlnbpafiamejdnhcphjbkeiagm":{"state":1,"install_time":"13300000000000000","path":"/home/annabel/secret-team"}}}}"#,
        ),
        (
            "home/annabel/.config/google-chrome/Default/Extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm/1.5_0/manifest.json",
            r#"{"name":"Blocker","version":"1.5","key":"tok-s3cr3t"}"#,
        ),
        (
            "srv/people/anna-profile/.cargo/.crates.toml",
            "[v1]\n\"tool 1.2.3 (git+https://bob:hunter22@git.example.org/secret-team)\" = [\"tool\"]\n",
        ),
        ("home/annabel/.ssh/id_ed25519", "hunter22"),
    ] {
        put(path, text.as_bytes());
    }
    fs::create_dir_all(root.join("sys/block/sda/device")).unwrap();
    symlink("/usr/share/zoneinfo/Europe/Berlin", root.join("etc/localtime")).unwrap();
    fs::create_dir_all(root.join("sys/devices/pci0000:00/0000:00:1f.6/net/wlx001b21778899")).unwrap();
    symlink(
        "../../devices/pci0000:00/0000:00:1f.6/net/wlx001b21778899",
        root.join("sys/class/net/link-of-web-07"),
    )
    .unwrap();
    folder
}

#[test]
fn nothing_that_identifies_is_in_it_and_it_tells_the_same() {
    let machine = machine();
    let before = told_by(&RecordedHost::open(machine.path()).unwrap(), SOURCES);
    let items = |name: &str| {
        let sections = before.sections.iter().filter(|section| section.name.as_str().starts_with(name));
        sections.map(|section| section.items.len()).sum::<usize>()
    };
    // The machine is one from which much is read.
    assert!(items("hardware") > 8 && items("software") > 6 && items("accounts") > 4, "{before:?}");

    let (folder, file, said) = bundled(machine.path());
    check_gone(&fs::read(&file).unwrap(), SECRETS, "bundle");
    check_gone(said.as_bytes(), SECRETS, "summary");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for expected in [
        "serial numbers",
        "MAC addresses",
        "accounts, names",
        "password fields",
        "Look at it before you send it",
    ] {
        assert!(said.contains(expected), "{said}");
    }

    let after = told_by(&BundleHost::open(&file).unwrap(), SOURCES);
    let shapes = |inventory: &Inventory| {
        // Names of people's and private things are other ones, so that they are compared by their number alone.
        inventory
            .sections
            .iter()
            .map(|section| {
                let text = format!("{:?}", shape(section));
                text.replace(|sign: char| sign.is_ascii_digit(), "").len()
            })
            .collect::<Vec<_>>()
    };
    for (before, after) in before.sections.iter().zip(&after.sections) {
        let count = |section: &Section| {
            (section.name.clone(), section.status, section.items.len(), section.errors.len())
        };
        assert_eq!(
            count(before),
            count(after),
            "{:?}\n{:?}\n{:?}\n{:?}",
            before.errors,
            after.errors,
            before.items,
            after.items
        );
    }
    assert_eq!(shapes(&before), shapes(&after), "{before:#?}\n{after:#?}");

    // Unpacked it is the same; and the answers are those that the command gives.
    let unpacked = folder.path().join("unpacked");
    tar::Archive::new(fs::File::open(&file).unwrap()).unpack(&unpacked).unwrap();
    assert_eq!(told_by(&BundleHost::open(&unpacked).unwrap(), SOURCES), after);
    let printed = Command::new(env!("CARGO_BIN_EXE_muster-agent"))
        .args(["collect", "--personal", "--root", unpacked.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(printed.status.success() && !printed.stdout.is_empty());
    check_gone(&printed.stdout, SECRETS, "collect");

    let services = after.sections.iter().find(|section| section.name.as_str() == "services").unwrap();
    let names: Vec<String> = services
        .items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Service(it) => it.name.clone(),
            other => panic!("{other:?} is no service"),
        })
        .collect();
    assert!(names.iter().any(|name| name == "getty@tty1.service"), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("wg-quick@")), "{names:?}");

    // Values that belong together still do.
    let told = |inventory: &Inventory| format!("{inventory:?}");
    let battery = after
        .sections
        .iter()
        .flat_map(|section| &section.items)
        .filter(|item| matches!(item.kind, ItemKind::Battery(_)));
    assert_eq!(battery.count(), 1, "{}", told(&after));
}

#[test]
fn one_bundle_is_not_like_another_and_none_is_overwritten() {
    let machine = machine();
    let ((_one, first, _), (_other, second, _)) = (bundled(machine.path()), bundled(machine.path()));
    let accounts = |file: &Path| {
        let host = BundleHost::open(file).unwrap();
        let passwd = String::from_utf8(host.read("etc/passwd", 4096).unwrap()).unwrap();
        let groups = String::from_utf8(host.read("etc/group", 4096).unwrap()).unwrap();
        let person = passwd
            .lines()
            .find(|line| line.contains(":1000:"))
            .unwrap()
            .split(':')
            .next()
            .unwrap()
            .to_owned();
        assert!(groups.contains(&format!("sudo:x:27:{person},")), "{groups}{passwd}");
        assert!(
            host.metadata(&format!("home/{person}")).is_ok()
                || host.list("home", 9).unwrap().names.contains(&person)
        );
        person
    };
    assert_ne!(accounts(&first), accounts(&second));

    let before = fs::read(&first).unwrap();
    let again = bundle(&["--root", machine.path().to_str().unwrap(), "--output", first.to_str().unwrap()]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert_eq!(fs::read(&first).unwrap(), before);

    // Without a word about people nothing of theirs is looked into.
    let third = first.with_file_name("b.tar.zst");
    let output = bundle(&["--root", machine.path().to_str().unwrap(), "--output", third.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("Not read without --personal"));
    let unpacked = zstd::decode_all(fs::File::open(&third).unwrap()).unwrap();
    check_gone(&unpacked, SECRETS, "compressed bundle");
    check_gone(&unpacked, &["google-chrome", "rust-analyzer"], "bundle without people");
}

#[test]
fn a_damaged_bundle_is_refused_with_a_reason() {
    let machine = machine();
    let (_folder, file, _) = bundled(machine.path());
    let bytes = fs::read(&file).unwrap();
    let short = file.with_file_name("short.tar");
    for length in [0, 100, 1000, bytes.len() / 2] {
        fs::write(&short, &bytes[..length]).unwrap();
        let refused = BundleHost::open(&short).unwrap_err();
        assert!(!refused.to_string().is_empty());
    }
    let format = b"\"format\": 1,";
    let place = memchr::memmem::find(&bytes, format).unwrap() + format.len() - 2;
    let mut newer = bytes;
    newer[place] = b'2';
    fs::write(&short, &newer).unwrap();
    assert!(BundleHost::open(&short).unwrap_err().to_string().contains("format 2"));
}

/// Bundles a root and compares; what a machine without secrets tells is the same in every product.
fn check_root(root: &Path, context: &str) {
    let before = told_by(&RecordedHost::open(root).unwrap(), SOURCES);
    let (_folder, file, _) = bundled(root);
    check_same(&before, &told_by(&BundleHost::open(&file).unwrap(), SOURCES), context);
}

#[test]
fn recorded_databases_tell_the_same() {
    let (Some(apk), Some(dpkg), Some(pacman), Some(rpm)) = (
        fixtures::folder("apk"),
        fixtures::folder("dpkg"),
        fixtures::folder("pacman"),
        fixtures::folder("rpm"),
    ) else {
        return;
    };
    for root in [
        apk.join("corrupt"),
        apk.join("multiple"),
        dpkg,
        pacman,
        rpm.join("bdb"),
        rpm.join("ndb"),
        rpm.join("sqlite"),
    ] {
        check_root(&root, &root.display().to_string());
    }
}

#[test]
fn recorded_firmware_tells_the_same() {
    let Some(folder) = fixtures::folder("smbios") else { return };
    for dump in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if dump.extension().is_none_or(|ending| ending != "bin") {
            continue;
        }
        let bytes = fs::read(&dump).unwrap();
        let length = if bytes.starts_with(b"_SM3_") { 0x18 } else { 0x1f };
        let root = tempfile::tempdir().unwrap();
        let tables = root.path().join("sys/firmware/dmi/tables");
        fs::create_dir_all(&tables).unwrap();
        fs::write(tables.join("smbios_entry_point"), &bytes[..length]).unwrap();
        fs::write(tables.join("DMI"), &bytes[32..]).unwrap();
        let before = told_by(&RecordedHost::open(root.path()).unwrap(), SOURCES);
        check_root(root.path(), &dump.display().to_string());
        // Every number of it has become another one.
        let (_folder, file, _) = bundled(root.path());
        let numbers = serials(&before);
        let bundled = fs::read(&file).unwrap();
        check_gone(
            &bundled,
            &numbers.iter().map(String::as_str).collect::<Vec<_>>(),
            &dump.display().to_string(),
        );
        eprintln!("{}: {} numbers are gone", dump.display(), numbers.len());
    }
}

/// Serial numbers and asset tags that are more than a maker's word for none.
fn serials(inventory: &Inventory) -> BTreeSet<String> {
    let found =
        inventory.sections.iter().flat_map(|section| &section.items).flat_map(|item| match &item.kind {
            ItemKind::System(it) => vec![it.serial.clone(), it.uuid.clone()],
            ItemKind::Baseboard(it) => vec![it.serial.clone(), it.asset_tag.clone()],
            ItemKind::Chassis(it) => vec![it.serial.clone(), it.asset_tag.clone()],
            ItemKind::MemoryModule(it) => vec![it.serial.clone()],
            ItemKind::Disk(it) => vec![it.serial.clone(), it.wwn.clone()],
            ItemKind::UsbDevice(it) => vec![it.serial.clone()],
            ItemKind::Monitor(it) => vec![it.serial.clone()],
            ItemKind::Battery(it) => vec![it.serial.clone()],
            ItemKind::OperatingSystem(it) => vec![it.machine_id.clone(), it.hostname.clone()],
            ItemKind::NetworkAdapter(it) => {
                let own = it.addresses.iter().filter(|address| !address.is_loopback());
                let macs = [it.mac, it.permanent_mac].into_iter().flatten().map(|mac| mac.to_string());
                own.map(ToString::to_string).chain(macs).map(Some).collect()
            }
            _ => Vec::new(),
        });
    let words = [
        "0123456789",
        "available",
        "applicable",
        "asset information",
        "none",
        "default",
        "serial",
        "specified",
        "filled",
        "unknown",
        "empty",
        "tag",
        "o.e.m",
        "chassis",
    ];
    let tells = |value: &String| {
        let lower = value.to_lowercase();
        let first = lower.chars().next();
        value.len() >= 6
            && !words.iter().any(|word| lower.contains(word))
            && lower.chars().any(|sign| Some(sign) != first)
    };
    found.flatten().filter(tells).collect()
}

#[test]
fn this_machine_can_be_sent() {
    let permitted: Vec<&dyn Source> =
        SOURCES.iter().copied().filter(|source| source.personal().is_none()).collect();
    let before = told_by(&LiveHost::open().unwrap(), &permitted);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.tar");
    let output = bundle(&["--output", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bundled = fs::read(&file).unwrap();
    let secrets = serials(&before);
    check_gone(&bundled, &secrets.iter().map(String::as_str).collect::<Vec<_>>(), "this machine");
    eprintln!("{} identifiers of this machine are gone\n{said}", secrets.len());

    let after = told_by(&BundleHost::open(&file).unwrap(), &permitted);
    for (before, after) in before.sections.iter().zip(&after.sections) {
        let kinds = |section: &Section| {
            section
                .items
                .iter()
                .map(|item| format!("{:?}", item.kind).split('(').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(before.name, after.name);
        let (mut kinds_before, mut kinds_after) = (kinds(before), kinds(after));
        kinds_before.sort();
        kinds_after.sort();
        assert_eq!(kinds_before, kinds_after, "{}", before.name);
    }
    let packages = |inventory: &Inventory| -> BTreeSet<String> {
        let items = inventory.sections.iter().flat_map(|section| &section.items);
        let packages = items.filter_map(|item| match &item.kind {
            ItemKind::Package(it) => {
                Some(format!("{} {} {} {}", it.purl_type, it.name, it.version, it.architecture))
            }
            _ => None,
        });
        packages.collect()
    };
    assert_eq!(packages(&before), packages(&after));
}
