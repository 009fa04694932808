//! Sessions of older clients: each belongs to the principal that opened it, and there are only so many.
//!
//! rmcp's sessions belong to nobody: whoever knows an id could speak in it. Here an id that is somebody else's is as unknown as
//! one that does not exist (404, as MCP's Streamable HTTP asks for unknown sessions).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

/// Sessions in all.
const MOST: usize = 1_000;
/// Sessions of one principal.
const MOST_EACH: usize = 100;

pub(crate) struct Sessions {
    manager: Arc<LocalSessionManager>,
    owners: Mutex<HashMap<Arc<str>, String>>,
}

impl Sessions {
    pub(crate) fn new(manager: Arc<LocalSessionManager>) -> Self {
        Self { manager, owners: Mutex::default() }
    }

    pub(crate) fn belongs_to(&self, session: &str, principal: &str) -> bool {
        self.owners().get(session).is_some_and(|owner| owner == principal)
    }

    /// Is there room for one more session of this principal. Sessions that have ended since are forgotten first.
    pub(crate) async fn has_room(&self, principal: &str) -> bool {
        let living = self.manager.sessions.read().await;
        let mut owners = self.owners();
        owners.retain(|session, _| living.contains_key(session));
        owners.len() < MOST && owners.values().filter(|owner| *owner == principal).count() < MOST_EACH
    }

    pub(crate) fn opened(&self, session: &str, principal: &str) {
        self.owners().insert(session.into(), principal.to_owned());
    }

    pub(crate) fn closed(&self, session: &str) {
        self.owners().remove(session);
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, String>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
