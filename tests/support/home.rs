//! A home in a temporary directory, written as an operator and an admin would, and signed with a key of the test's own.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The API key that every home of the tests knows as `service:test` in the group `tests`.
pub const KEY: &str = "wk_test_0123456789abcdef0123456789abcdef";

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// An approver with a key pair made from a seed.
pub struct Approver {
    pub name: &'static str,
    pub private: String,
    pub public: String,
}

impl Approver {
    pub fn new(name: &'static str, seed: u8) -> Self {
        let pair = wardkeep_policy::generate_key(&[seed; 32], name).expect("a key from a seed");
        Self { name, private: pair.private, public: pair.public }
    }
}

/// What goes into one plugin's manifest. The texts are TOML.
pub struct Plugin<'a> {
    pub name: &'a str,
    pub wasm: &'a Path,
    pub wasi: &'a str,
    pub serial: u64,
    pub limits: &'a str,
    pub grants: &'a str,
    /// The `[tools.…]` tables.
    pub tools: String,
}

impl<'a> Plugin<'a> {
    /// A plugin whose tools may all be called by the tests' key and need no grant.
    pub fn plain(name: &'a str, wasm: &'a Path, tools: &[&str]) -> Self {
        Self::granted(name, wasm, &tools.iter().map(|tool| (*tool, "[]")).collect::<Vec<_>>(), "")
    }

    /// The same with grants, and what each tool uses of them.
    pub fn granted(name: &'a str, wasm: &'a Path, tools: &[(&str, &str)], grants: &'a str) -> Self {
        let tools = tools
            .iter()
            .map(|(tool, uses)| {
                format!("[tools.{tool}]\neffect = \"read\"\nuses = {uses}\nallow = [\"group:tests\", \"user:me\"]\n")
            })
            .collect();
        Self { name, wasm, wasi: "none", serial: 1, limits: "", grants, tools }
    }
}

/// The binary that is tested: what cargo has built with the tests, or what the environment names (`.ci/run` names the release build).
pub fn program() -> PathBuf {
    env::var_os("WARDKEEP_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_wardkeep").into()).into()
}

/// What a manifest says of a component that was inspected before.
struct Known<'a> {
    version: &'a str,
    contract: &'a str,
    expires: &'a str,
}

pub struct Home {
    dir: TempDir,
    /// A root lies apart from the home: one in it is refused.
    root: TempDir,
    pub approver: Approver,
}

impl Home {
    pub fn new() -> Self {
        let approver = Approver::new("tess", 7);
        let dir = tempfile::Builder::new().prefix("wk-").tempdir().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let root = tempfile::Builder::new().prefix("wk-root-").tempdir().expect("a temporary directory");
        let home = Self { dir, root, approver };
        for folder in ["plugins", "audit", "state", "keys", "cache", "revoked"] {
            fs::create_dir(home.path().join(folder)).unwrap();
            fs::set_permissions(home.path().join(folder), fs::Permissions::from_mode(0o700)).unwrap();
        }
        // a home that was never in use
        fs::remove_dir(home.path().join("keys")).unwrap();
        let trust = format!(
            "format = 1\nversion = 1\nexpires = {}\n\n[approvers.{}]\nkeys = [{:?}]\n",
            day(300),
            home.approver.name,
            home.approver.public.trim()
        );
        home.write("trust.toml", &trust);
        home.write("wardkeep.toml", &home.operator_file(&sha256(trust.as_bytes()), ""));
        home
    }

    pub fn operator_file(&self, root: &str, more: &str) -> String {
        format!(
            "format = 1\n[trust]\nroot_sha256 = \"{root}\"\n[listen]\nhttp = \"127.0.0.1:0\"\n\
             [callers.stdio]\nprincipal = \"user:me\"\ngroups = [\"engineering\"]\n\
             [callers.keys.test]\nsha256 = \"{}\"\nprincipal = \"service:test\"\ngroups = [\"tests\"]\n\
             [roots]\ntree = {:?}\n{more}",
            sha256(KEY.as_bytes()),
            self.tree()
        )
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The directory that the root `tree` stands for.
    pub fn tree(&self) -> PathBuf {
        self.root.path().to_path_buf()
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path().join(file)).unwrap()
    }

    /// Writes the plugin's directory into the home, with a manifest that pins the component as it is, and signs it.
    pub fn install(&self, plugin: &Plugin<'_>) {
        self.package(plugin, &self.path().join("plugins").join(plugin.name));
    }

