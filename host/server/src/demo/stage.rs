//! The demo's home: made as an operator and an approver would make one, with a key of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use wardkeep_model::Digest;
use wardkeep_policy::{InitialTrust, KeyPair, MANIFEST_NAMESPACE, PublicKey, Trust, generate_key, sign};
use wardkeep_sandbox::Engine;

use crate::{
    compiling,
    document::{MANIFEST, signature_directory},
    home::{CONFIG, Home, TRUST, create_directory, write_new},
};

const FILES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/files.wasm"));
const SPINNER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/spinner.wasm"));

/// The fuel of the plugin that never ends: gone in a moment.
pub(super) const SPINNER_FUEL: u64 = 50_000_000;

/// A home with two approved plugins, and what its client needs.
pub(super) struct Stage {
    pub(super) home: Home,
    /// The API key of `service:visitor`.
    pub(super) key: String,
    pub(super) fingerprint: String,
    /// Has both plugins compiled.
    pub(super) engine: Engine,
}

/// What only the visitor's own manifests say of a plugin.
struct Plugin {
    name: &'static str,
    component: &'static [u8],
    body: String,
}

/// Makes the home and a small tree beside it.
pub(super) async fn build(directory: &Path) -> anyhow::Result<Stage> {
    let (home, tree, vault) = (directory.join("home"), directory.join("tree"), directory.join("vault"));
    for directory in [&home, &home.join("plugins"), &tree.join("notes"), &vault] {
        create_directory(directory)?;
    }
    write(&tree.join("notes/monday.txt"), "Buy bread.\nCall the lighthouse keeper.\n")?;
    write(&tree.join("notes/tuesday.txt"), "The lighthouse keeper called back.\n")?;
    write(&vault.join("pin.txt"), "1234\n")?;

    let approver = generate_key(&random()?, "demo").context("no key could be made")?;
    let public: PublicKey = approver.public.parse()?;
    let expires = Timestamp::now().to_zoned(TimeZone::UTC).date().checked_add(30.days())?;
    let trust = Trust::render_initial(&InitialTrust { person: "demo", key: &public, expires });
    write_new(&home.join(TRUST), trust.as_bytes(), 0o600)?;
    let key = format!("wk_{}", Digest::from_bytes(random()?));
    let config = format!(
        "format = 1\n[trust]\nroot_sha256 = \"{}\"\n[listen]\nhttp = \"127.0.0.1:0\"\n[callers.keys.visitor]\nsha256 = \"{}\"\n\
         principal = \"service:visitor\"\ngroups = [\"visitors\"]\nexpires = {expires}\n[roots]\ntree = \"../tree\"\nvault = \"../vault\"\n",
        Digest::of(trust.as_bytes()),
        Digest::of(key.as_bytes()),
    );
    write_new(&home.join(CONFIG), config.as_bytes(), 0o600)?;

    let engine = compiling::throwaway(directory)?;
    for plugin in plugins() {
        install(&home, &plugin, &engine, &approver, &expires.to_string()).await?;
    }
    Ok(Stage { home: Home::open(Some(&home))?, key, fingerprint: public.fingerprint().to_owned(), engine })
}

fn plugins() -> [Plugin; 2] {
    let tool = |name: &str, group: &str| {
        format!("[tools.{name}]\neffect = \"read\"\nuses = [\"files.tree\"]\nallow = [\"group:{group}\"]\n")
    };
    let grant = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
    let files = [grant, &tool("read", "visitors"), &tool("search", "visitors"), &tool("list", "staff")].concat();
    let spinner =
        format!("[limits]\nfuel = {SPINNER_FUEL}\n[tools.spin]\neffect = \"read\"\nallow = [\"group:visitors\"]\n");
    [
        Plugin { name: "files", component: FILES, body: files },
        Plugin { name: "spinner", component: SPINNER, body: spinner },
    ]
}

async fn install(
    home: &Path,
    plugin: &Plugin,
    engine: &Engine,
    approver: &KeyPair,
    expires: &str,
) -> anyhow::Result<()> {
    let Plugin { name, component, body } = plugin;
    let inspected = engine.inspect((*component).into()).await.with_context(|| format!("the plugin `{name}`"))?;
    let seen = inspected.inspection();
    let manifest = format!(
        "format = 1\n[plugin]\nname = \"{name}\"\nversion = \"{}\"\nserial = 1\nexpires = {expires}\nowner = \"demo\"\n\
         purpose = \"to be shown\"\n[component]\nfile = \"{name}.wasm\"\nsha256 = \"{}\"\ncontract_sha256 = \"{}\"\n{body}",
        seen.description.version,
        seen.digest,
        seen.description.contract_digest(),
    );
    let directory = home.join("plugins").join(name);
    let path = directory.join(MANIFEST);
    create_directory(&signature_directory(&path))?;
    write_new(&directory.join(format!("{name}.wasm")), component, 0o600)?;
    write_new(&path, manifest.as_bytes(), 0o600)?;
    let signature = sign(MANIFEST_NAMESPACE, manifest.as_bytes(), &approver.private)?;
    Ok(write_new(&signature_directory(&path).join("demo.sig"), signature.as_bytes(), 0o600)?)
}

/// Widens what was signed, as somebody would who can write the file and has no approver's key.
pub(super) fn tamper(home: &Home) -> anyhow::Result<()> {
    let path: PathBuf = home.plugins().join("files").join(MANIFEST);
    let text = fs::read_to_string(&path)?;
    Ok(fs::write(&path, text.replace("group:staff", "group:visitors"))?)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(write_new(path, text.as_bytes(), 0o600)?)
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
    Ok(bytes)
}
