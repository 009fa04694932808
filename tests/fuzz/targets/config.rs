//! Any bytes as `wardkeep.toml`. It opens no door that it does not say it opens: no listener beyond loopback without a proxy, no
//! caller and no root that is not written there, no write without the word.
#![no_main]

// `wardkeep` is a program and its build makes guests, so the reader of `wardkeep.toml` is compiled here from its own files. What it makes of them are
// the gateway's types.
#[path = "../../../host/server/src"]
#[allow(dead_code, unused_imports, reason = "files are read here, and never written")]
mod server {
    pub(crate) mod config;
}

mod home {
    pub(crate) const CONFIG: &str = "wardkeep.toml";
}

use std::{collections::BTreeSet, path::Path};

use libfuzzer_sys::fuzz_target;
use server::config::Config;
use toml::{Table, Value};
use wardkeep_audit::Sync;
use wardkeep_fuzz::{
    faults,
    toml::{read, strings, table},
};
use wardkeep_model::{Authenticated, Principal};

fuzz_target!(|bytes: &[u8]| {
    let directory = Path::new("/home/me/wardkeep");
    let config = match Config::parse(home::CONFIG, bytes, directory) {
        Ok(config) => config,
        Err(refused) => return faults::check(&refused),
    };
    let written = read(bytes);
    let again = Config::parse(home::CONFIG, bytes, directory).expect("what was accepted once is accepted again");
    assert_eq!(format!("{config:?}"), format!("{again:?}"));

    let trust = table(&written, "trust");
    assert_eq!(trust.get("root_sha256").and_then(Value::as_str), Some(config.root.to_string().as_str()));

    let listen = table(&written, "listen");
    let proxied = listen.get("behind_proxy") == Some(&Value::Boolean(true));
    assert!(config.listen.http.ip().is_loopback() || proxied, "keys would cross the network in the clear");
    assert!(config.listen.origins.iter().all(|origin| origin.starts_with("http") && !origin.contains('*')));

    callers(&config, &table(&written, "callers"));

    let roots = table(&written, "roots");
    let names: BTreeSet<&str> = config.roots.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, roots.keys().map(String::as_str).collect());
    assert!(config.roots.values().all(|path| path.is_absolute()));
    assert_eq!(config.terms().roots.len(), roots.len());

    let egress = table(&written, "egress");
    assert_eq!(config.egress.private.is_empty(), strings(&egress, "private").is_empty(), "a private network is opened");
    assert_eq!(config.egress.cleartext_to_loopback, egress.get("cleartext_to_loopback") == Some(&Value::Boolean(true)));
    issuers(&config, &table(&table(&written, "callers"), "oauth"));
    let audit = table(&written, "audit");
    assert_eq!(config.sync == Sync::Always, audit.get("sync").and_then(Value::as_str) == Some("always"));
    assert!(!audit.contains_key("retention"));
});

fn callers(config: &Config, written: &Table) {
    assert_eq!(config.callers.stdio.is_some(), written.contains_key("stdio"), "nobody is let in who is not written");
    if let Some(stdio) = &config.callers.stdio {
        assert_eq!(stdio.authenticated, Authenticated::Stdio);
        principal(stdio, &table(written, "stdio"));
    }
    let keys = table(written, "keys");
    assert_eq!(config.callers.keys.len(), keys.len());
    let mut digests = BTreeSet::new();
    for key in &config.callers.keys {
        let own = table(&keys, &key.name);
        assert_eq!(own.get("sha256").and_then(Value::as_str), Some(key.sha256.to_string().as_str()));
        assert!(digests.insert(key.sha256), "two callers share a key");
        assert_eq!(key.expires.is_some(), own.contains_key("expires"));
        assert_eq!(key.principal.authenticated, Authenticated::ApiKey);
        principal(&key.principal, &own);
    }
}

fn issuers(config: &Config, written: &Table) {
    assert_eq!(config.issuers.len(), written.len(), "nobody vouches for callers who is not written");
    for terms in config.issuers.iter().map(|issuer| &issuer.terms) {
        let own = table(written, &terms.name);
        assert_eq!(own.get("issuer").and_then(Value::as_str), Some(terms.issuer.as_str()));
        assert!(!terms.audience.is_empty() && !terms.algorithms.is_empty());
        assert_eq!(terms.writes, own.get("writes") == Some(&Value::Boolean(true)));
        assert!(!terms.unconfirmed_writes || own.get("unconfirmed_writes") == Some(&Value::Boolean(true)));
    }
}

fn principal(read: &Principal, written: &Table) {
    assert_eq!(written.get("principal").and_then(Value::as_str), Some(read.name.as_str()));
    assert!(read.name.starts_with("user:") || read.name.starts_with("service:"));
    assert_eq!(read.groups.iter().cloned().collect::<BTreeSet<_>>(), strings(written, "groups"));
    for (flag, key) in [(read.writes, "writes"), (read.human, "human"), (read.unconfirmed_writes, "unconfirmed_writes")]
    {
        assert_eq!(flag, written.get(key) == Some(&Value::Boolean(true)), "`{key}`");
    }
}
