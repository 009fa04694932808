//! An issuer on this machine: its keys over HTTPS, as they are at the moment, and a home whose host takes its tokens.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::{
    bad::Known,
    home::{Home, sha256},
    names::Names,
    signer::{Signer, jwks},
    web::{Answer, Web},
};

/// How clients reach the host, if they are to be believed.
pub const PUBLIC: &str = "https://tools.example.com/mcp";
/// The path of the keys makes no part of the issuer's own name.
pub const NAME: &str = "https://login.example.com/tenant";

pub struct Issuer {
    pub rsa: Signer,
    pub ec: Signer,
    pub ed: Signer,
    pub web: Web,
    names: Names,
    /// What it publishes; nothing while it is down.
    published: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    pub fn start() -> Self {
        let (rsa, ec, ed) = (Signer::rsa("rsa"), Signer::p256("ec"), Signer::ed25519("ed"));
        let published = Arc::new(Mutex::new(Some(jwks([&rsa, &ec, &ed]))));
        let asked = Arc::new(AtomicUsize::new(0));
        let (now, count) = (Arc::clone(&published), Arc::clone(&asked));
        let web = Web::start(&["login.example.com"], move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            match &*now.lock().unwrap() {
                Some(set) => Answer::bytes(200, "application/json", set.clone()),
                None => Answer::status(503),
            }
        });
        Self { rsa, ec, ed, web, names: Names::start(), published, asked }
    }

    /// From now on it publishes these keys.
    pub fn publish<'s>(&self, signers: impl IntoIterator<Item = &'s Signer>) {
        *self.published.lock().unwrap() = Some(jwks(signers));
    }

    pub fn go_down(&self) {
        *self.published.lock().unwrap() = None;
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A home that takes its tokens. The texts are more of `[callers.oauth.corp]` and of `[listen]`.
    pub fn home(&self, oauth: &str, listen: &str) -> Home {
        let home = Home::new();
        home.write("authority.pem", &self.web.authority);
        let root = sha256(&home.read("trust.toml"));
        let more = format!(
            "[egress]\nca = \"authority.pem\"\nprivate = [\"127.0.0.0/8\"]\nname_servers = [\"{}\"]\n\
             [callers.oauth.corp]\nissuer = \"{NAME}\"\njwks = \"https://login.example.com:{}/keys\"\n{oauth}\n",
            self.names.address,
            self.web.address.port(),
        );
        let file = home.operator_file(&root, &more);
        let file = file.replacen("[listen]\n", &format!("[listen]\npublic_url = \"{PUBLIC}\"\n{listen}"), 1);
        home.write("wardkeep.toml", &file);
        home
    }

    pub fn known(&self) -> Known<'_> {
        let now = jiff::Timestamp::now().as_second();
        Known { rsa: &self.rsa, ec: &self.ec, ed: &self.ed, issuer: NAME, audience: PUBLIC, now }
    }

    /// Good claims of a caller of the group `tests`, with these scopes.
    pub fn claims(&self, scope: &str) -> Value {
        let mut claims = self.known().claims();
        claims["sub"] = json!("alice");
        claims["scope"] = json!(scope);
        claims
    }
}
