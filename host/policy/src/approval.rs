//! What is asked when a manifest is loaded: each question independently of the others, so that all that is wrong is told at once.

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;
use jiff::{Timestamp, ToSpan};
use wardkeep_model::{Digest, Effect, Limits, RootName, Scheme};

use crate::{
    day,
    document::{Fault, Faults, quoted, shown},
    key::PublicKey,
    manifest::{Credential, Grant, HttpGrant, LONGEST_DAYS, Manifest, SecretTerms, Sketch, SourceKind},
    revocation::Revocations,
    signature::{MANIFEST_NAMESPACE, verify_signature},
    trust::Trust,
};

/// Signature files of one document; more are not looked at.
pub const MOST_SIGNATURES: usize = 32;

/// A manifest that may become a plugin, as the home holds it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// How faults name the manifest.
    pub file: &'a str,
    /// The name of the directory that it lies in.
    pub directory: &'a str,
    /// Its raw bytes.
    pub manifest: &'a [u8],
    /// Its signature files: how faults name them, and their bytes.
    pub signatures: &'a [(String, Vec<u8>)],
    /// The serial and the manifest's digest that this home has accepted last.
    pub known: Option<(u64, Digest)>,
}

/// What the operator's file says that bears on manifests. The default is a host whose operator has said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTerms {
    /// The host's name for itself.
    pub deployment: Option<String>,
    /// The directories that have a name.
    pub roots: BTreeSet<RootName>,
    /// What a call may use at most.
    pub ceilings: Limits,
    /// The networks that are not public and that grants may open: `[egress] private`.
    pub private: Vec<IpNet>,
    /// Whether a credential may go in the clear to a loopback address: `[egress] cleartext_to_loopback`, for tests.
    pub cleartext_to_loopback: bool,
    /// Where secrets may come from: the tables `[sources.…]`.
    pub sources: BTreeSet<SourceKind>,
}

impl Default for HostTerms {
    fn default() -> Self {
        Self {
            deployment: None,
            roots: BTreeSet::new(),
            ceilings: Limits::CEILING,
            private: Vec::new(),
            cleartext_to_loopback: false,
            sources: BTreeSet::new(),
        }
    }
}

/// A manifest that enough approvers have signed and that fits this host. Its component is still to be seen.
#[derive(Debug, Clone)]
pub struct Approved {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) signers: Vec<PublicKey>,
}

impl Approved {
    /// What was approved.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest of its raw bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.manifest.digest()
    }

    /// The keys whose signatures fit; whether each counts is asked of the trust, with the time.
    #[must_use]
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }
}

/// A manifest that can be read, whatever else is wrong with it and whoever has signed it. It approves nothing: no plugin is made of it.
#[derive(Debug, Clone)]
pub struct Reviewed(pub(crate) Approved);

impl Reviewed {
    /// What would be approved.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }
}

/// Asks of a manifest what [`approve`] asks, but for its signatures: what is wrong with it whoever signs.
pub fn review(
    candidate: &Candidate<'_>,
    trust: &Trust,
    revocations: &Revocations,
    host: &HostTerms,
    now: Timestamp,
) -> (Option<Reviewed>, Faults) {
    let (sketch, manifest, mut faults) = Manifest::parse_further(candidate.file, candidate.manifest);
    asked(&sketch, candidate, trust, revocations, host, now, &mut faults);
    let reviewed = |manifest| Reviewed(Approved { manifest: Arc::new(manifest), signers: Vec::new() });
    (manifest.map(reviewed), faults)
}

/// Asks everything that can be asked without the component.
///
/// # Errors
/// All faults of the manifest, of its signatures and of its place in this host.
pub fn approve(
    candidate: &Candidate<'_>,
    trust: &Trust,
    revocations: &Revocations,
    host: &HostTerms,
    now: Timestamp,
) -> Result<Approved, Faults> {
    let (sketch, manifest, mut faults) = Manifest::parse_further(candidate.file, candidate.manifest);
    let signers = signers(candidate, trust, revocations, sketch.gravest(), now, &mut faults);
    asked(&sketch, candidate, trust, revocations, host, now, &mut faults);
    match manifest {
        Some(manifest) if faults.is_empty() => Ok(Approved { manifest: Arc::new(manifest), signers }),
        _ => Err(faults),
    }
}

