//! A machine that has a little of everything, so that each source looks at all that it ever looks at.
//!
//! Knows nothing of hostility. Databases that can't be written by hand come from the recorded inputs, where they are.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::fixtures::folder;

const EXTENSION: &str = "cjpalhdlnbpafiamejdnhcphjbkeiagm";
const STANZA: &str = "Package: base\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\nMaintainer: Ann \
    <ann@example.org>\nInstalled-Size: 10\n\n";
const ADDONS: &str = r#"{"addons":[{"id":"a@b","version":"1","type":"extension","location":"app-profile"}]}"#;
const EDITOR: &str = r#"[{"identifier":{"id":"ms-python.python"},"version":"2025.1.0"}]"#;
const SWID: &str = "<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='Tagged' \
    version='1.0' tagId='x'><Entity name='Acme' regid='acme.example' role='softwareCreator'/></SoftwareIdentity>";
const FLATPAK: &str = "var/lib/flatpak/app/org.example.Hello/x86_64/stable";
const JDK: &str = "JAVA_VERSION=\"17.0.9\"\nIMPLEMENTOR=\"Eclipse Adoptium\"\nOS_ARCH=\"x86_64\"\n";

/// Every file with its content; a path that ends in a slash is a folder.
const FILES: &[(&str, &str)] = &[
    ("etc/os-release", "ID=debian\nNAME=Debian\nVERSION_ID=12\nPRETTY_NAME=\"Debian 12\"\n"),
    ("etc/debian_version", "12.11\n"),
    ("etc/machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4\n"),
    ("etc/hostname", "trap\n"),
    ("etc/default/locale", "LANG=en_GB.UTF-8\n"),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n"),
    ("etc/group", "root:x:0:\nsudo:x:27:ann\n"),
    ("etc/shadow", "root:*:19000:0:99999:7:::\nann:$6$x$y:19000:0:99999:7:::\n"),
    ("var/log/lastlog", "\0\0\0\0"),
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nphysical id\t: 0\ncpu cores\t: 2\n\n",
    ),
    ("proc/meminfo", "MemTotal:       24684084 kB\n"),
    ("proc/mounts", "/dev/sda1 / ext4 rw 0 0\n"),
    ("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1024 0 -2\n"),
    ("proc/self/mountinfo", "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"),
    ("sys/class/net/eth0/address", "00:1b:21:e5:c1:00\n"),
    ("sys/class/net/eth0/type", "1\n"),
    ("sys/class/net/eth0/speed", "1000\n"),
    ("sys/block/sda/size", "1000215216\n"),
    ("sys/block/sda/device/model", "Samsung SSD 980\n"),
    ("sys/block/sda/device/serial", "S649NX0R123456\n"),
    ("sys/block/sda/queue/rotational", "0\n"),
    ("sys/class/dmi/id/product_name", "X1\n"),
    ("sys/class/dmi/id/sys_vendor", "Acme\n"),
    ("sys/class/dmi/id/product_serial", "S1234567\n"),
    ("sys/class/power_supply/BAT0/type", "Battery\n"),
    ("sys/class/power_supply/BAT0/model_name", "DELL XYZ\n"),
    ("sys/class/power_supply/BAT0/serial_number", "1234\n"),
    ("sys/class/power_supply/BAT0/present", "1\n"),
    ("sys/class/tpm/tpm0/tpm_version_major", "2\n"),
    ("sys/class/drm/card0-HDMI-A-1/status", "connected\n"),
    ("sys/class/drm/card0-HDMI-A-1/edid", "\0"),
    ("sys/bus/pci/devices/0000:00:02.0/uevent", "PCI_CLASS=30000\nPCI_ID=8086:3E9B\n"),
    ("usr/share/misc/pci.ids", "8086  Intel Corporation\n\t3e9b  UHD Graphics 630\n"),
    ("usr/share/hwdata/pnp.ids", "DEL\tDell Inc.\n"),
    ("sys/bus/usb/devices/1-2/uevent", "DEVTYPE=usb_device\nPRODUCT=951/1666/100\nTYPE=0/0/0\n"),
    ("sys/bus/usb/devices/1-2/product", "DataTraveler\n"),
    ("sys/bus/usb/devices/1-2/serial", "60A44C42\n"),
    (
        "usr/lib/systemd/system/ssh.service",
        "[Unit]\nDescription=OpenSSH\n[Service]\nExecStart=/usr/sbin/sshd -D\n[Install]\nWantedBy=multi-user.target\n",
    ),
    ("usr/lib/systemd/system/apt-daily.timer", "[Timer]\nOnCalendar=daily\n"),
    ("etc/systemd/system/multi-user.target.wants/", ""),
    ("opt/sentinelone/bin/sentinelctl", ""),
    ("usr/sbin/clamd", ""),
    ("var/lib/clamav/daily.cvd", "ClamAV-VDB:x"),
    ("var/lib/dpkg/status", STANZA),
    ("var/lib/dpkg/updates/0001", STANZA),
    ("var/lib/dpkg/info/base.list", "/.\n"),
    ("var/lib/dpkg/status.d/base", STANZA),
    ("lib/apk/db/installed", "P:musl\nV:1.2.4-r2\nA:x86_64\nS:1\nI:2\nm:Ann <a@b>\n\n"),
    ("etc/apk/world", "musl\n"),
    ("var/lib/pacman/local/gmp-6.2.1-2/desc", "%NAME%\ngmp\n\n%VERSION%\n6.2.1-2\n\n%ARCH%\nx86_64\n\n"),
    ("etc/pacman.conf", "[options]\n"),
    ("var/db/pkg/dev-libs/openssl-3.0.13-r2/SIZE", "15481234\n"),
    ("var/db/pkg/dev-libs/openssl-3.0.13-r2/SLOT", "0/3\n"),
    (
        "nix/var/nix/profiles/default/manifest.json",
        r#"{"version":2,"elements":[{"active":true,"storePaths":["/nix/store/0123456789abcdfghijklmnpqrsvwxyz-hello-2.12"]}]}"#,
    ),
    ("nix/var/nix/profiles/per-user/ann/profile/manifest.json", r#"{"version":2,"elements":[]}"#),
    (
        "var/lib/snapd/state.json",
        r#"{"data":{"snaps":{"core22":{"type":"base","active":true,"current":"1380","channel":"latest/stable","sequence":[{"name":"core22","snap-id":"amcUKQILKXHHTlmSa7NMdnXSx02dNeeT","revision":"1380"}]}}}}"#,
    ),
    ("var/lib/snapd/snaps/core22_1380.snap", "image"),
    ("snap/core22/1380/meta/snap.yaml", "name: core22\nversion: '20240416'\narchitectures:\n- amd64\n"),
    (
        "var/lib/flatpak/app/org.example.Hello/x86_64/stable/abc/metadata",
        "[Application]\nname=org.example.Hello\n",
    ),
    ("var/lib/flatpak/app/org.example.Hello/x86_64/stable/abc/deploy", "x"),
    (
        "opt/Krita-5.2.2-x86_64.AppImage",
        "\x7fELF\x02\x01\x01\0AI\x02\0\0\0\0\0\x02\0\x3e\0 and then the image",
    ),
    (
        "home/ann/Applications/a-1.AppImage",
        "\x7fELF\x02\x01\x01\0AI\x02\0\0\0\0\0\x02\0\x3e\0 and then the image",
    ),
    ("home/ann/.vscode/extensions/extensions.json", EDITOR),
    ("home/ann/.vscode-oss/extensions/three.d-1.2.3/package.json", "{}"),
    ("home/ann/.config/google-chrome/Local State", "{}"),
    (
        "home/ann/.config/google-chrome/Default/Extensions/EXTENSION/1.60.0_0/manifest.json",
        r#"{"name":"__MSG_extName__","default_locale":"en","version":"1.60.0"}"#,
    ),
    (
        "home/ann/.config/google-chrome/Default/Extensions/EXTENSION/1.60.0_0/_locales/en/messages.json",
        r#"{"extname":{"message":"uBlock"}}"#,
    ),
    ("home/ann/.config/google-chrome/Default/Preferences", r#"{"extensions":{"settings":{}}}"#),
    ("home/ann/.mozilla/firefox/profiles.ini", "[General]\n"),
    ("home/ann/.mozilla/firefox/x.default/extensions.json", ADDONS),
    (
        "usr/share/chromium/extensions/EXTENSION.json",
        r#"{"external_crx":"/usr/share/x.crx","external_version":"1.2"}"#,
    ),
    (
        "etc/opt/chrome/policies/managed/a.json",
        r#"{"ExtensionInstallForcelist":["cjpalhdlnbpafiamejdnhcphjbkeiagm;https://x"]}"#,
    ),
    (
        "etc/firefox/policies/policies.json",
        r#"{"policies":{"ExtensionSettings":{"p@x":{"installation_mode":"force_installed"}}}}"#,
    ),
    (
        "usr/share/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384}/u@x.net/manifest.json",
        r#"{"name":"uBlock","version":"1.60"}"#,
    ),
    ("usr/lib/firefox/distribution/extensions/langpack@x.xpi", "PK"),
    (
        "var/lib/containers/storage/overlay-images/images.json",
        r#"[{"id":"9e99","digest":"sha256:9e99","names":["docker.io/library/nginx:1.27.4"]}]"#,
    ),
    (
        "home/ann/.local/share/containers/storage/overlay-images/images.json",
        r#"[{"id":"x","names":["a:1"]}]"#,
    ),
    ("etc/docker/daemon.json", r#"{"data-root":"/srv/docker/"}"#),
    ("srv/docker/image/vfs/repositories.json", r#"{"Repositories":{"a":{"a:1":"sha256:9e99"}}}"#),
    ("var/lib/docker/image/overlay2/repositories.json", r#"{"Repositories":{"b":{"b:1":"sha256:9e99"}}}"#),
    ("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", "no database"),
    ("etc/oraInst.loc", "inventory_loc=/u01/app/oraInventory\ninst_group=dba\n"),
    (
        "u01/app/oraInventory/ContentsXML/inventory.xml",
        "<?xml version=\"1.0\"?><INVENTORY><HOME_LIST><HOME NAME=\"db\" LOC=\"/u01/home\" TYPE=\"O\" IDX=\"1\"/></HOME_LIST></INVENTORY>",
    ),
    (
        "u01/home/inventory/ContentsXML/comps.xml",
        "<PRD_LIST><TL_LIST><COMP NAME=\"oracle.server\" VER=\"19.0.0.0.0\"><EXT_NAME>Oracle Database</EXT_NAME></COMP></TL_LIST></PRD_LIST>",
    ),
    ("opt/acme/server-2.1/VERSION", "2.1.7-rc1\n"),
    ("opt/acme/client/version.txt", "v3.0\n"),
    ("opt/idea/product-info.json", r#"{"name":"IntelliJ IDEA","version":"2024.1","buildNumber":"241"}"#),
    ("opt/eclipse/.eclipseproduct", "name=Eclipse Platform\nid=org.eclipse.platform\nversion=4.30.0\n"),
    ("usr/share/swidtag/example.com/a.swidtag", SWID),
    ("opt/acme/swidtag/c.swidtag", SWID),
    ("usr/lib/jvm/temurin-17/release", JDK),
    ("opt/jdk/release", JDK),
    (
        "usr/local/lib/python3.11/dist-packages/six-1.16.0.dist-info/METADATA",
        "Name: six\nVersion: 1.16.0\n\n",
    ),
    ("usr/local/lib/python3.11/dist-packages/old.egg-info", "Name: old\nVersion: 2\n\n"),
    (
        "home/ann/.local/lib/python3.11/site-packages/black-24.1.0.dist-info/METADATA",
        "Name: black\nVersion: 24.1.0\n\n",
    ),
    ("usr/lib/node_modules/npm/package.json", r#"{"name":"npm","version":"10.8.2"}"#),
    ("usr/lib/node_modules/@angular/cli/package.json", r#"{"name":"@angular/cli","version":"17.0.0"}"#),
    ("home/ann/.npm-global/lib/node_modules/x/package.json", r#"{"name":"x","version":"1.0.0"}"#),
    ("var/lib/gems/3.1.0/specifications/a-1.0.gemspec", "# stub: a 1.0 ruby lib\n s.authors = [\"Ann\"]\n"),
    ("home/ann/.gem/ruby/3.1.0/specifications/c-1.0.gemspec", ""),
    (
        "usr/local/.crates.toml",
        "[v1]\n\"ripgrep 14.1.1 (registry+https://github.com/rust-lang/crates.io-index)\" = [\"rg\"]\n",
    ),
    ("home/ann/.cargo/.crates.toml", "[v1]\n\"tool 0.1.0 (path+file:///x)\" = [\"tool\"]\n"),
    ("home/linuxbrew/.linuxbrew/Cellar/plain/1.0/INSTALL_RECEIPT.json", "{}"),
    ("home/ann/.linuxbrew/Cellar/a/1/x", ""),
    ("opt/miniforge3/conda-meta/absl-py-2.1.0-pyhd8ed1ab_0.json", "{}"),
    ("home/ann/.conda/environments.txt", "/home/ann/work/env\n"),
    ("home/ann/work/env/conda-meta/b-1-0.json", "{}"),
    ("lib/modules/6.1.0-18-amd64/modules.dep", ""),
    ("boot/vmlinuz-6.1.0-18-amd64", ""),
];

/// Links, each with what it points to.
const LINKS: &[(&str, &str)] = &[
    ("etc/localtime", "/usr/share/zoneinfo/Europe/Berlin"),
    ("etc/systemd/system/multi-user.target.wants/ssh.service", "/usr/lib/systemd/system/ssh.service"),
    ("etc/systemd/system/masked.service", "/dev/null"),
    ("usr/lib/jvm/default-java", "temurin-17"),
];

/// Lays the machine down in a folder.
pub(super) fn lay_down(root: &Path) {
    let file = |path: &str, content: &[u8]| {
        let at = root.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, content).unwrap();
    };
    for (path, content) in FILES {
        let path = path.replace("EXTENSION", EXTENSION);
        match path.strip_suffix('/') {
            Some(path) => fs::create_dir_all(root.join(path)).unwrap(),
            None => file(&path, content.as_bytes()),
        }
    }
    for (path, target) in LINKS {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        symlink(target, root.join(path)).unwrap();
    }
    symlink("abc", root.join(FLATPAK).join("active")).unwrap();
    if let Some(dumps) = folder("smbios") {
        let dump = fs::read(dumps.join("Lenovo-ThinkPad-T480.bin")).unwrap();
        file("sys/firmware/dmi/tables/smbios_entry_point", &dump[..32]);
        file("sys/firmware/dmi/tables/DMI", &dump[32..]);
    }
    if let Some(databases) = folder("rpm") {
        let copy = |from: &str, to: &str| file(to, &fs::read(databases.join(from)).unwrap());
        copy("sqlite/var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite");
        copy("ndb/var/lib/rpm/Packages.db", "usr/lib/sysimage/rpm/Packages.db");
        copy("bdb/var/lib/rpm/Packages", "var/lib/rpm/Packages");
    }
}
