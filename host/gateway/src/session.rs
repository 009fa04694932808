//! Sessions of older clients: each belongs to the principal that opened it, and there are only so many.
//!
//! rmcp's sessions belong to nobody: whoever knows an id could speak in it. Here an id that is somebody else's is as unknown as
//! one that does not exist (404, as MCP's Streamable HTTP asks for unknown sessions).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager as _, local::LocalSessionManager};
use tokio_util::sync::CancellationToken;
use wardkeep_audit::ClaimedClient;

/// A session that is not used for so long ends: clients go away without a word, and what they leave counts against them.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(5 * 60);
/// Sessions in all.
const MOST: usize = 1_000;
/// Sessions of one principal.
const MOST_EACH: usize = 100;

pub(crate) struct Sessions {
    manager: Arc<LocalSessionManager>,
    owners: Arc<Mutex<Owners>>,
    patience: Duration,
}

struct Session {
    owner: String,
    /// What the client that opened it says of itself.
    client: Option<ClaimedClient>,
    /// Ends what runs in it: rmcp lets it go on for seconds.
    ended: CancellationToken,
    /// The ids of requests that are not answered yet.
    asked: HashSet<String>,
    /// When its client came last. rmcp counts what the host tells it, too: news of lists would keep a session for ever.
    heard: Instant,
}

impl Session {
    fn is_abandoned(&self, patience: Duration) -> bool {
        self.asked.is_empty() && self.heard.elapsed() >= patience
    }
}

#[derive(Default)]
struct Owners {
    of_sessions: HashMap<Arc<str>, Session>,
    /// Who is opening one at this moment: requests that come together must not all find the same last place.
    opening: Vec<String>,
}

impl Owners {
    fn has_room(&self, principal: &str) -> bool {
        let all = || self.of_sessions.values().map(|session| &session.owner).chain(&self.opening);
        all().count() < MOST && all().filter(|owner| *owner == principal).count() < MOST_EACH
    }
}

/// A session's place, from before it is opened until its id is known. Given back when dropped.
pub(crate) struct Opening<'s> {
    sessions: &'s Sessions,
    principal: String,
}

/// An id that is in use, until it is dropped.
pub(crate) struct Asked {
    owners: Arc<Mutex<Owners>>,
    session: String,
    id: String,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = owners.of_sessions.get_mut(self.session.as_str()) {
            session.asked.remove(&self.id);
        }
    }
}

impl Sessions {
    pub(crate) fn new(manager: Arc<LocalSessionManager>) -> Self {
        Self { manager, owners: Arc::default(), patience: KEEP_ALIVE }
    }

    /// Whether this is a session of the principal, whose client comes with a request.
    pub(crate) fn belongs_to(&self, session: &str, principal: &str) -> bool {
        let mut owners = self.owners();
        let own = owners.of_sessions.get_mut(session).filter(|session| session.owner == principal);
        own.map(|session| session.heard = Instant::now()).is_some()
    }

    /// What the client of this session says of itself.
    pub(crate) fn client(&self, session: &str) -> Option<ClaimedClient> {
        self.owners().of_sessions.get(session)?.client.clone()
    }