    /// The same into any directory.
    pub fn package(&self, plugin: &Plugin<'_>, folder: &Path) {
        let component = fs::read(plugin.wasm).unwrap();
        let inspected = self.json(&["inspect", plugin.wasm.to_str().unwrap()]);
        let contract = inspected["contract_sha256"].as_str().unwrap_or_else(|| panic!("{inspected}")).to_owned();
        let version = inspected["version"].as_str().unwrap_or_else(|| panic!("{inspected}")).to_owned();
        self.put_in(folder, plugin, &component, &Known { version: &version, contract: &contract, expires: &day(200) });
    }

    /// The same into the home for a component whose version and contract are known.
    pub fn put(&self, plugin: &Plugin<'_>, component: &[u8], version: &str, contract: &str, expires: &str) {
        let folder = self.path().join("plugins").join(plugin.name);
        self.put_in(&folder, plugin, component, &Known { version, contract, expires });
    }

    fn put_in(&self, folder: &Path, plugin: &Plugin<'_>, component: &[u8], known: &Known<'_>) {
        let Known { version, contract, expires } = known;
        let manifest = format!(
            "format = 1\n[plugin]\nname = \"{name}\"\nversion = \"{version}\"\nserial = {serial}\nexpires = {expires}\n\
             owner = \"tests@example.com\"\npurpose = \"to be tested\"\n\
             [component]\nfile = \"{name}.wasm\"\nsha256 = \"{sha}\"\ncontract_sha256 = \"{contract}\"\nwasi = \"{wasi}\"\n\
             [limits]\n{limits}\n{grants}\n{tools}",
            name = plugin.name,
            serial = plugin.serial,
            sha = sha256(component),
            wasi = plugin.wasi,
            limits = plugin.limits,
            grants = plugin.grants,
            tools = plugin.tools,
        );
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(format!("{}.wasm", plugin.name)), component).unwrap();
        // A path that is absolute stays as it is when it is joined to the home.
        self.write(folder.join("manifest.toml").to_str().unwrap(), &manifest);
        self.sign_in(folder);
    }

    /// Signs a plugin's manifest as it is.
    pub fn sign(&self, plugin: &str) {
        self.sign_in(&self.path().join("plugins").join(plugin));
    }

    /// Signs the manifest in any directory.
    pub fn sign_in(&self, folder: &Path) {
        let manifest = fs::read(folder.join("manifest.toml")).unwrap();
        let signature =
            wardkeep_policy::sign(wardkeep_policy::MANIFEST_NAMESPACE, &manifest, &self.approver.private).unwrap();
        let signatures = folder.join("manifest.toml.sigs");
        fs::create_dir_all(&signatures).unwrap();
        self.write(signatures.join("tess.sig").to_str().unwrap(), &signature);
    }

    /// `wardkeep` with this home.
    pub fn wardkeep(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--home").arg(self.path()).args(arguments).env("NO_COLOR", "1").env_remove("RUST_LOG");
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.wardkeep(arguments).output().expect("wardkeep starts")
    }

    /// What a command prints with `--json`; it must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// A command that must refuse: exit code 1, and what it says.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        text
    }

    /// Every line of the journal, oldest first.
    pub fn journal(&self) -> Vec<Value> {
        let mut segments: Vec<_> = fs::read_dir(self.path().join("audit"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
            .collect();
        segments.sort();
        let text: String = segments.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        // the last line is perhaps being written at this moment
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

/// The day this many days from now.
pub fn day(from_now: i64) -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    now.checked_add(jiff::Span::new().days(from_now)).unwrap().to_string()
}

/// A line of the status of the process that serves this home, in MiB: `VmHWM:` is the most it has had, `VmRSS:` what it has.
pub fn memory(home: &Home, line: &str) -> u64 {
    let of_home = |process: &fs::DirEntry| {
        let said = |file| fs::read(process.path().join(file)).unwrap_or_default();
        let words = [said("cmdline"), said("environ")].concat();
        let home = home.path().to_str().unwrap().as_bytes();
        words.windows(home.len()).any(|part| part == home)
    };
    let process = fs::read_dir("/proc").unwrap().filter_map(Result::ok).find(of_home).expect("a process");
    let status = fs::read_to_string(process.path().join("status")).unwrap();
    let of_line = status.lines().find_map(|status| status.strip_prefix(line)).expect("such a line");
    of_line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}
