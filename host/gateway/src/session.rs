//! Sessions of older clients: each belongs to the principal that opened it, and there are only so many.
//!
//! rmcp's sessions belong to nobody: whoever knows an id could speak in it. Here an id that is somebody else's is as unknown as
//! one that does not exist (404, as MCP's Streamable HTTP asks for unknown sessions).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager as _, local::LocalSessionManager};
use tokio_util::sync::CancellationToken;
use wardkeep_audit::ClaimedClient;

use crate::identity::Credential;

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
    /// The ids of requests that are not answered yet, and what each came with.
    asked: HashMap<String, Credential>,
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
    /// Takes a place for one more session of this principal, perhaps that of another session: where all places are taken, whoever has most of them
    /// makes room for who has fewer, and of what they have, what was not heard of for longest. Few could shut out all others else.
    fn take(&mut self, principal: &str) -> Option<Taken> {
        let mut held: HashMap<&str, usize> = HashMap::new();
        for owner in self.of_sessions.values().map(|session| &session.owner).chain(&self.opening) {
            *held.entry(owner).or_default() += 1;
        }
        let own = held.get(principal).copied().unwrap_or(0);
        if own >= MOST_EACH {
            return None;
        }
        let mut pushed_out = None;
        if held.values().sum::<usize>() >= MOST {
            let most = held.values().copied().max().filter(|most| *most > own + 1)?;
            let of_most = |session: &Session| held.get(session.owner.as_str()) == Some(&most);
            let theirs = self.of_sessions.iter().filter(|(_, session)| of_most(session));
            let (id, _) = theirs.min_by_key(|(_, session)| (!session.asked.is_empty(), session.heard))?;
            let id = Arc::clone(id);
            if let Some(session) = self.of_sessions.remove(&id) {
                session.ended.cancel();
            }
            pushed_out = Some(id);
        }
        self.opening.push(principal.to_owned());
        Some(Taken { pushed_out })
    }
}

/// A place for a session.
struct Taken {
    /// Whose place it was: rmcp does not know yet that it has ended.
    pushed_out: Option<SessionId>,
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
            self.close(&abandoned).await;
        }
        let Taken { pushed_out } = self.owners().take(principal)?;
        let opening = Opening { sessions: self, principal: principal.to_owned() };
        if let Some(pushed_out) = pushed_out {
            self.close(&pushed_out).await;
        }
        Some(opening)
    }

    async fn close(&self, session: &SessionId) {
        if let Err(error) = self.manager.close_session(session).await {
            tracing::debug!(%error, "a session did not end cleanly");
        }
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
    pub(crate) fn asking(&self, session: &str, id: String, by: &Credential) -> Option<Arc<Asked>> {
        let mut owners = self.owners();
        let asked = &mut owners.of_sessions.get_mut(session)?.asked;
        if asked.contains_key(&id) {
            return None;
        }
        asked.insert(id.clone(), by.clone());
        Some(Arc::new(Asked { owners: Arc::clone(&self.owners), session: session.to_owned(), id }))
    }

    /// What the requests of this session came with that are not answered yet, besides this.
    pub(crate) fn askers(&self, session: &str, besides: &Credential) -> Vec<Credential> {
        let owners = self.owners();
        let asked = owners.of_sessions.get(session).into_iter().flat_map(|session| session.asked.values());
        asked.filter(|credential| !credential.is(besides)).cloned().collect()
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
        let opened = Session { owner, client, ended, asked: HashMap::new(), heard: Instant::now() };
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

    use wardkeep_model::Digest;

    use super::{CancellationToken, Credential, Duration, LocalSessionManager, MOST, MOST_EACH, Sessions};

    fn key(name: &str) -> Credential {
        Credential::Key(Digest::of(name.as_bytes()))
    }

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
    async fn where_all_places_are_taken_whoever_has_most_makes_room_with_what_was_idle_for_longest() {
        let sessions = sessions();
        let mut opened = Vec::new();
        for n in 0..MOST {
            let (id, transport) = sessions.manager.create_session().await.unwrap();
            let ended = CancellationToken::new();
            let owner = format!("user:{}", n / MOST_EACH);
            sessions.opening(&owner).await.unwrap().opened(&id, None, ended.clone());
            opened.push((id, ended, transport));
        }
        let lost = || opened.iter().position(|(_, ended, _)| ended.is_cancelled());
        // waits for an answer; its client has come again
        let _asked = sessions.asking(&opened[0].0, "1".into(), &key("0"));
        assert!(sessions.belongs_to(&opened[1].0, "user:0"));
        assert!(sessions.opening("user:0").await.is_none(), "nobody makes room for who has most");
        assert_eq!(lost(), None);
        let mine = sessions.opening("user:me").await.expect("a place");
        assert_eq!(lost(), Some(2), "neither what is in use nor what was heard of later");
        assert_eq!(sessions.manager.sessions.read().await.len(), MOST - 1, "rmcp holds it no more either");
        assert!(!sessions.belongs_to(&opened[2].0, "user:0"));
        let (own, _transport) = sessions.manager.create_session().await.unwrap();
        mine.opened(&own, None, CancellationToken::new());
        let mut others = Vec::new();
        for n in 0..40 {
            others.push(sessions.opening(&format!("user:new-{n}")).await.expect("a place for each"));
        }
        assert!(sessions.belongs_to(&own, "user:me"), "it is never who has few");
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
        let asked = sessions.asking(&opened[0].0, "1".into(), &key("me"));
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
        let asked = sessions.asking("one", "7".into(), &key("me")).unwrap();
        let held = Arc::clone(&asked);
        drop(asked);
        assert!(sessions.asking("one", "7".into(), &key("me")).is_none());
        assert!(sessions.asking("two", "7".into(), &key("me")).is_some(), "ids are a session's own");
        assert!(sessions.asking("one", "\"7\"".into(), &key("me")).is_some(), "a number is no string");
        drop(held);
        assert!(sessions.asking("one", "7".into(), &key("me")).is_some());
        assert!(sessions.asking("three", "7".into(), &key("me")).is_none(), "no such session");
    }

    #[tokio::test]
    async fn who_else_waits_for_answers_in_a_session_is_known_until_they_are_answered() {
        let sessions = sessions();
        sessions.opening("user:me").await.unwrap().opened("one", None, CancellationToken::new());
        let asked = sessions.asking("one", "7".into(), &key("me")).unwrap();
        assert!(sessions.askers("one", &key("me")).is_empty());
        let others = sessions.askers("one", &key("other"));
        assert!(matches!(others.as_slice(), [one] if one.is(&key("me"))), "{others:?}");
        assert!(sessions.askers("two", &key("other")).is_empty(), "no such session");
        drop(asked);
        assert!(sessions.askers("one", &key("other")).is_empty());
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
