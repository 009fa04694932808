//! Why an answer does not leave. The words go to the caller; the class goes on record.

use crate::checks::Unfit;

/// The word for a secret's value in what a plugin says.
pub(crate) const SECRET: &str = "secret";
/// The same for a value that the caller said before.
pub(crate) const ECHOED: &str = "secret-echoed";

/// An answer that is withheld whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejected {
    #[error("the plugin asked a question that its manifest does not allow")]
    AsksNotGranted,
    #[error("the plugin asked a question, and `returns` in its manifest keeps its own words from leaving")]
    AsksHidden,
    #[error("the plugin's answer has no structured part, which `returns` in its manifest needs to filter it")]
    NothingToFilter,
    #[error("the plugin asked what a person may not be asked ({0})")]
    Question(&'static str),
    #[error("the plugin's answer has too many parts")]
    TooManyBlocks,
    #[error("the plugin's structured answer is not a JSON object")]
    NotAnObject,
    #[error("the plugin's structured answer is nested too deep, holds too many values or a key twice")]
    Shape,
    #[error("the plugin's structured answer has a key with characters that hide or deceive")]
    Key,
    #[error("the plugin's answer lacks the structured part that it promises")]
    StructuredMissing,
    #[error("the plugin's structured answer breaks its own schema")]
    Schema,
    #[error("the plugin's structured answer could not be checked in time")]
    Unchecked,
    #[error("the plugin's answer names a media type that is none")]
    MediaType,
    #[error("the plugin's answer names a resource in a way that is no safe URI")]
    Uri,
    #[error("the plugin's answer gives a link a name that is none")]
    Name,
    #[error("the plugin's answer holds a credential")]
    Secret,
    /// One that the caller said itself. It is told the same.
    #[error("the plugin's answer holds a credential")]
    Echoed,
}

impl Rejected {
    /// The word for the record.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::AsksNotGranted => "asks-not-granted",
            Self::AsksHidden => "asks-hidden",
            Self::NothingToFilter => "nothing-to-filter",
            Self::Question(class) => class,
            Self::TooManyBlocks => "too-many-blocks",
            Self::NotAnObject => "structured-not-an-object",
            Self::Shape => "structured-shape",
            Self::Key => "structured-key",
            Self::StructuredMissing => "structured-missing",
            Self::Schema => "output-schema",
            Self::Unchecked => "output-unchecked",
            Self::MediaType => "media-type",
            Self::Uri => "uri",
            Self::Name => "name",
            Self::Secret => SECRET,
            Self::Echoed => ECHOED,
        }
    }
}

/// What a mismatch says quotes the answer: the caller does not learn it, since the answer is withheld.
impl From<Unfit> for Rejected {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Mismatch(_) => Self::Schema,
            Unfit::Busy => Self::Unchecked,
        }
    }
}
