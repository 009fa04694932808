//! An issuer's keys over time: had when they are first needed, looked at again now and then, and asked for when a token names one that is
//! not known; never more often than once in a while, and by one asker at a time.
//!
//! The attacks: tokens with made-up key ids, which must not make this host hammer its issuer nor hold its callers; whoever hangs up in the
//! middle, who must not end what others wait for; an issuer that is slow, down or talks nonsense, which must take nobody away who was let
//! in by keys that are good; and a key that was taken back, which must not live on in what was verified with it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use wardkeep_model::{Digest, shown};

use super::{
    claims::IssuerTerms,
    keys::{Key, KeySet},
    token::{BadToken, Token},
};

/// No look takes longer, and no caller waits longer for one.
const LONGEST_LOOK: Duration = Duration::from_secs(6);

/// Where an issuer's keys come from.
pub trait KeySource: Send + Sync {
    /// The set as it is there now, in bounded time and of bounded length.
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>>;

    /// How often it may be asked.
    fn pace(&self) -> Pace;

    /// For people: where it is.
    fn place(&self) -> String;
}

/// How often keys are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks, whatever tokens come.
    pub least: Duration,
    /// Older keys are looked at again, while they serve on.
    pub fresh: Duration,
    /// Older keys serve nobody before they were looked at again; if that fails, they do.
    pub stale: Duration,
}

impl Pace {
    /// For what is asked over the network.
    pub const WEB: Self = Self {
        least: Duration::from_secs(30),
        fresh: Duration::from_secs(5 * 60),
        stale: Duration::from_secs(15 * 60),
    };
    /// For a file of this machine.
    pub const FILE: Self =
        Self { least: Duration::from_secs(1), fresh: Duration::from_secs(2), stale: Duration::from_secs(10) };
}

/// One issuer: what the operator says of it, and its keys.
pub(crate) struct Issuer {
    pub(crate) terms: IssuerTerms,
    source: Arc<dyn KeySource>,
    keys: ArcSwap<Had>,
    looks: Mutex<Looks>,
}

/// Keys, and when they were had last.
struct Had {
    keys: KeySet,
    /// Nothing: they never were.
    at: Option<Instant>,
}

/// Why keys are looked at. Each has its own pace: a look that happens to be made anyway must not put off the one that a new key needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// They are not fresh.
    Age,
    /// A token names one that is not among them.
    Unknown,
}

#[derive(Default)]
struct Looks {
    /// When the last look for age, and the last for an unknown key, began.
    begun: [Option<Instant>; 2],
    /// Of the one that goes on; it closes at its end, whatever that is.
    going_on: Option<watch::Receiver<()>>,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// Ends the look that it stands for, also when its task does not come to its end.
struct Looking(Arc<Issuer>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.looks().going_on = None;
    }
}

impl Issuer {
    pub(crate) fn new(terms: IssuerTerms, source: Arc<dyn KeySource>) -> Arc<Self> {
        let keys = ArcSwap::from_pointee(Had { keys: KeySet::default(), at: None });
        Arc::new(Self { terms, source, keys, looks: Mutex::default() })
    }

    /// The key that a token says it is signed with. A key that is not known is asked for, if it may be asked for now.
    pub(crate) async fn key(self: &Arc<Self>, token: &Token<'_>) -> Result<Key, BadToken> {
        self.settled().await;
        // once for a look that began before the token came, and may have missed its key
        for why in [None, Some(Why::Unknown)] {
            match self.keys.load().keys.of(token) {
                Err(BadToken::UnknownKey) => {}
                found => return found.cloned(),
            }
            let look = match why {
                None => self.looks().going_on.clone(),
                // the first keys are not what a token of a stranger had fetched
                Some(_) if self.keys.load().at.is_none() => self.begin(Why::Age).or_else(|| self.begin(Why::Unknown)),
                Some(why) => self.begin(why),
            };
            ended(look).await;
        }
        self.keys.load().keys.of(token).cloned()
    }

