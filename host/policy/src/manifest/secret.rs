//! The tables `[secrets.<name>]`: where a credential comes from and how the host adds it to a request. The value itself stands in no document.

use std::{collections::BTreeMap, fmt, time::Duration};

use wardkeep_model::{FRAMING, Scheme, SecretName};

use crate::document::{Item, Table, quoted};

use super::{CanonicalPath, HostPattern};

/// What a manifest says of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretTerms {
    /// The name by which grants refer to it and components open it.
    pub name: SecretName,
    /// Where the host finds the value.
    pub source: SourceKey,
    /// What the value is, and what is made of it.
    pub credential: Credential,
    /// Where what is made of it goes.
    pub inject: Inject,
    /// Who rotates it, for people.
    pub rotated_by: Option<String>,
    /// How often it is to be rotated.
    pub every: Option<Duration>,
    /// What fails without it, for people.
    pub if_it_fails: Option<String>,
}

/// A value by the name that the operator's sources know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// Which source.
    pub kind: SourceKind,
    /// The name there.
    pub name: String,
}

/// Where values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A file of the directory that `[sources.file]` of the operator's file names.
    File,
    /// A variable of the host's environment.
    Env,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// It is sent as it is.
    Static,
    /// A client's secret (RFC 6749, 4.4): it is exchanged for access tokens.
    OAuthClient {
        /// The token endpoint.
        token_url: Endpoint,
        /// The client's id.
        client_id: String,
        /// Which scopes to ask for.
        scopes: Vec<String>,
        /// The resource that the token is for (RFC 8707), or what the server calls audience.
        audience: Option<String>,
    },
    /// The private key (PEM) of a GitHub App: it signs for installation tokens.
    GithubApp {
        /// The API's base, such as `https://api.github.com`.
        api: Endpoint,
        /// The App's id or client id.
        app: String,
        /// Which installation.
        installation: u64,
    },
}

/// A URL that the host itself asks, for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `https`; `http` only to a loopback host, where the operator allows it.
    pub scheme: Scheme,
    /// An exact name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, `/` if there is none.
    pub path: CanonicalPath,
}

/// Where a credential goes in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inject {
    /// A header: its name in lower case, and what stands before and after the value.
    Header {
        /// The header's name.
        name: String,
        /// Before the value.
        before: String,
        /// After it.
        after: String,
    },
    /// `Authorization: Basic` with this user and the value as password (RFC 7617).
    Basic {
        /// The user.
        user: String,
    },
    /// A query parameter: it stands in logs of everybody on the way, so it is flagged wherever it is shown.
    Query {
        /// The parameter's name.
        name: String,
    },
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Env => "env",
        })
    }
}

impl fmt::Display for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port != self.scheme.port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(self.path.as_str())
    }
}

impl fmt::Display for Inject {
    /// The place, and never a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, .. } => write!(f, "the header `{name}`"),
            Self::Basic { .. } => f.write_str("the header `authorization` (basic)"),
            Self::Query { name } => write!(f, "the query parameter {}", quoted(name)),
        }
    }
}

/// Secrets with the places where they stand, and the names of those that could not be read.
#[derive(Default)]
pub(super) struct Secrets<'d> {
    pub(super) read: BTreeMap<SecretName, (SecretTerms, Item<'d>)>,
    unread: Vec<SecretName>,
}

impl Secrets<'_> {
    /// Whether there is one of this name, readable or not.
    pub(super) fn names(&self, name: &SecretName) -> bool {
        self.read.contains_key(name) || self.unread.contains(name)
    }
}

/// Reads `[secrets]`.
pub(super) fn read<'d>(table: Table<'d>) -> Secrets<'d> {
    let mut secrets = Secrets::default();
    for (name, item) in table.named() {
        let name = match name.parse::<SecretName>() {
            Ok(name) => name,
            Err(error) => {
                item.fault(format!("{} is not valid here", quoted(name)), Some(&error.to_string()));
                continue;
            }
        };
        match item.table().and_then(|table| one(name.clone(), table)) {
            Some(terms) => drop(secrets.read.insert(name, (terms, item))),
            None => secrets.unread.push(name),
        }
    }
    for ((name, (terms, item)), index) in secrets.read.iter().zip(0..) {
        if let Some((first, _)) = secrets.read.iter().take(index).find(|(_, (known, _))| known.binds_as(terms)) {
            item.fault(format!("`{name}` is the same as `{first}`"), Some("keep one of them"));
        }
    }
    secrets
}

