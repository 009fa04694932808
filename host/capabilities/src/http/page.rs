//! A public document that the host asks for itself, such as the keys of an issuer: one GET without a credential, under the same rules of
//! addresses and TLS as every request of a guest, over a connection of its own that is not kept.
//!
//! What it is good for is not known here, and nothing of a guest or a client has a part in where it goes.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use tokio::time::timeout;
use url::Url;
use wardkeep_model::Scheme;

use super::{Target, Transport, TransportError, dial::ELSEWHERE, host::canonical};
use crate::{Outside, Reach, secrets::PluginSecrets};

const AGENT: &str = concat!("wardkeep/", env!("CARGO_PKG_VERSION"));

/// Where such a document lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    scheme: Scheme,
    host: String,
    port: u16,
    /// As it stands in the request.
    path_and_query: String,
}

/// Text that is no such place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPage {
    /// Not a URL of a name with a path.
    #[error(
        "write a URL such as \"https://login.example.com/keys\": https, a name or an IPv4 address, no user and no fragment"
    )]
    Shape,
    /// What comes over it could be anybody's word.
    #[error(
        "what comes in the clear may be anybody's word: write https:// (http:// is for tests on this machine only)"
    )]
    Cleartext,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unfetched(Box<Why>);

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Transport(TransportError),
    #[error("{error}\n  mend: if it is meant to, name in `private` of [egress] of wardkeep.toml: {}", networks(.all))]
    Inside { error: TransportError, all: Vec<IpAddr> },
    #[error("no whole answer came in {} s", .0.as_secs())]
    Slow(Duration),
    #[error("it answers with status {0}, and redirects are not followed")]
    Status(StatusCode),
    #[error("`http://` is asked only where `cleartext_to_loopback = true` of [egress] allows it")]
    Cleartext,
    #[error("the request could not be made")]
    Request(#[from] http::Error),
}

impl From<TransportError> for Why {
    fn from(error: TransportError) -> Self {
        match &error {
            // What is another machine cannot be opened to `http://`.
            TransportError::Forbidden { all, what, .. } if *what != ELSEWHERE => {
                Self::Inside { all: all.clone(), error }
            }
            _ => Self::Transport(error),
        }
    }
}

/// As the operator's file writes them.
fn networks(addresses: &[IpAddr]) -> String {
    let nets: Vec<_> = addresses.iter().map(|address| format!("\"{}\"", ipnet::IpNet::from(*address))).collect();
    nets.join(", ")
}

impl<E: Into<Why>> From<E> for Unfetched {
    fn from(why: E) -> Self {
        Self(Box::new(why.into()))
    }
}

impl FromStr for Page {
    type Err = InvalidPage;

    fn from_str(text: &str) -> Result<Self, InvalidPage> {
        let url = Url::parse(text).map_err(|_| InvalidPage::Shape)?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(InvalidPage::Shape),
        };
        let authority = text.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        // the parser takes more for the same than anybody should write
        if authority.is_empty() || authority.contains('@') || url.fragment().is_some() || text.contains(['#', '\\']) {
            return Err(InvalidPage::Shape);
        }
        let host = url.host_str().and_then(|host| canonical(host).ok()).ok_or(InvalidPage::Shape)?;
        let address = host.parse::<std::net::Ipv4Addr>();
        if scheme == Scheme::Http && host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
            return Err(InvalidPage::Cleartext);
        }
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let port = url.port().filter(|port| *port > 0).unwrap_or(scheme.port());
        Ok(Self { scheme, host, port, path_and_query })
    }
}

impl Page {
    /// The machine's name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is asked for in the clear, which only this machine is.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.scheme == Scheme::Http
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path_and_query } = self;
        write!(f, "{}://{host}", scheme.as_str())?;
        if *port != scheme.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(path_and_query)
    }
}

