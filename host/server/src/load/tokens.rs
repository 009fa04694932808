//! What access tokens are held against, and what it was made from: a reload that changes nothing of that keeps the issuers' keys and the
//! tokens that were verified.

use std::{
    error::Error,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::task::spawn_blocking;
use wardkeep_gateway::{IssuerTerms, KeySource, OAuth, Pace, UsableKeys};
use wardkeep_policy::{Fault, Faults};
use wardkeep_sandbox::{Outside, Page};

use crate::{
    config::{Config, Issuer, Jwks},
    home::{self, read_file},
    screen::{Told as _, chain},
};

use super::World;

/// Bytes of a set of keys.
const KEYS: u64 = 256 << 10;
/// How long having one may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Issuers and their keys.
#[derive(Clone)]
pub(crate) struct Tokens {
    oauth: Arc<OAuth>,
    made_from: (Option<String>, Vec<Issuer>, World),
}

impl Tokens {
    /// Made anew: no keys are there yet.
    pub(super) fn new(config: &Config, world: &World) -> Self {
        let source = |issuer: &Issuer| -> Arc<dyn KeySource> {
            match &issuer.keys {
                Jwks::File(path) => Arc::new(KeyFile(path.clone())),
                Jwks::Page(page) => Arc::new(KeyPage { outside: world.outside.clone(), page: page.clone() }),
            }
        };
        let resource = config.listen.public_url.clone();
        let issuers = config.issuers.iter().map(|issuer| (issuer.terms.clone(), source(issuer))).collect();
        let oauth = OAuth::new(resource.clone().unwrap_or_default(), issuers);
        Self { oauth: Arc::new(oauth), made_from: (resource, config.issuers.clone(), world.clone()) }
    }

    /// Those that there were before, if these would be the same.
    pub(super) fn or(self, before: &Self) -> Self {
        let ((resource, issuers, world), (other, others, old)) = (&self.made_from, &before.made_from);
        if resource == other && issuers == others && world.is(old) { before.clone() } else { self }
    }

    pub(super) fn oauth(&self) -> Arc<OAuth> {
        Arc::clone(&self.oauth)
    }
}

/// What keeps issuers from being used as the operator's file names them, as far as can be known without asking them: pages are asked only
/// while a host serves.
pub(super) fn unusable(config: &Config, faults: &mut Faults) {
    for Issuer { terms, keys } in &config.issuers {
        let (message, mend) = match keys {
            Jwks::File(path) => match usable(path) {
                Ok(UsableKeys { count: 0, .. }) => {
                    let message = format!("`{}` has no key that verifies tokens", path.told());
                    (message, "put the issuer's public keys there".to_owned())
                }
                Ok(_) => continue,
                Err(error) => {
                    let text = chain(error.as_ref());
                    let (message, mend) = text.split_once("\n  mend: ").unwrap_or((&text, "put a JWK Set there"));
                    (message.to_owned(), mend.to_owned())
                }
            },
            Jwks::Page(page) if page.is_clear() && !config.egress.cleartext_to_loopback => (
                format!("`{page}` is in the clear, and is not asked"),
                "write https://, or for a test server on this machine `cleartext_to_loopback = true` into [egress]"
                    .to_owned(),
            ),
            Jwks::Page(_) => continue,
        };
        let mend = format!("{mend}; until then every token of `{}` is refused", terms.name);
        faults.push(at_keys(config, terms, message).mend(mend));
    }
}

/// What is to be known of an issuer's keys, and stops nothing.
pub(crate) fn doubtful(config: &Config) -> Faults {
    let mut warnings = Faults::none();
    for Issuer { terms, keys } in &config.issuers {
        match keys {
            Jwks::File(path) => {
                let left_out = usable(path).map(|keys| keys.left_out).unwrap_or_default();
                warnings.extend(left_out.into_iter().map(|(kid, why)| {
                    at_keys(config, terms, format!("the key `{kid}` of `{}` is not used: {why}", path.told()))
                }));
            }
            Jwks::Page(page) if page.is_clear() => {
                let message = format!("`{page}` is in the clear: whoever answers there says who may call");
                warnings
                    .push(at_keys(config, terms, message).mend("write https://; http:// is for tests on this machine"));
            }
            Jwks::Page(_) => {}
        }
    }
    warnings
}

fn at_keys(config: &Config, terms: &IssuerTerms, message: String) -> Fault {
    let key = format!("callers.oauth.{}.jwks", terms.name);
    Fault::of(home::CONFIG, message).at(config.lines.of_key(&key), &key)
}

fn usable(path: &Path) -> anyhow::Result<UsableKeys> {
    let bytes = read_file(path, KEYS)?;
    UsableKeys::of(&bytes).map_err(|error| anyhow::anyhow!("`{}` is no set of keys: {error}", path.told()))
}

type Fetched<'s> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Box<dyn Error + Send + Sync>>> + Send + 's>>;

/// Keys in a file of this machine, which nobody else may write.
struct KeyFile(PathBuf);

impl KeySource for KeyFile {
    fn fetch(&self) -> Fetched<'_> {
        let path = self.0.clone();
        Box::pin(async move { Ok(spawn_blocking(move || read_file(&path, KEYS)).await??) })
    }

    fn pace(&self) -> Pace {
        Pace::FILE
    }

    fn place(&self) -> String {
        self.0.display().to_string()
    }
}

/// Keys that their issuer publishes.
struct KeyPage {
    outside: Outside,
    page: Page,
}

impl KeySource for KeyPage {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async { Ok(self.outside.fetch(&self.page, KEYS, PATIENCE).await?) })
    }

    fn pace(&self) -> Pace {
        Pace::WEB
    }

    fn place(&self) -> String {
        self.page.to_string()
    }
}