impl SecretTerms {
    /// Whether both put the same value into the same place, whatever people are told of it.
    fn binds_as(&self, other: &Self) -> bool {
        let of = |terms: &Self| (terms.source.clone(), terms.credential.clone(), terms.inject.clone());
        of(self) == of(other)
    }
}

fn one(name: SecretName, mut table: Table<'_>) -> Option<SecretTerms> {
    let source = table.required("source", "source = \"file:NAME\"").and_then(|item| item.read_with(source));
    let (oauth, app) = (table.optional("oauth"), table.optional("github_app"));
    if let (Some(_), Some(second)) = (&oauth, &app) {
        second.fault("a credential is of one kind", Some("keep `oauth` or `github_app`"));
    }
    let exchanged = oauth.is_some() || app.is_some();
    let credential = match (oauth, app) {
        (Some(item), _) => item.table().and_then(self::oauth),
        (None, Some(item)) => item.table().and_then(github_app),
        (None, None) => Some(Credential::Static),
    };
    let example = "inject = { header = \"authorization\", format = \"Bearer {}\" }";
    let inject = if exchanged && !table.holds("inject") {
        let header = |name: &str, before: &str| Inject::Header {
            name: name.into(),
            before: before.into(),
            after: String::new(),
        };
        Some(header("authorization", "Bearer "))
    } else {
        table.required("inject", example).and_then(|item| inject(&item))
    };
    let words = |item: Option<Item<'_>>, most| item.and_then(|item| item.line_of_text(1..=most)).map(str::to_owned);
    let rotated_by = words(table.optional("rotated_by"), 200);
    let every = table.optional("every").and_then(|item| item.duration());
    let if_it_fails = words(table.optional("if_it_fails"), 500);
    drop(table);
    Some(SecretTerms {
        name,
        source: source?,
        credential: credential?,
        inject: inject?,
        rotated_by,
        every,
        if_it_fails,
    })
}

fn source(text: &str) -> Result<SourceKey, &'static str> {
    let (kind, name) = text.split_once(':').unwrap_or_default();
    let plain = |extra: &[u8]| {
        (1..=100).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
            && !name.starts_with(['.', '-'])
    };
    let kind = match kind {
        "file" if plain(b"-_.") => SourceKind::File,
        "env" if plain(b"_") => SourceKind::Env,
        _ => {
            return Err(
                "a source is \"file:NAME\", a plain file name of letters, digits, `.`, `-` and `_`, or \"env:NAME\", a variable",
            );
        }
    };
    Ok(SourceKey { kind, name: name.into() })
}

fn inject(item: &Item<'_>) -> Option<Inject> {
    let mut table = item.table()?;
    let (header, basic, query) = (table.optional("header"), table.optional("basic"), table.optional("query"));
    let format = table.optional("format");
    drop(table);
    if let (None, Some(format)) = (&header, &format) {
        format.fault("only a header has a format", Some("remove it"));
    }
    match (header, basic, query) {
        (Some(header), None, None) => {
            let name = header.read_with(header_name);
            let (before, after) = format.map_or(Some(("", "")), |item| item.read_with(halves))?;
            Some(Inject::Header { name: name?, before: before.into(), after: after.into() })
        }
        (None, Some(basic), None) => {
            let user = basic.line_of_text(0..=200)?;
            if user.contains(':') {
                basic.fault("a user of basic authentication holds no `:` (RFC 7617)", Some("remove it"));
                return None;
            }
            Some(Inject::Basic { user: user.into() })
        }
        (None, None, Some(query)) => Some(Inject::Query { name: query.line_of_text(1..=100)?.into() }),
        (None, None, None) => {
            item.fault(
                "says one of `header`, `basic` and `query`",
                Some("inject = { header = \"authorization\", format = \"Bearer {}\" }"),
            );
            None
        }
        (header, basic, query) => {
            let given = [("header", header), ("basic", basic), ("query", query)];
            let given: Vec<_> =
                given.into_iter().filter_map(|(name, item)| item.map(|_| format!("`{name}`"))).collect();
            let all = if given.len() == 2 { "both" } else { "all" };
            item.fault(format!("{} are {all} given", given.join(" and ")), Some("keep one"));
            None
        }
    }
}

