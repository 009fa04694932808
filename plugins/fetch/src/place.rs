//! What a URL names: a host, a path and a query. Scheme and port are not the guest's to choose: they are the grant's.

use std::fmt;

use url::{Position, Url};
use wardkeep_sdk::{
    Failure, Result,
    http::{self, Request},
};

/// Bytes of a URL.
const LONGEST: usize = 8 << 10;
/// Bytes of an id in the audit log.
const ID: usize = 256;

/// Where a page is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place(Url);

impl Place {
    /// Reads what somebody gave.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST {
            return Err(Failure::invalid_arguments(format!("the URL has more than {LONGEST} bytes")));
        }
        let url = Url::parse(text.trim())
            .map_err(|error| Failure::invalid_arguments(format!("this is no URL ({error}): begin with `https://`")))?;
        Self::checked(url).map_err(Failure::invalid_arguments)
    }

    /// Where a redirect leads.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, String> {
        if location.len() > LONGEST {
            return Err(format!("a URL of more than {LONGEST} bytes"));
        }
        let url = self.0.join(location).map_err(|error| format!("what is no URL ({error})"))?;
        Self::checked(url)
    }

    fn checked(mut url: Url) -> Result<Self, String> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(format!(
                "a URL of the scheme `{}`, which this tool does not read: it reads `https`",
                url.scheme()
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL with a user or password in it: credentials are the administrator's to grant".into());
        }
        // A port that is the scheme's own is not kept by the parser.
        if let Some(port) = url.port() {
            return Err(format!(
                "a URL with the port {port}: leave it out, the port is the one of the administrator's grant"
            ));
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// For links in the page.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// A request for it. What a parser of URLs leaves as it is and the host wants encoded is encoded here.
    pub(crate) fn get(&self) -> Request<'static> {
        let path: String = self.0.path().chars().fold(String::new(), |mut path, letter| {
            match letter {
                '^' => path.push_str("%5E"),
                '|' => path.push_str("%7C"),
                '{' => path.push_str("%7B"),
                '}' => path.push_str("%7D"),
                other => path.push(other),
            }
            path
        });
        let host = self.0.host_str().unwrap_or_default().trim_end_matches('.');
        let request = http::get(host, path);
        self.0.query_pairs().fold(request, |request, (name, value)| request.query(name, value))
    }

    /// For the audit log: without the query, which may hold what is nobody's business.
    pub(crate) fn id(&self) -> String {
        // Of ASCII, so that it can be cut anywhere.
        let mut id = self.0[..Position::AfterPath].to_owned();
        id.truncate(ID);
        id
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
