//! What the journal records besides calls: the host's own life, and a mirror of the state that must not be lost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wardkeep_model::{CorrelationId, Digest, PluginName, tidy};

/// Something that happened to the host. Always synced to the device before it counts as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// The host began to serve.
    Started {
        /// The host's version.
        version: String,
    },
    /// The host ends on purpose. A start without a stop before it followed a crash.
    Stopped {
        /// Why, in a word, such as `sigterm`.
        reason: String,
    },
    /// A plugin passed all checks and is served. Mirrors the state's serial.
    PluginLoaded {
        /// Which plugin.
        plugin: PluginName,
        /// Its version.
        version: String,
        /// Its manifest's serial.
        serial: u64,
        /// Digest of its manifest.
        manifest: Digest,
        /// Digest of its component.
        component: Digest,
        /// Fingerprints of the keys that signed.
        #[serde(default)]
        signed_by: Vec<String>,
    },
    /// A plugin was not taken into service, or a new manifest of it was not.
    PluginRejected {
        /// The name of its directory; it may not be a valid plugin name.
        plugin: String,
        /// The first fault, kept up to 256 bytes.
        reason: String,
        /// Digest of the manifest, if it could be read.
        manifest: Option<Digest>,
    },
    /// A plugin is no longer served, and its running calls were ended.
    PluginRemoved {
        /// Which plugin.
        plugin: PluginName,
        /// Why: `removed`, or the rule that now refuses its calls.
        #[serde(default)]
        reason: String,
    },
    /// The home's own documents were changed to what cannot be read: those that were read before hold.
    ReloadRefused {
        /// What is wrong, kept up to 256 bytes.
        reason: String,
    },
    /// A verified revocation is remembered from now on: deleting its file lifts nothing.
    Revoked {
        /// What it revokes.
        target: Revoked,
        /// Digest of the revocation document.
        document: Digest,
    },
    /// A trust document was accepted. Mirrors the version that a rotation is judged against.
    TrustAccepted {
        /// Its version.
        version: u64,
        /// Digest of the document.
        document: Digest,
    },
    /// An operator gave up the lost state on purpose: serials and trust version begin anew, revocations stay.
    StateReset {
        /// Who did it.
        by: String,
        /// Why, in their words, kept up to 256 bytes.
        reason: String,
    },
    /// The journal cut an incomplete last line when it was opened. It was never acknowledged.
    TornTail {
        /// The segment's file name.
        segment: String,
        /// Which line, from 1.
        line: u64,
        /// How many bytes were cut.
        bytes: u64,
        /// Digest of the bytes that were cut.
        digest: Digest,
    },
    /// An intent without outcome was found when the journal was opened: the host died while that call ran. It closes the intent.
    Unfinished {
        /// The call that nobody knows the end of.
        correlation: CorrelationId,
        /// The tool's published name.
        tool: String,
        /// Who called.
        user: String,
    },
    /// A call waits for the operator's yes.
    ApprovalAsked {
        /// Its name, which operator and caller know it by.
        approval: String,
        /// The call that asked.
        correlation: CorrelationId,
        /// The tool's published name.
        tool: String,
        /// Who called.
        user: String,
        /// Digest of the manifest that says that somebody has to be asked.
        manifest: Digest,
    },
    /// An operator said yes, to one call.
    Approved {
        /// Which approval.
        approval: String,
        /// The tool's published name.
        tool: String,
        /// Who called.
        user: String,
        /// Who said it, as the operating system knows them.
        by: String,
        /// Why, in their words, kept up to 256 bytes; perhaps empty.
        reason: String,
    },
    /// An operator said no.
    ApprovalDenied {
        /// Which approval.
        approval: String,
        /// The tool's published name.
        tool: String,
        /// Who called.
        user: String,
        /// Who said it, as the operating system knows them.
        by: String,
        /// Why, in their words, kept up to 256 bytes. The caller is told.
        reason: String,
    },
    /// Nobody decided in time, or what was approved was not called in time.
    ApprovalExpired {
        /// Which approval.
        approval: String,
        /// The tool's published name.
        tool: String,
        /// Who called.
        user: String,
    },
    /// An operator stopped calls. Mirrors the kills of the state.
    Killed {
        /// Which change of the kills this was; 0 where the host did it by itself, which nothing has to remember.
        change: u64,
        /// What is stopped: `all`, `writes`, `plugin:NAME`, `tool:NAME` or `caller:NAME`.
        target: String,
        /// Who did it.
        by: String,
        /// Why, in their words, kept up to 256 bytes.
        reason: String,
        /// Until when, if it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// An operator lifted a kill.
    Revived {
        /// As in [`Self::Killed`].
        change: u64,
        /// What is stopped no more.
        target: String,
        /// Who did it.
        by: String,
        /// Why, in their words, kept up to 256 bytes.
        reason: String,
    },
    /// The host stopped a caller or a plugin by itself, for a time.
    Braked {
        /// As in [`Self::Killed`].
        target: String,
        /// What there was too much of.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// A kill came to its end by time alone.
    KillEnded {
        /// What is stopped no more by it.
        target: String,
        /// Whether it was one of the host's own.
        #[serde(default)]
        brake: bool,
    },
    /// An operator made an API key. Its value stands nowhere.
    KeyMade {
        /// Its name in the operator's file.
        key: String,
        /// Whom it stands for.
        user: String,
        /// Who did it, as the operating system knows them.
        by: String,
    },
    /// An operator took an API key out of the operator's file.
    KeyRevoked {
        /// As in [`Self::KeyMade`].
        key: String,
        /// As in [`Self::KeyMade`].
        user: String,
        /// As in [`Self::KeyMade`].
        by: String,
    },
    /// A host that runs took up an operator's file that says other things of callers, or of what they may.
    SettingsChanged {
        /// Which, each kept up to 256 bytes; 17 are kept.
        changes: Vec<String>,
    },
    /// What waited for the operator, or had their yes, was stopped by a kill: it is good for nothing more, and may be asked for anew.
    ApprovalWithdrawn {
        /// Which approval.
        approval: String,
        /// The tool's published name.
        tool: String,
        /// Who called.
        user: String,
        /// What was stopped, as in [`Self::Killed`].
        target: String,
    },
}

/// What a revocation takes back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revoked {
    /// A signing key, by its `SHA256:…` fingerprint.
    Key(String),
    /// A component, by its digest.
    Component(Digest),
}