fn halves(text: &str) -> Result<(&str, &str), &'static str> {
    let (before, after) = text.split_once("{}").ok_or("must hold {} once, where the value goes")?;
    let plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if after.contains("{}") || text.len() > 200 || !plain(before) || !plain(after) {
        return Err("must hold {} once, and besides it visible ASCII and spaces, 200 bytes at most");
    }
    Ok((before, after))
}

/// A token (RFC 9110, 5.6.2), and none that frames a message or belongs to the connection.
fn header_name(text: &str) -> Result<String, &'static str> {
    let name = text.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let of_the_body = ["content-type", "content-encoding", "range"];
    // Some servers take `_` for `-`.
    let plain = name.replace('_', "-");
    // What makes a server take the request for another one.
    let other = plain.contains("method-override")
        || ["proxy-", "x-forwarded-", "x-original-", "x-rewrite-", "x-http-method"]
            .iter()
            .any(|known| plain.starts_with(known));
    if !(1..=64).contains(&name.len()) || !name.bytes().all(token) {
        return Err("a header's name, such as \"authorization\"");
    }
    if FRAMING.contains(&plain.as_str()) || of_the_body.contains(&plain.as_str()) || other {
        return Err(
            "this header says what the request is or belongs to the connection; a credential goes into another one, such as \
             \"authorization\"",
        );
    }
    Ok(name)
}

fn oauth(mut table: Table<'_>) -> Option<Credential> {
    let token_url = table
        .required("token_url", "token_url = \"https://auth.example.com/token\"")
        .and_then(|item| item.read_with(endpoint));
    let client_id = table.required("client_id", "client_id = \"wardkeep\"").and_then(|item| item.line_of_text(1..=200));
    let scopes = table.optional("scopes").map_or(Some(Vec::new()), |item| item.list_of(|item| item.read_with(scope)));
    let audience = table.optional("audience").and_then(|item| item.line_of_text(1..=500)).map(str::to_owned);
    drop(table);
    Some(Credential::OAuthClient { token_url: token_url?, client_id: client_id?.into(), scopes: scopes?, audience })
}

/// RFC 6749, 3.3.
fn scope(text: &str) -> Result<String, &'static str> {
    let fits =
        (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    if fits { Ok(text.into()) } else { Err("a scope is visible ASCII without `\"`, `\\` and spaces (RFC 6749, 3.3)") }
}

fn github_app(mut table: Table<'_>) -> Option<Credential> {
    let api =
        table.optional("api").map_or_else(|| endpoint("https://api.github.com").ok(), |item| item.read_with(endpoint));
    let app =
        table.required("app", "app = \"12345\", the App's id or client id").and_then(|item| item.line_of_text(1..=100));
    let installation = table.required("installation", "installation = 678").and_then(|item| item.whole(1..=u64::MAX));
    drop(table);
    Some(Credential::GithubApp { api: api?, app: app?.into(), installation: installation? })
}

fn endpoint(text: &str) -> Result<Endpoint, &'static str> {
    const SHAPE: &str = "an endpoint is a URL such as \"https://auth.example.com/token\": a host in lower case, without user, query and fragment";
    let (scheme, rest) = text.split_once("://").ok_or(SHAPE)?;
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(SHAPE),
    };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at).ok_or(SHAPE)?;
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(SHAPE)?),
        None => (authority, scheme.port()),
    };
    match host.parse::<HostPattern>() {
        Ok(HostPattern::Exact(host)) => {
            let address = host.parse::<std::net::Ipv4Addr>();
            if scheme == Scheme::Http && host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
                return Err("a credential is sent in the clear to a loopback host only, for tests; write https://");
            }
            let path = if path.is_empty() { "/" } else { path };
            Ok(Endpoint { scheme, host, port, path: path.parse().map_err(|_| SHAPE)? })
        }
        _ => Err(SHAPE),
    }
}