/// All but the signatures.
fn asked(
    sketch: &Sketch,
    candidate: &Candidate<'_>,
    trust: &Trust,
    revocations: &Revocations,
    host: &HostTerms,
    now: Timestamp,
    faults: &mut Faults,
) {
    faults.extend(trust.expired(now));
    place(candidate, sketch, host, faults);
    time(sketch, candidate.known, now, faults);
    if sketch.component.is_some_and(|component| revocations.revokes_component(&component)) {
        let mend = "approve a component that is not revoked";
        faults.push(sketch.fault("component.sha256", "this component is revoked").mend(mend));
    }
}

/// The manifest's own directory, deployment and roots.
fn place(candidate: &Candidate<'_>, sketch: &Sketch, host: &HostTerms, faults: &mut Faults) {
    if let Some(name) = sketch.name.as_ref().filter(|name| name.as_str() != candidate.directory) {
        let message = format!("`{name}` lies in a directory named {}", quoted(candidate.directory));
        faults.push(sketch.fault("plugin.name", message).mend("name the directory as the plugin"));
    }
    if let Some(wanted) = sketch.deployment.as_deref().filter(|wanted| host.deployment.as_deref() != Some(wanted)) {
        let message = match &host.deployment {
            Some(name) => format!("meant for the deployment `{wanted}`; this host is `{name}`"),
            None => format!("meant for the deployment `{wanted}`; this host has no name"),
        };
        let mend = "sign a manifest for this host; its name is `deployment` in wardkeep.toml";
        faults.push(sketch.fault("plugin.deployment", message).mend(mend));
    }
    for (key, grant) in &sketch.grants {
        match grant {
            Grant::Files(files) if !host.roots.contains(&files.root) => {
                let message = format!("this host has no root named `{}`, or none that may be used", files.root);
                let mend = format!("add to wardkeep.toml:\n[roots]\n{} = \"/a/directory\"", files.root);
                faults.push(sketch.fault(&format!("grants.{key}.root"), message).mend(mend));
            }
            Grant::Http(http) => requests(sketch, http, host, faults),
            _ => {}
        }
    }
    sketch.secrets.values().for_each(|secret| source(sketch, secret, host, faults));
}

/// Networks that are not public take two keys, the admin's and the operator's; so does a credential in the clear.
fn requests(sketch: &Sketch, http: &HttpGrant, host: &HostTerms, faults: &mut Faults) {
    let key = |key: &str| format!("grants.http.{}.{key}", http.name);
    let refused = http.private.iter().filter(|net| !host.private.iter().any(|allowed| allowed.contains(*net)));
    let refused: Vec<String> = refused.map(|net| format!("\"{net}\"")).collect();
    if !refused.is_empty() {
        let networks = refused.join(", ");
        let message = format!("this host's operator does not consent to requests into {networks}");
        let mend = format!("remove it, or have the operator add to wardkeep.toml:\n[egress]\nprivate = [{networks}]");
        faults.push(sketch.fault(&key("private"), message).mend(mend));
    }
    if http.scheme == Scheme::Http && http.secret.is_some() && !host.cleartext_to_loopback {
        let message = "a secret would be sent in the clear";
        let mend = "write scheme = \"https\", or remove the secret; to a test server on this machine, the operator can allow it in \
                    wardkeep.toml:\n[egress]\ncleartext_to_loopback = true";
        faults.push(sketch.fault(&key("scheme"), message).mend(mend));
    }
}

