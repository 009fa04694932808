//! What a home says besides its plugins: the operator's file, the trust that it pins, revocations, directories.

use std::{collections::BTreeMap, os::unix::ffi::OsStrExt as _, path::Path, sync::Arc};

use jiff::Timestamp;
use wardkeep_audit::Revoked;
use wardkeep_gateway::Callers;
use wardkeep_model::Digest;
use wardkeep_policy::{
    Fault, Faults, HostTerms, REVOKE_NAMESPACE, Remembered, Revocation, Revocations, Trust, verify_signature,
};
use wardkeep_sandbox::Roots;

use crate::{
    config::Config,
    document::{self, Signatures},
    home::{self, Home, ReadError, cap, check_directory, check_file, read_anywhere, read_file},
    screen::{Told as _, escaped_name},
    state::State,
};

use super::{Tokens, World, candidate::fault, tokens};

/// The documents of a home that bear on every plugin.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) config: Config,
    pub(crate) host: HostTerms,
    pub(crate) trust: Arc<Trust>,
    pub(crate) trust_bytes: Vec<u8>,
    pub(crate) trust_signatures: Signatures,
    pub(crate) roots: Roots,
    pub(crate) world: World,
    /// What access tokens are held against.
    pub(crate) tokens: Tokens,
    /// Verified revocations of this home's files; those that only the state remembers are not among them.
    pub(crate) revoking: Vec<Revoking>,
    /// What is wrong without stopping the rest: directories that are not there, revocations that do not count.
    pub(crate) faults: Faults,
}

/// One verified revocation document.
#[derive(Clone)]
pub(crate) struct Revoking {
    pub(crate) targets: Vec<Revoked>,
    pub(crate) document: Digest,
}

impl Terms {
    /// Reads all of them. An error here stops everything: without operator's file and trust nothing can be decided.
    pub(crate) fn read(home: &Home, now: Timestamp) -> anyhow::Result<Self> {
        let config = Self::config(home)?;
        let trust_bytes = read_file(&home.trust(), cap::DOCUMENT).map_err(|error| match error {
            ReadError::Absent(_) => {
                anyhow::Error::from(Faults::from(Fault::of(home::TRUST, "does not exist").mend(format!(
                    "put it back: {} pins the one with the SHA-256 {}",
                    home::CONFIG,
                    config.root
                ))))
            }
            error => error.into(),
        })?;
        let trust = Trust::parse(home::TRUST, &trust_bytes)?;
        trust.check_pin(config.root)?;
        let trust_signatures = document::signatures(&home.trust())?;
        let mut faults = Faults::none();
        let (roots, host) = roots(home, &config, &mut faults);
        let world = World::new(&config, &mut faults);
        let tokens = Tokens::new(&config, &world);
        tokens::unusable(&config, &mut faults);
        let revoking = revoking(home, &trust, now, &mut faults)?;
        let trust = Arc::new(trust);
        Ok(Self { config, host, trust, trust_bytes, trust_signatures, roots, world, tokens, revoking, faults })
    }

    /// The operator's file alone.
    pub(crate) fn config(home: &Home) -> anyhow::Result<Config> {
        Ok(Config::parse(home::CONFIG, &read_file(&home.config(), cap::DOCUMENT)?, home.path())?)
    }

    /// The same with the connections and tokens of what was read before, unless what they stand on has changed.
    pub(crate) fn after(self, before: &Self) -> Self {
        let world = self.world.or(&before.world);
        // Made anew where the world is: they hold the one that they were made with.
        let tokens = Tokens::new(&self.config, &world).or(&before.tokens);
        Self { world, tokens, ..self }
    }

    /// Who may call.
    pub(crate) fn callers(&self) -> Callers {
        Callers { oauth: self.tokens.oauth(), ..self.config.callers.clone() }
    }

    /// The callers of another reading of the operator's file, and nothing else of it.
    pub(crate) fn take_callers(&mut self, config: Config) {
        let Config { callers, issuers, listen, .. } = config;
        self.config.callers = callers;
        self.config.issuers = issuers;
        // What their tokens are for.
        self.config.listen.public_url = listen.public_url;
        self.tokens = Tokens::new(&self.config, &self.world).or(&self.tokens);
    }

