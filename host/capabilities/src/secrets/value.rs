//! A value that has passed the rules of the place where the manifest puts it. Nothing here can be shown.

use http::HeaderValue;
use jsonwebtoken::EncodingKey;
use secrecy::{ExposeSecret as _, SecretSlice};
use wardkeep_policy::{
    SecretTerms,
    manifest::{Credential, Inject},
};
use zeroize::Zeroizing;

use super::{Reading, SourceError};

/// The value of one secret, at one time.
pub(crate) struct Value {
    bytes: SecretSlice<u8>,
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}

impl Value {
    /// The value, if it may stand where it goes.
    pub(crate) fn of(terms: &SecretTerms, reading: Reading) -> Result<Self, SourceError> {
        check(terms, reading.value.expose_secret())?;
        Ok(Self { bytes: reading.value })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    /// As text. Empty for bytes that are none, which no value is that has passed.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }
}

/// Whether what was read could be used as the manifest says.
///
/// # Errors
///
/// Why it could not.
pub fn examine(terms: &SecretTerms, reading: &Reading) -> Result<(), SourceError> {
    check(terms, reading.value.expose_secret())
}

fn check(terms: &SecretTerms, value: &[u8]) -> Result<(), SourceError> {
    let line = |value: &[u8], unfit| match std::str::from_utf8(value) {
        Ok(text) if !text.contains(char::is_control) => Ok(()),
        _ => Err(SourceError::Unfit(unfit)),
    };
    match (&terms.credential, &terms.inject) {
        (Credential::Static, Inject::Header { .. }) => in_header(value),
        (Credential::Static, Inject::Basic { .. }) => line(value, "in a password (control characters, or no UTF-8)"),
        (Credential::Static, Inject::Query { .. }) => line(value, "in a query (control characters, or no UTF-8)"),
        (Credential::OAuthClient { .. }, _) => line(value, "in a client secret (control characters, or no UTF-8)"),
        (Credential::GithubApp { .. }, _) => EncodingKey::from_rsa_pem(value).map(drop).map_err(|_| SourceError::NoKey),
    }
}

/// Visible ASCII, blanks inside only (RFC 9110, 5.5, without what is obsolete there).
pub(crate) fn in_header(value: &[u8]) -> Result<(), SourceError> {
    let fits = value.iter().all(|byte| (b' '..=b'~').contains(byte))
        && value.first().is_some_and(|byte| *byte != b' ')
        && value.last().is_some_and(|byte| *byte != b' ');
    let unfit = SourceError::Unfit("in a header (anything but visible ASCII, or a blank or a second line at its end)");
    if fits { Ok(()) } else { Err(unfit) }
}

/// A header's value that is hidden from logs and from compression's tables.
pub(crate) fn header(before: &str, value: &str, after: &str) -> Option<HeaderValue> {
    let whole = Zeroizing::new(format!("{before}{value}{after}"));
    let mut header = HeaderValue::from_str(&whole).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use wardkeep_policy::manifest::{SourceKey, SourceKind};

    use super::*;

    /// A value that is used as it is.
    pub(in crate::secrets) fn value(text: &str) -> Arc<Value> {
        Arc::new(Value { bytes: SecretSlice::from(text.as_bytes().to_vec()) })
    }

    /// Terms of a secret `s` from the file `s`.
    pub(in crate::secrets) fn terms(credential: Credential, inject: Inject) -> Arc<SecretTerms> {
        Arc::new(SecretTerms {
            name: "s".parse().unwrap(),
            source: SourceKey { kind: SourceKind::File, name: "s".into() },
            credential,
            inject,
            rotated_by: None,
            every: None,
            if_it_fails: None,
        })
    }

    pub(in crate::secrets) fn bearer() -> Inject {
        Inject::Header { name: "authorization".into(), before: "Bearer ".into(), after: String::new() }
    }

    #[test]
    fn a_value_fits_where_it_goes_or_is_refused() {
        let fits = |inject: Inject, value: &[u8]| check(&terms(Credential::Static, inject), value).is_ok();
        for bad in [
            &b"two\nlines-in-it"[..],
            b"blank-at-end ",
            b" blank-before",
            b"b\xc3\xa4yond-ascii",
            b"nul-\0-inside",
            b"cr-\r-inside",
        ] {
            assert!(!fits(bearer(), bad), "{bad:?}");
        }
        assert!(fits(bearer(), b"ghp_0123456789~!\"\\ {}"));
        let (basic, query) = (Inject::Basic { user: "u".into() }, Inject::Query { name: "key".into() });
        for inject in [basic, query] {
            assert!(fits(inject.clone(), "pässword ".as_bytes()));
            assert!(!fits(inject.clone(), b"two\nlines-in-it") && !fits(inject, b"no\xff\xffutf-8"));
        }
    }
}