    /// A place for one more session of this principal, if there is room. Sessions that have ended since are forgotten first, and those whose
    /// clients have gone away without a word end.
    pub(crate) async fn opening(&self, principal: &str) -> Option<Opening<'_>> {
        for abandoned in self.abandoned().await {
            if let Err(error) = self.manager.close_session(&abandoned).await {
                tracing::debug!(%error, "an abandoned session did not end cleanly");
            }
        }
        let mut owners = self.owners();
        if !owners.has_room(principal) {
            return None;
        }
        owners.opening.push(principal.to_owned());
        Some(Opening { sessions: self, principal: principal.to_owned() })
    }

    /// Takes out what has ended and what was abandoned; the latter is given, to be ended.
    async fn abandoned(&self) -> Vec<SessionId> {
        let living = self.manager.sessions.read().await;
        let mut abandoned = Vec::new();
        self.owners().of_sessions.retain(|id, session| {
            let lives = living.contains_key(id);
            let stays = lives && !session.is_abandoned(self.patience);
            if !stays {
                session.ended.cancel();
            }
            if lives && !stays {
                abandoned.push(Arc::clone(id));
            }
            stays
        });
        abandoned
    }

    /// Takes an id for a request of this session, unless one that is not answered yet has it: rmcp would send the answer of either to
    /// the later, and keep a place for the earlier as long as the session lives.
    pub(crate) fn asking(&self, session: &str, id: String) -> Option<Arc<Asked>> {
        let mut owners = self.owners();
        if !owners.of_sessions.get_mut(session)?.asked.insert(id.clone()) {
            return None;
        }
        Some(Arc::new(Asked { owners: Arc::clone(&self.owners), session: session.to_owned(), id }))
    }

    /// Its client has ended it: so does what runs in it.
    pub(crate) fn closed(&self, session: &str) {
        let closed = self.owners().of_sessions.remove(session);
        if let Some(session) = closed {
            session.ended.cancel();
        }
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening<'_> {
    /// It is open under this id.
    pub(crate) fn opened(self, session: &str, client: Option<ClaimedClient>, ended: CancellationToken) {
        let owner = self.principal.clone();
        let opened = Session { owner, client, ended, asked: HashSet::new(), heard: Instant::now() };
        self.sessions.owners().of_sessions.insert(session.into(), opened);
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

    use rmcp::transport::streamable_http_server::session::SessionManager as _;

    use super::{CancellationToken, Duration, LocalSessionManager, MOST, MOST_EACH, Sessions};

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
        let ended = CancellationToken::new();
        sessions.opening("user:me").await.unwrap().opened("id", None, ended.clone());
        assert!(sessions.belongs_to("id", "user:me") && !sessions.belongs_to("id", "user:you"));
        drop(sessions.opening("user:me").await);
        assert!(!sessions.belongs_to("id", "user:me"));
        assert!(ended.is_cancelled(), "and what ran in it is ended");
    }

    #[tokio::test]
    async fn a_session_whose_client_has_gone_away_makes_room_and_one_that_is_in_use_stays() {
        let mut sessions = sessions();
        sessions.patience = Duration::from_millis(50);
        let mut opened = Vec::new();
        for _ in 0..3 {
            // rmcp's own, which any news of lists keeps alive
            let (id, transport) = sessions.manager.create_session().await.unwrap();
            let ended = CancellationToken::new();
            sessions.opening("user:me").await.unwrap().opened(&id, None, ended.clone());
            opened.push((id, ended, transport));
        }
        let asked = sessions.asking(&opened[0].0, "1".into());
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(sessions.belongs_to(&opened[1].0, "user:me"), "its client comes again");
        drop(sessions.opening("user:me").await);
        let ended: Vec<_> = opened.iter().map(|(_, ended, _)| ended.is_cancelled()).collect();
        assert_eq!(ended, [false, false, true], "one waits for an answer, one was heard of, one is gone");
        let living = sessions.manager.sessions.read().await.len();
        assert_eq!(living, 2, "rmcp holds it no more either");
        drop(asked);
    }

    #[tokio::test]
    async fn an_id_is_in_use_until_the_last_who_holds_it_lets_go() {
        let sessions = sessions();
        let opening = [sessions.opening("user:me").await.unwrap(), sessions.opening("user:me").await.unwrap()];
        for (opening, session) in opening.into_iter().zip(["one", "two"]) {
            opening.opened(session, None, CancellationToken::new());
        }
        let asked = sessions.asking("one", "7".into()).unwrap();
        let held = Arc::clone(&asked);
        drop(asked);
        assert!(sessions.asking("one", "7".into()).is_none());
        assert!(sessions.asking("two", "7".into()).is_some(), "ids are a session's own");
        assert!(sessions.asking("one", "\"7\"".into()).is_some(), "a number is no string");
        drop(held);
        assert!(sessions.asking("one", "7".into()).is_some());
        assert!(sessions.asking("three", "7".into()).is_none(), "no such session");
    }

    #[tokio::test]
    async fn closing_a_session_ends_what_runs_in_it() {
        let (sessions, ended) = (sessions(), CancellationToken::new());
        sessions.opening("user:me").await.unwrap().opened("id", None, ended.clone());
        sessions.closed("other");
        assert!(!ended.is_cancelled());
        sessions.closed("id");
        assert!(ended.is_cancelled() && !sessions.belongs_to("id", "user:me"));
    }
}
