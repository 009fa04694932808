//! What access tokens are held against, and what it was made from: a reload that changes nothing of that keeps the issuers' keys and the
//! tokens that were verified.

use std::{error::Error, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use tokio::task::spawn_blocking;
use wardkeep_gateway::{KeySource, OAuth, Pace};
use wardkeep_sandbox::{Outside, Page};

use crate::{
    config::{Config, Issuer, Jwks},
    home::read_file,
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