    /// The same documents with the revocations that lie in the home now: they count whatever became of the others.
    pub(crate) fn revoked_again(&self, home: &Home, now: Timestamp) -> anyhow::Result<Self> {
        let mut faults = Faults::none();
        let revoking = revoking(home, &self.trust, now, &mut faults)?;
        Ok(Self { revoking, faults, ..self.clone() })
    }

    /// Holds what a running host cannot change at what it started with. The keys of the operator's file that would be others after
    /// a restart.
    pub(crate) fn hold(&mut self, started: &Self, before: &Self) -> Vec<&'static str> {
        let mut waiting = Vec::new();
        if self.config.listen.public_url != started.config.listen.public_url && !self.hold_public_url(started, before) {
            waiting.push("callers.oauth");
        }
        let mut differs = |key, differs: bool| {
            if differs {
                waiting.push(key)
            }
        };
        differs("listen", self.config.listen != started.config.listen);
        differs("audit.sync", self.config.sync != started.config.sync);
        differs("compile", self.config.compile != started.config.compile);
        differs("deployment", self.config.deployment != started.config.deployment);
        self.host.deployment.clone_from(&started.host.deployment);
        // The pools were made for these.
        let (held, most) = (&mut self.host.ceilings, &started.host.ceilings);
        differs("ceilings.memory", held.memory > most.memory);
        differs("ceilings.table_elements", held.table_elements > most.table_elements);
        held.memory = held.memory.min(most.memory);
        held.table_elements = held.table_elements.min(most.table_elements);
        waiting
    }

    /// Where clients find out whose tokens to bring, the names that a request may come by, and what tokens are for belong together, and the first
    /// two are served as they were when the host started: so is the third. False if nothing was served then that tokens could be for.
    fn hold_public_url(&mut self, started: &Self, before: &Self) -> bool {
        let public_url = started.config.listen.public_url.clone();
        let mut config = self.config.clone();
        let changed = std::mem::replace(&mut config.listen.public_url, public_url.clone());
        let waits = public_url.is_none() && !config.issuers.is_empty();
        match public_url {
            Some(url) => {
                let audiences = config.issuers.iter_mut().map(|issuer| &mut issuer.terms.audience);
                audiences.filter(|audience| changed.as_ref() == Some(audience)).for_each(|it| it.clone_from(&url));
            }
            None => config.issuers.clear(),
        }
        self.tokens = Tokens::new(&config, &self.world).or(&before.tokens);
        self.config.issuers = config.issuers;
        !waits
    }

    /// Everything revoked: by the home's files, and by what the state remembers of files that may be gone.
    pub(crate) fn revocations(&self, state: &State) -> Revocations {
        let known = self.revoking.iter().flat_map(|revoking| &revoking.targets).chain(&state.revoked);
        let (mut keys, mut components) = (Vec::new(), Vec::new());
        known.for_each(|target| match target {
            Revoked::Key(fingerprint) => keys.push(fingerprint.clone()),
            Revoked::Component(digest) => components.push(*digest),
        });
        let all = Remembered { digest: Digest::of(&[]), reason: String::new(), keys, components };
        std::iter::once(all).collect()
    }
}

/// Why no manifest may name this directory, whatever it grants there.
fn forbidden(home: &Home, config: &Config, root: &Path) -> Option<(&'static str, &'static str)> {
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    // One that is not there cannot be opened, and is told as that.
    let root = root.canonicalize().ok()?;
    let meets = |other: &Path| real(other).is_some_and(|other| other.starts_with(&root) || root.starts_with(&other));
    // A tool that may write there could approve itself; one that reads would have the host's keys.
    if meets(home.path()) {
        let why =
            "holds this home, or is part of it: tools would read the host's own keys there, and write what it trusts";
        return Some((why, "the home"));
    }
    // Values of secrets would be in a guest's memory.
    if config.sources.file.as_deref().is_some_and(meets) {
        return Some((
            "holds the directory of `sources.file`, or is part of it: tools would read credentials there",
            "the secrets",
        ));
    }
    None
}