    /// Whether the issuer stands by this key now.
    pub(crate) async fn stands_by(self: &Arc<Self>, key: Digest) -> bool {
        self.settled().await;
        self.holds(key)
    }

    /// The same by the keys that are there, without a look.
    pub(crate) fn holds(&self, key: Digest) -> bool {
        self.keys.load().keys.holds(key)
    }

    /// Begins to have the keys before the first token comes.
    pub(crate) fn warm(self: &Arc<Self>) {
        drop(self.begin(Why::Age));
    }

    /// Keys that are fresh, or will be soon. Only where nobody has asked for them for long are they waited for: somebody may have been taken
    /// back meanwhile. An issuer that is down holds nobody up.
    async fn settled(self: &Arc<Self>) {
        let Some(at) = self.keys.load().at else { return };
        let pace = self.source.pace();
        if at.elapsed() <= pace.fresh {
            return;
        }
        let forgotten = self.looks().begun.iter().flatten().all(|begun| begun.elapsed() > pace.stale);
        let look = self.begin(Why::Age);
        if forgotten {
            ended(look).await;
        }
    }

    /// The look that goes on, or a new one if it is time. In a task of its own: who asked may hang up.
    fn begin(self: &Arc<Self>, why: Why) -> Option<watch::Receiver<()>> {
        let mut looks = self.looks();
        if let Some(going_on) = &looks.going_on {
            return Some(going_on.clone());
        }
        let [age, unknown] = &mut looks.begun;
        let begun = if why == Why::Age { age } else { unknown };
        if begun.is_some_and(|begun| begun.elapsed() < self.source.pace().least) {
            return None;
        }
        *begun = Some(Instant::now());
        let (until_the_end, going_on) = watch::channel(());
        looks.going_on = Some(going_on.clone());
        drop(looks);
        let looking = Looking(Arc::clone(self));
        tokio::spawn(async move {
            looking.0.fetch().await;
            drop(looking);
            drop(until_the_end);
        });
        Some(going_on)
    }

    /// Has the keys, and puts them in place whole. What cannot be had or read changes nothing.
    async fn fetch(&self) {
        let (issuer, place) = (&self.terms.name, self.source.place());
        let fetched = timeout(LONGEST_LOOK, self.source.fetch());
        let bytes = match fetched.await.unwrap_or_else(|slow| Err(slow.into())) {
            Ok(bytes) => bytes,
            Err(error) => {
                let kept = self.keys.load().keys.len();
                return tracing::warn!(%issuer, place, kept, "an issuer's keys cannot be had: {}", chain(&*error));
            }
        };
        let (keys, left_out) = match KeySet::parse(&bytes) {
            Ok(read) => read,
            Err(error) => {
                let kept = self.keys.load().keys.len();
                return tracing::warn!(%issuer, place, kept, %error, "what should be an issuer's keys are none");
            }
        };
        for key in left_out {
            tracing::warn!(%issuer, place, kid = key.kid, "a key of an issuer is not used: {}", key.why);
        }
        if keys.len() == 0 {
            tracing::warn!(%issuer, place, "an issuer has no key: its tokens are all refused");
        }
        self.keys.store(Arc::new(Had { keys, at: Some(Instant::now()) }));
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the end of a look.
async fn ended(look: Option<watch::Receiver<()>>) {
    let Some(mut going_on) = look else { return };
    // an error is its end
    while going_on.changed().await.is_ok() {}
}

/// An error with its causes on the one line that the log has for it, what to do about it last.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut texts, mut mends) = (Vec::<String>::new(), Vec::<String>::new());
    for cause in std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string) {
        let (text, mend) = cause.split_once("\n  mend: ").unwrap_or((&cause, ""));
        // what is transparent says what its cause says
        if !texts.iter().any(|told| told == text) {
            texts.push(text.to_owned());
            mends.extend(Some(mend.to_owned()).filter(|mend| !mend.is_empty()));
        }
    }
    let mends: String = mends.iter().map(|mend| format!("; mend: {mend}")).collect();
    shown(&format!("{}{mends}", texts.join(": ")))
}

#[cfg(test)]
mod tests;
