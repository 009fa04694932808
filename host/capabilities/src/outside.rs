//! What the operator allows of the world outside, for all plugins; and what each plugin has of it for itself: its connections and its secrets.
//!
//! It grants nothing: a request leaves only where the running tool's grants say so, and here stands what such a grant needs besides.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use wardkeep_model::PluginName;

use crate::{
    http::{Network, NetworkError, Transport},
    secrets::{NoSources, PluginSecrets, SecretSources},
};

/// What the operator says of the world outside.
#[derive(Debug)]
pub struct OutsideOptions {
    /// Certificates of the operator's own authorities, besides those that the Web trusts.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Networks that are not public and that grants may name.
    pub private: Vec<IpNet>,
    /// Where names are asked for; empty: where the system asks.
    pub name_servers: Vec<SocketAddr>,
    /// Whether a credential may go in the clear to a loopback address: for tests.
    pub cleartext_to_loopback: bool,
    /// Where values of secrets are read.
    pub sources: Arc<dyn SecretSources>,
}

impl Default for OutsideOptions {
    fn default() -> Self {
        Self {
            authorities: Vec::new(),
            private: Vec::new(),
            name_servers: Vec::new(),
            cleartext_to_loopback: false,
            sources: Arc::new(NoSources),
        }
    }
}

/// The world outside, as far as the operator lets it be reached. A clone is the same one.
#[derive(Clone)]
pub struct Outside(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// As long as somebody holds them: a plugin that is gone leaves nothing open.
    reaches: Mutex<BTreeMap<PluginName, Weak<Reach>>>,
}

/// What all plugins have in common, and none can change.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) private: Vec<IpNet>,
    pub(crate) cleartext_to_loopback: bool,
    /// None: nothing is reached.
    pub(crate) network: Option<Network>,
    pub(crate) sources: Arc<dyn SecretSources>,
}

/// The operator's terms cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// An authority's certificate is none.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outside").field(&self.0.shared).finish()
    }
}

impl Outside {
    /// Reaches nothing, and knows no sources.
    #[must_use]
    pub fn closed() -> Self {
        Self::of(OutsideOptions::default(), None)
    }

    /// As the operator says.
    ///
    /// # Errors
    ///
    /// The operator's terms cannot be used.
    pub fn new(options: OutsideOptions) -> Result<Self, OutsideError> {
        let network = Network::new(&options.authorities, &options.name_servers)?;
        Ok(Self::of(options, Some(network)))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    fn of(options: OutsideOptions, network: Option<Network>) -> Self {
        let OutsideOptions { private, cleartext_to_loopback, sources, .. } = options;
        let shared = Arc::new(Shared { private, cleartext_to_loopback, network, sources });
        Self(Arc::new(Inner { shared, reaches: Mutex::default() }))
    }

    /// What this plugin has of it: the same for all its calls, and never another plugin's.
    #[must_use]
    pub fn plugin(&self, plugin: &PluginName) -> Arc<Reach> {
        let mut reaches = self.0.reaches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reach) = reaches.get(plugin).and_then(Weak::upgrade) {
            return reach;
        }
        reaches.retain(|_, reach| reach.strong_count() > 0);
        let reach = Arc::new(Reach::new(plugin, &self.0.shared));
        reaches.insert(plugin.clone(), Arc::downgrade(&reach));
        reach
    }
}

/// What one plugin has of the world outside: its own connections and its own secrets.
#[derive(Debug)]
pub struct Reach {
    pub(crate) shared: Arc<Shared>,
    pub(crate) transport: Transport,
    pub(crate) secrets: PluginSecrets,
}

impl Reach {
    /// What a component has of it that describes itself.
    pub(crate) fn nothing() -> Self {
        let shared =
            Shared { private: Vec::new(), cleartext_to_loopback: false, network: None, sources: Arc::new(NoSources) };
        Self { transport: Transport::new(None), secrets: PluginSecrets::none(), shared: Arc::new(shared) }
    }

    fn new(plugin: &PluginName, shared: &Arc<Shared>) -> Self {
        Self {
            transport: Transport::new(shared.network.as_ref()),
            secrets: PluginSecrets::new(plugin, &shared.sources),
            shared: Arc::clone(shared),
        }
    }
}
