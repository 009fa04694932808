//! Writes `seeds/audit`, the log that the target `audit` changes. To be run again when the form of a line changes.

use std::{fs, path::Path, time::Duration};

use wardkeep_audit::{ClaimedClient, Closing, Event, Intent, Journal, Options, Origin, Refusal, Revoked};
use wardkeep_fuzz::home::principal;
use wardkeep_model::{CorrelationId, Cost, Digest, Effect, LimitKind, Limits, Note, NoteKind, Outcome};

fn origin() -> Origin {
    Origin {
        transport: "http",
        peer: Some("127.0.0.1".into()),
        client: Some(ClaimedClient { name: "Inspector".into(), version: "2.12.0".into() }),
        protocol: Some("2026-07-28".into()),
        request_id: Some("7".into()),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
    }
}

fn id(number: u128) -> CorrelationId {
    CorrelationId::from_bytes(number.to_be_bytes())
}

fn intent(number: u128) -> Intent {
    Intent {
        correlation: id(number),
        published: "files_read".parse().unwrap(),
        tool: "read".parse().unwrap(),
        plugin: "files".parse().unwrap(),
        version: "1.0.0".into(),
        manifest_digest: Digest::of(b"manifest"),
        serial: 3,
        contract_digest: Digest::of(b"contract"),
        effect: Effect::Read,
        principal: principal("user:me", &["engineering".into()]),
        origin: origin(),
        rule: "allow:user:me".into(),
        limits: Limits::DEFAULT,
    }
}

fn main() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/audit");
    let _ = fs::remove_dir_all(&directory);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let options = Options { segment_bytes: 8 << 10, ..Options::new(&directory) };
        let (journal, _) = Journal::open(options).unwrap();
        let plugin = || "files".parse().unwrap();
        let digest = Digest::of(b"x");
        for event in [
            Event::Started { version: "0.1.0".into() },
            Event::TrustAccepted { version: 1, document: digest },
            Event::PluginLoaded {
                plugin: plugin(),
                version: "1.0.0".into(),
                serial: 3,
                manifest: digest,
                component: digest,
                signed_by: vec!["SHA256:x".into()],
            },
            Event::PluginRejected { plugin: "bad one".into(), reason: "not signed".into(), manifest: Some(digest) },
            Event::ReloadRefused { reason: "wardkeep.toml: not valid TOML".into() },
            Event::Revoked { target: Revoked::Component(digest), document: digest },
        ] {
            journal.event(event).await.unwrap();
        }
        let ok = journal.intent(intent(1)).await.unwrap();
        let cost = Cost { fuel: 1234, memory_peak: 65536, elapsed: Duration::from_micros(2500), ..Cost::default() };
        let closing = Closing {
            outcome: Outcome::Ok,
            error_class: None,
            cost,
            notes: Vec::new(),
            touched: vec!["a.txt".into()],
            egress: Vec::new(),
        };
        journal.outcome(ok, closing.clone()).await.unwrap();
        let bad = journal.intent(intent(2)).await.unwrap();
        let note = Note { kind: NoteKind::Denied, capability: "files".into(), detail: "`../x`".into(), count: 1 };
        let outcome = Outcome::Limit(LimitKind::Fuel);
        let closing = Closing { outcome, error_class: Some("fuel".into()), notes: vec![note], ..closing };
        journal.outcome(bad, closing).await.unwrap();
        let refusal = Refusal {
            correlation: id(3),
            principal: None,
            tool: Some("nothing".into()),
            rule: "unknown-key".into(),
            outcome: Outcome::Unauthenticated,
            origin: origin(),
        };
        journal.refusal(refusal).await.unwrap();
        let unfinished = Event::Unfinished { correlation: id(4), tool: "files_read".into(), user: "user:me".into() };
        let open = journal.intent(intent(4)).await.unwrap();
        journal.event(unfinished).await.unwrap();
        std::mem::forget(open);
        journal.event(Event::StateReset { by: "me".into(), reason: "lost".into() }).await.unwrap();
        journal.event(Event::PluginRemoved { plugin: plugin(), reason: "removed".into() }).await.unwrap();
        journal.event(Event::Stopped { reason: "sigterm".into() }).await.unwrap();
        journal.shutdown().await;
    });
    let _ = fs::remove_file(directory.join("lock"));
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        println!("{} {}", entry.path().display(), entry.metadata().unwrap().len());
    }
}