impl Outside {
    /// The document at this place, if it has at most `most` bytes and comes whole within this time. The operator named the place: a
    /// network of `[egress] private` may be reached.
    ///
    /// # Errors
    ///
    /// It was not reached, or answers with another status than 200.
    pub async fn fetch(&self, page: &Page, most: u64, within: Duration) -> Result<Vec<u8>, Unfetched> {
        let shared = self.shared();
        let loopback_only = page.scheme == Scheme::Http;
        if loopback_only && !shared.cleartext_to_loopback {
            return Err(Why::Cleartext.into());
        }
        let target = Target {
            scheme: page.scheme,
            host: page.host.clone(),
            port: page.port,
            private: shared.private.clone(),
            loopback_only,
        };
        let request = Request::builder()
            .method(Method::GET)
            .uri(&page.path_and_query)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, HeaderValue::from_static(AGENT))
            .body(Full::<Bytes>::default())?;
        let reach = Reach {
            transport: Transport::new(shared.network.as_ref()),
            secrets: PluginSecrets::none(),
            shared: Arc::clone(shared),
        };
        let answer = timeout(within, reach.ask(&target, request, most)).await.map_err(|_| Why::Slow(within))??;
        if answer.status() != StatusCode::OK {
            return Err(Why::Status(answer.status()).into());
        }
        Ok(answer.into_body().into())
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::{
        super::tests::{Certificates, Server, options, tls},
        *,
    };
    use crate::OutsideOptions;

    #[test]
    fn a_page_is_a_plain_url_and_in_the_clear_on_this_machine_only() {
        for (text, spelled) in [
            ("https://login.example.com/keys", "https://login.example.com/keys"),
            ("https://Login.Example.com", "https://login.example.com/"),
            ("https://login.example.com:8443/a/../keys?p=b", "https://login.example.com:8443/keys?p=b"),
            ("http://127.0.0.1:9/keys", "http://127.0.0.1:9/keys"),
            ("http://localhost/keys", "http://localhost/keys"),
        ] {
            assert_eq!(text.parse::<Page>().unwrap().to_string(), spelled, "{text}");
        }
        for text in [
            "",
            "keys.json",
            "login.example.com/keys",
            "ftp://login.example.com/keys",
            "https:///keys",
            "https://me@login.example.com/keys",
            "https://me:x@login.example.com/keys",
            "https://@login.example.com/keys",
            "https://login.example.com/keys#a",
            "https://login.example.com\\keys",
            "https://[::1]/keys",
            "https://log%69n.example.com:x/",
        ] {
            assert_eq!(text.parse::<Page>(), Err(InvalidPage::Shape), "{text}");
        }
        for text in ["http://login.example.com/keys", "http://10.0.0.1/keys", "http://localhost.example.com/"] {
            assert_eq!(text.parse::<Page>(), Err(InvalidPage::Cleartext), "{text}");
        }
    }

    async fn serving(certificates: &Certificates) -> Server {
        tls(certificates, &["h2", "http/1.1"], |request| async move {
            let status = if request.uri().path() == "/moved" { 302 } else { 200 };
            let body = Bytes::from(vec![b'x'; 100]);
            Response::builder().status(status).header("location", "/keys").body(Full::new(body)).unwrap()
        })
        .await
    }

    #[tokio::test]
    async fn a_document_comes_whole_from_where_the_operator_says_and_from_nowhere_else() {
        let certificates = Certificates::new();
        let server = serving(&certificates).await;
        let page = |path: &str| format!("https://127.0.0.1:{}{path}", server.address.port()).parse::<Page>().unwrap();
        let outside = Outside::new(options(&certificates)).unwrap();
        let within = Duration::from_secs(20);
        assert_eq!(outside.fetch(&page("/keys"), 100, within).await.unwrap().len(), 100);
        let told = |failed: Unfetched| failed.to_string();
        let beyond = outside.fetch(&page("/keys"), 99, within).await.map_err(told).unwrap_err();
        assert!(beyond.contains("more than 99 bytes"), "{beyond}");
        let moved = outside.fetch(&page("/moved"), 100, within).await.map_err(told).unwrap_err();
        assert!(moved.contains("302"), "{moved}");
        let inside = Outside::new(OutsideOptions { private: vec![], ..options(&certificates) }).unwrap();
        let refused = inside.fetch(&page("/keys"), 100, within).await.map_err(told).unwrap_err();
        assert!(refused.contains("which is loopback"), "{refused}");
        let strangers = Outside::new(OutsideOptions { authorities: vec![], ..options(&certificates) }).unwrap();
        let refused = strangers.fetch(&page("/keys"), 100, within).await.map_err(told).unwrap_err();
        assert!(refused.contains("no TLS"), "{refused}");
        let clear: Page = format!("http://127.0.0.1:{}/keys", server.address.port()).parse().unwrap();
        let refused = outside.fetch(&clear, 100, within).await.map_err(told).unwrap_err();
        assert!(refused.contains("cleartext_to_loopback"), "{refused}");
        let closed = Outside::closed().fetch(&page("/keys"), 100, within).await.map_err(told).unwrap_err();
        assert!(closed.contains("reaches nothing"), "{closed}");
    }
}