fn source(sketch: &Sketch, secret: &SecretTerms, host: &HostTerms, faults: &mut Faults) {
    let kind = secret.source.kind;
    if !host.sources.contains(&kind) {
        let message = format!("this host has no source `{kind}`");
        let table = match kind {
            SourceKind::File => "[sources.file]\ndirectory = \"/run/secrets/wardkeep\"",
            SourceKind::Env => "[sources.env]",
        };
        let fault = sketch.fault(&format!("secrets.{}.source", secret.name), message);
        faults.push(fault.mend(format!("add to wardkeep.toml:\n{table}")));
    }
    let (table, endpoint) = match &secret.credential {
        Credential::OAuthClient { token_url, .. } => ("oauth.token_url", token_url),
        Credential::GithubApp { api, .. } => ("github_app.api", api),
        Credential::Static => return,
    };
    if endpoint.scheme == Scheme::Http && !host.cleartext_to_loopback {
        let fault = sketch.fault(&format!("secrets.{}.{table}", secret.name), "a secret would be sent in the clear");
        faults.push(fault.mend("write https://"));
    }
}

/// Expiry, and serials against rollback.
fn time(sketch: &Sketch, known: Option<(u64, Digest)>, now: Timestamp, faults: &mut Faults) {
    let longest = day::of(now).saturating_add(LONGEST_DAYS.days());
    let mend = format!("write a day from {} to {longest}, raise the serial, and sign again", day::of(now));
    if let (Some(expires), Some(expires_at)) = (sketch.expires, sketch.expires_at()) {
        let mut expiry = |message: String| faults.push(sketch.fault("plugin.expires", message).mend(&mend));
        if expires_at <= now {
            expiry(format!("expired at the end of {expires}, UTC"));
        } else if expires > longest {
            expiry(format!("{expires} is more than {LONGEST_DAYS} days away"));
        }
    }
    let (Some((known, digest)), Some(serial)) = (known, sketch.serial) else { return };
    let message = if serial < known {
        format!("serial {serial} is lower than {known}, which this home has already accepted")
    } else if serial == known && sketch.digest != Some(digest) {
        format!("serial {serial} was already accepted with other bytes")
    } else {
        return;
    };
    let mend = format!("write serial = {} and sign again", known.saturating_add(1));
    faults.push(sketch.fault("plugin.serial", message).mend(mend));
}

/// Verifies every signature. One that does not fit is a fault even where others suffice: someone has changed something.
fn signers(
    candidate: &Candidate<'_>,
    trust: &Trust,
    revocations: &Revocations,
    effect: Effect,
    now: Timestamp,
    faults: &mut Faults,
) -> Vec<PublicKey> {
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut objections = Vec::new();
    for (file, bytes) in candidate.signatures.iter().take(MOST_SIGNATURES) {
        match verify_signature(MANIFEST_NAMESPACE, candidate.manifest, bytes) {
            Ok(signed) => {
                // A mend may have several lines: a name of a file must not make one of them.
                let objection = trust.objection(&signed.key, revocations, now);
                objections.extend(objection.map(|why| format!("{} is {why}", shown(file))));
                keys.push(signed.key);
            }
            Err(error) => {
                let mend = "sign again, or remove the file if its signer is not needed";
                faults.push(Fault::of(file, error.to_string()).mend(mend));
            }
        }
    }
    let (needed, signed) = (trust.threshold(effect), trust.signed(&keys, revocations, now));
    if signed < needed {
        let message = format!("signed by {signed} of the {needed} people whom a manifest with a {effect} tool needs");
        let sign = format!("have an approver sign it: wardkeep sign {}", shown(candidate.file));
        let able = trust.able(revocations, now);
        let counts = format!("needed: {needed}; may sign by {}: {able}", shown(trust.file()));
        let many = if able < needed {
            // Signing alone would never do.
            format!("{counts}; name more people in its [approvers.NAME], or lower `{effect}` in its [thresholds]")
        } else {
            format!("{counts}; `{effect}` of its [thresholds] says so")
        };
        let mend = objections.into_iter().chain([sign, many]).collect::<Vec<_>>().join("\n");
        faults.push(Fault::of(candidate.file, message).mend(mend));
    }
    keys
}
