//! Credentials that can be used and never read: `wardkeep:secrets`. Needs a grant of requests that names the secret, and a table
//! `[secrets.<name>]`.
//!
//! A handle rides along with a request ([`http::Request::secret`](crate::http::Request::secret)); the host adds the value after the component has let go of
//! the request, and only where the manifest binds it. There is no function that gives the value.
//!
//! ```
//! # let _fakes = wardkeep_sdk::fake::Fakes::new().secret("github-ro").install();
//! use wardkeep_sdk::secrets;
//!
//! let secret = secrets::open("github-ro")?;
//! assert_eq!(secret.name(), "github-ro");
//! assert_eq!(secrets::open("another").unwrap_err(), secrets::Error::Denied);
//! # Ok::<(), secrets::Error>(())
//! ```

use std::fmt;

pub use crate::bindings::wardkeep::secrets::store::Error;
use crate::host;

/// A credential by its name.
pub struct Secret(pub(crate) host::Secret);

impl Secret {
    /// The name that it was opened by.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.name()
    }
}

impl fmt::Debug for Secret {
    /// Asks the host for nothing: a handle says no more than what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Opens a credential by the name in the manifest's `[secrets.<name>]`. One host call; one call of a tool uses one value from beginning to end.
///
/// # Errors
///
/// As in the WIT.
pub fn open(name: &str) -> Result<Secret, Error> {
    host::open(name).map(Secret)
}
