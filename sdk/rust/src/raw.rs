//! The types of `wardkeep:tool/handler@0.1.0` as they cross the boundary, for plugins that [`crate::Plugin`] does not fit: tools that are
//! not known beforehand, answers made elsewhere.
//!
//! ```
//! use wardkeep_sdk::raw::{Completion, Content, Description, Handler, Reply, Request};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn describe() -> Description {
//!         Description { name: "echo".into(), version: "1.0.0".into(), tools: vec![] }
//!     }
//!
//!     fn call(request: Request) -> wardkeep_sdk::Result<Reply> {
//!         let content = vec![Content::Text(request.arguments)];
//!         Ok(Reply::Complete(Completion { content, structured: None, touched: vec![] }))
//!     }
//! }
//!
//! wardkeep_sdk::export_raw!(Echo);
//! ```

pub use crate::bindings::exports::wardkeep::tool::handler::{
    Action, Answer, Ask, Completion, Content, Definition, Description, Effect, Embedded, Failure, FilesAsk,
    Guest as Handler, HttpAsk, Link, Media, Part, Pause, Question, Reply, Request, ResourceBody, Resumption, Retry,
    SecretAsk, UpstreamFailure,
};

impl Ask {
    /// To send requests to a host, by these methods: `Ask::http("api.example.com", [Method::Get], "to read the weather")`.
    #[must_use]
    pub fn http(host: &str, methods: impl IntoIterator<Item = crate::http::Method>, purpose: &str) -> Self {
        let methods = methods.into_iter().map(|method| method.name().into()).collect();
        Self::Http(HttpAsk { host: host.into(), methods, purpose: purpose.into() })
    }

    /// To use a credential, by the name that the plugin gives it.
    #[must_use]
    pub fn secret(name: &str, purpose: &str) -> Self {
        Self::Secret(SecretAsk { name: name.into(), purpose: purpose.into() })
    }

    /// To read in a directory, by the name that the plugin gives it.
    #[must_use]
    pub fn files(root: &str, purpose: &str) -> Self {
        Self::Files(FilesAsk { root: root.into(), write: false, purpose: purpose.into() })
    }

    /// To read and write in a directory.
    #[must_use]
    pub fn files_to_write(root: &str, purpose: &str) -> Self {
        Self::Files(FilesAsk { root: root.into(), write: true, purpose: purpose.into() })
    }

    /// To know the time.
    #[must_use]
    pub fn clock(purpose: &str) -> Self {
        Self::Clock(purpose.into())
    }

    /// To have random numbers.
    #[must_use]
    pub fn random(purpose: &str) -> Self {
        Self::Random(purpose.into())
    }
}
