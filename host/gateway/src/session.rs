//! Sessions of older clients: each belongs to the principal that opened it, and there are only so many.
//!
//! rmcp's sessions belong to nobody: whoever knows an id could speak in it. Here an id that is somebody else's is as unknown as
//! one that does not exist (404, as MCP's Streamable HTTP asks for unknown sessions).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

/// A session that is not used for so long ends: clients go away without a word, and what they leave counts against them.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(5 * 60);
/// Sessions in all.
const MOST: usize = 1_000;
/// Sessions of one principal.
const MOST_EACH: usize = 100;

pub(crate) struct Sessions {
    manager: Arc<LocalSessionManager>,
    owners: Mutex<Owners>,
}

#[derive(Default)]
struct Owners {
    of_sessions: HashMap<Arc<str>, String>,
    /// Who is opening one at this moment: requests that come together must not all find the same last place.
    opening: Vec<String>,
}

impl Owners {
    fn has_room(&self, principal: &str) -> bool {
        let all = || self.of_sessions.values().chain(&self.opening);
        all().count() < MOST && all().filter(|owner| *owner == principal).count() < MOST_EACH
    }
}

/// A session's place, from before it is opened until its id is known. Given back when dropped.
pub(crate) struct Opening<'s> {
    sessions: &'s Sessions,
    principal: String,
}

impl Sessions {
    pub(crate) fn new(manager: Arc<LocalSessionManager>) -> Self {
        Self { manager, owners: Mutex::default() }
    }

    pub(crate) fn belongs_to(&self, session: &str, principal: &str) -> bool {
        self.owners().of_sessions.get(session).is_some_and(|owner| owner == principal)
    }

    /// A place for one more session of this principal, if there is room. Sessions that have ended since are forgotten first.
    pub(crate) async fn opening(&self, principal: &str) -> Option<Opening<'_>> {
        let living = self.manager.sessions.read().await;
        let mut owners = self.owners();
        owners.of_sessions.retain(|session, _| living.contains_key(session));
        if !owners.has_room(principal) {
            return None;
        }
        owners.opening.push(principal.to_owned());
        Some(Opening { sessions: self, principal: principal.to_owned() })
    }

    pub(crate) fn closed(&self, session: &str) {
        self.owners().of_sessions.remove(session);
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening<'_> {
    /// It is open under this id.
    pub(crate) fn opened(self, session: &str) {
        self.sessions.owners().of_sessions.insert(session.into(), self.principal.clone());
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut owners = self.sessions.owners();
        if let Some(at) = owners.opening.iter().position(|principal| *principal == self.principal) {
            owners.opening.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{LocalSessionManager, MOST, MOST_EACH, Sessions};

    fn sessions() -> Sessions {
        Sessions::new(Arc::new(LocalSessionManager::default()))
    }

    #[tokio::test]
    async fn a_principal_opens_so_many_sessions_at_once_and_not_one_more() {
        let sessions = sessions();
        let mut held = Vec::new();
        for _ in 0..MOST_EACH {
            held.push(sessions.opening("user:me").await.unwrap());
        }
        assert!(sessions.opening("user:me").await.is_none());
        assert!(sessions.opening("user:you").await.is_some());
        held.pop();
        assert!(sessions.opening("user:me").await.is_some(), "one that came to nothing makes room");
    }

    #[tokio::test]
    async fn all_together_open_so_many_sessions_and_not_one_more() {
        let sessions = sessions();
        let mut held = Vec::new();
        for n in 0..MOST {
            held.push(sessions.opening(&format!("user:{}", n / MOST_EACH)).await.unwrap());
        }
        assert!(sessions.opening("user:me").await.is_none());
    }

    #[tokio::test]
    async fn a_session_that_rmcp_has_ended_is_forgotten_and_an_id_belongs_to_one_principal() {
        let sessions = sessions();
        sessions.opening("user:me").await.unwrap().opened("id");
        assert!(sessions.belongs_to("id", "user:me") && !sessions.belongs_to("id", "user:you"));
        drop(sessions.opening("user:me").await);
        assert!(!sessions.belongs_to("id", "user:me"));
    }
}