const WORD_BYTES: usize = 128;
const TEXT_BYTES: usize = 256;
/// The longest target there is: `caller:` and a name of 1,024 bytes. One that is cut would stop somebody else.
const TARGET_BYTES: usize = 1_031;
const MAX_SIGNERS: usize = 16;
const MAX_CHANGES: usize = 17;

impl Event {
    /// As `metadata.event_code` and `audit query` spell it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Stopped { .. } => "stopped",
            Self::PluginLoaded { .. } => "plugin-loaded",
            Self::PluginRejected { .. } => "plugin-rejected",
            Self::PluginRemoved { .. } => "plugin-removed",
            Self::ReloadRefused { .. } => "reload-refused",
            Self::Revoked { .. } => "revoked",
            Self::TrustAccepted { .. } => "trust-accepted",
            Self::StateReset { .. } => "state-reset",
            Self::TornTail { .. } => "torn-tail",
            Self::Unfinished { .. } => "unfinished",
            Self::ApprovalAsked { .. } => "approval-asked",
            Self::Approved { .. } => "approved",
            Self::ApprovalDenied { .. } => "approval-denied",
            Self::ApprovalExpired { .. } => "approval-expired",
            Self::Killed { .. } => "killed",
            Self::Revived { .. } => "revived",
            Self::Braked { .. } => "braked",
            Self::KillEnded { .. } => "kill-ended",
            Self::KeyMade { .. } => "key-made",
            Self::KeyRevoked { .. } => "key-revoked",
            Self::SettingsChanged { .. } => "settings-changed",
            Self::ApprovalWithdrawn { .. } => "approval-withdrawn",
        }
    }

    pub(crate) fn tidy(&mut self) {
        match self {
            Self::Started { version } => tidy(version, WORD_BYTES),
            Self::Stopped { reason } => tidy(reason, TEXT_BYTES),
            Self::PluginLoaded { version, signed_by, .. } => {
                tidy(version, WORD_BYTES);
                signed_by.truncate(MAX_SIGNERS);
                signed_by.iter_mut().for_each(|key| tidy(key, WORD_BYTES));
            }
            Self::PluginRejected { plugin, reason, .. } => {
                tidy(plugin, WORD_BYTES);
                tidy(reason, TEXT_BYTES);
            }
            // Cutting a fingerprint would revoke another key than was meant: only what cannot be one is changed.
            Self::Revoked { target: Revoked::Key(fingerprint), .. } => tidy(fingerprint, TEXT_BYTES),
            Self::StateReset { by, reason } => {
                tidy(by, WORD_BYTES);
                tidy(reason, TEXT_BYTES);
            }
            Self::TornTail { segment, .. } => tidy(segment, WORD_BYTES),
            Self::Unfinished { tool, user, .. } => {
                tidy(tool, WORD_BYTES);
                tidy(user, WORD_BYTES);
            }
            Self::ApprovalAsked { approval, tool, user, .. } | Self::ApprovalExpired { approval, tool, user } => {
                [approval, tool, user].into_iter().for_each(|word| tidy(word, WORD_BYTES));
            }
            Self::Approved { approval, tool, user, by, reason }
            | Self::ApprovalDenied { approval, tool, user, by, reason } => {
                [approval, tool, user, by].into_iter().for_each(|word| tidy(word, WORD_BYTES));
                tidy(reason, TEXT_BYTES);
            }
            Self::Killed { target, by, reason, .. } | Self::Revived { target, by, reason, .. } => {
                tidy(target, TARGET_BYTES);
                tidy(by, WORD_BYTES);
                tidy(reason, TEXT_BYTES);
            }
            Self::Braked { target, reason, .. } => {
                tidy(target, TARGET_BYTES);
                tidy(reason, TEXT_BYTES);
            }
            Self::KillEnded { target, .. } => tidy(target, TARGET_BYTES),
            Self::KeyMade { key, user, by } | Self::KeyRevoked { key, user, by } => {
                [key, user, by].into_iter().for_each(|word| tidy(word, WORD_BYTES));
            }
            Self::SettingsChanged { changes } => {
                changes.truncate(MAX_CHANGES);
                changes.iter_mut().for_each(|change| tidy(change, TEXT_BYTES));
            }
            Self::ApprovalWithdrawn { approval, tool, user, target } => {
                [approval, tool, user].into_iter().for_each(|word| tidy(word, WORD_BYTES));
                tidy(target, TARGET_BYTES);
            }
            Self::PluginRemoved { reason, .. } => tidy(reason, WORD_BYTES),
            Self::ReloadRefused { reason } => tidy(reason, TEXT_BYTES),
            Self::TrustAccepted { .. } | Self::Revoked { target: Revoked::Component(_), .. } => {}
        }
    }
}