/// Opens each directory. One that is not there takes its name away from manifests, and nothing else.
fn roots(home: &Home, config: &Config, faults: &mut Faults) -> (Roots, HostTerms) {
    let mut there = BTreeMap::new();
    for (name, path) in &config.roots {
        if let Some((why, apart)) = forbidden(home, config, path) {
            let key = format!("roots.{name}");
            let message = format!("`{}` {why}", path.told());
            let fault = Fault::of(home::CONFIG, message).at(config.lines.of_key(&key), &key);
            faults.push(
                fault.mend(format!("name a directory apart from {apart}; until then no manifest may name this root")),
            );
            continue;
        }
        match Roots::open([(name.clone(), path.clone())]) {
            Ok(_) => {
                there.insert(name.clone(), path.clone());
            }
            Err(error) => {
                let key = format!("roots.{name}");
                let message = format!("the directory `{}` cannot be opened: {}", path.told(), error.source);
                let fault = Fault::of(home::CONFIG, message).at(config.lines.of_key(&key), &key);
                faults.push(fault.mend("make the directory, or remove the line; until then no manifest may name it"));
            }
        }
    }
    let mut host = config.terms();
    let roots = Roots::open(there.clone()).unwrap_or_else(|error| {
        faults.push(Fault::of(home::CONFIG, error.to_string()));
        there.clear();
        Roots::default()
    });
    host.roots = there.into_keys().collect();
    (roots, host)
}

/// The revocations that somebody who may approve has signed. Who may write to their files is told and decides nothing: what is
/// signed counts wherever it lies, or a careless `chmod` would bring a stolen key back.
fn revoking(home: &Home, trust: &Trust, now: Timestamp, faults: &mut Faults) -> anyhow::Result<Vec<Revoking>> {
    let mut revoking = Vec::new();
    let directory = home.revoked();
    if directory.symlink_metadata().is_ok()
        && let Err(error) = check_directory(&directory)
    {
        faults.push(fault(&home.display(&directory), &error));
    }
    let judge = |file: &str, path: &Path, faults: &mut Faults| {
        // Once for the directory is enough.
        if check_directory(path.parent().unwrap_or(path)).is_ok()
            && let Err(error) = check_file(path)
        {
            faults.push(fault(file, &error));
        }
    };
    for name in document::names(&directory)?.into_iter().filter(|name| name.as_bytes().ends_with(b".toml")) {
        let path = directory.join(&name);
        let file = format!("{}/{}", home.display(&directory), escaped_name(&name));
        judge(&file, &path, faults);
        let bytes = match read_anywhere(&path, cap::DOCUMENT) {
            Ok(bytes) => bytes,
            Err(error) => {
                faults.push(fault(&file, &error));
                continue;
            }
        };
        let beside = document::signature_directory(&path);
        if beside.symlink_metadata().is_ok()
            && let Err(error) = check_directory(&beside)
        {
            faults.push(fault(&format!("{file}.sigs"), &error));
        }
        let mut signatures = Vec::new();
        for name in document::signature_files(&beside)? {
            let (path, file) = (beside.join(&name), format!("{file}.sigs/{}", escaped_name(&name)));
            judge(&file, &path, faults);
            match read_anywhere(&path, cap::SIGNATURE) {
                Err(error) => faults.push(fault(&file, &error)),
                // One that does not fit must not take the others' word away: any file would lift a revocation.
                Ok(signature) => match verify_signature(REVOKE_NAMESPACE, &bytes, &signature) {
                    Ok(_) => signatures.push((file, signature)),
                    Err(error) => {
                        faults.push(Fault::of(&file, error.to_string()).mend("sign again, or remove the file"));
                    }
                },
            }
        }
        match Revocation::parse(&file, &bytes).and_then(|read| read.verify(trust, &signatures, now)) {
            Ok(remembered) => {
                let keys = remembered.keys.into_iter().map(Revoked::Key);
                let targets = keys.chain(remembered.components.into_iter().map(Revoked::Component)).collect();
                revoking.push(Revoking { targets, document: remembered.digest });
            }
            // A revocation that does not count is shown, and stops nothing: else anybody who can write one could.
            Err(wrong) => faults.extend(wrong),
        }
    }
    Ok(revoking)
}
