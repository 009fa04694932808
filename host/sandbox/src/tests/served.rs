//! A fleet of one guest behind a real signed manifest and a real journal: nothing of the entrance is made up.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use wardkeep_audit::{Closing, Intent, Journal, Options, Origin, Recorded};
use wardkeep_capabilities::{CallToken, Outside, Roots};
use wardkeep_model::{Authenticated, Completion, Content, CorrelationId, Outcome, Principal, Reply};
use wardkeep_policy::{
    Candidate, Case, Confirming, Evidence, HostTerms, InitialTrust, MANIFEST_NAMESPACE, Permit, Revocations, Snapshot,
    Trust, approve, authorize, generate_key, kill::Kills, manifest::SourceKind, sign,
};

use super::{ENGINE, Guest};
use crate::{Engine, Fleet, Ran, Remains, Ticket};

pub(crate) struct Served {
    pub(crate) fleet: Fleet,
    journal: Journal,
    /// Directories of the roots `mine` and `theirs`.
    pub(crate) mine: PathBuf,
    pub(crate) theirs: PathBuf,
    _home: tempfile::TempDir,
}

pub(crate) fn now() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

fn person() -> Principal {
    Principal {
        name: "user:me".to_owned(),
        groups: Vec::new(),
        authenticated: Authenticated::Stdio,
        writes: false,
        human: false,
        unconfirmed_writes: false,
        scopes: None,
        actors: Vec::new(),
    }
}

impl Served {
    /// `t` may read the root `mine`, `u` the root `theirs`; `extra` goes before the grants.
    pub(crate) async fn new(guest: &Guest, extra: &str) -> Self {
        Self::on(&ENGINE, guest, extra).await
    }

    /// The same on an engine of its own.
    pub(crate) async fn on(engine: &Engine, guest: &Guest, extra: &str) -> Self {
        Self::reaching(engine, guest, (extra, "files.mine"), &Outside::closed()).await
    }

    /// The same with something outside, and what `t` uses of it.
    pub(crate) async fn reaching(
        engine: &Engine,
        guest: &Guest,
        (extra, uses): (&str, &str),
        outside: &Outside,
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let [mine, theirs] = ["mine", "theirs"].map(|name| home.path().join(name));
        [&mine, &theirs].into_iter().for_each(|path| std::fs::create_dir(path).unwrap());
        let roots = [("mine", &mine), ("theirs", &theirs)].map(|(name, path)| (name.parse().unwrap(), path.clone()));
        let bytes = guest.bytes();
        let inspected = engine.inspect(bytes.clone().into()).await.unwrap();
        let found = inspected.inspection();
        assert_eq!(found.size, bytes.len() as u64);
        let manifest = format!(
            r#"format = 1
[plugin]
name = "guest"
version = "1.0.0"
serial = 1
expires = 2027-06-30
owner = "owner@example.com"
purpose = "tests"
[component]
file = "guest.wasm"
sha256 = "{}"
contract_sha256 = "{}"
{extra}
[grants.files.mine]
root = "mine"
access = "read"
[grants.files.theirs]
root = "theirs"
access = "read"
[tools.t]
effect = "read"
uses = ["{uses}"]
allow = ["user:me"]
[tools.u]
effect = "read"
uses = ["files.theirs"]
allow = ["user:me"]
"#,
            found.digest,
            found.description.contract_digest()
        );
        let pair = generate_key(&[7; 32], "me").unwrap();
        let key = pair.public.parse().unwrap();
        let trust = InitialTrust { person: "me", key: &key, expires: "2027-11-30".parse().unwrap() };
        let trust = Trust::parse("trust.toml", Trust::render_initial(&trust).as_bytes()).unwrap();
        let signature = sign(MANIFEST_NAMESPACE, manifest.as_bytes(), &pair.private).unwrap();
        let candidate = Candidate {
            file: "manifest.toml",
            directory: "guest",
            manifest: manifest.as_bytes(),
            signatures: &[("me.sig".to_owned(), signature.into_bytes())],
            known: None,
        };
        let host = HostTerms {
            deployment: None,
            roots: roots.iter().map(|(name, _)| Clone::clone(name)).collect(),
            sources: [SourceKind::File].into(),
            ..HostTerms::default()
        };
        let revocations = Revocations::default();
        let approved =
            approve(&candidate, &trust, &revocations, &host, now()).unwrap_or_else(|faults| panic!("{faults}"));
        // The hooks of the test host are no interface that a manifest can grant.
        let imports: Vec<_> = found.imports.iter().filter(|name| !name.starts_with("test:")).cloned().collect();
        let evidence = Evidence { component: found.digest, imports: &imports, description: &found.description };
        let terms = approved.with_component(evidence, &host, &revocations).unwrap_or_else(|faults| panic!("{faults}"));
        let terms = Arc::new(terms);
        let plugin = engine.load(&inspected, &terms).unwrap();
        let snapshot = Snapshot::new(vec![terms], &trust, &revocations).unwrap();
        let fleet = Fleet::new(engine, Arc::new(snapshot), vec![plugin], Roots::open(roots).unwrap(), outside);
        let (journal, _) = Journal::open(Options::new(home.path().join("audit"))).unwrap();
        Self { fleet, journal, mine, theirs, _home: home }
    }

    pub(crate) fn permit(&self, tool: &str, arguments: &str) -> (Permit, wardkeep_policy::Arguments) {
        let snapshot = self.fleet.snapshot();
        let (person, kills) = (person(), Kills::none());
        let case = Case { principal: &person, kills: &kills, confirming: Confirming::default(), now: now() };
        let tool = snapshot.find(&case, &format!("guest_{tool}")).unwrap();
        let serde_json::Value::Object(arguments) = serde_json::from_str(arguments).unwrap() else { panic!() };
        let arguments = tool.check(arguments).unwrap();
        (authorize(snapshot, &case, tool, &arguments).unwrap(), arguments)
    }

    pub(crate) async fn recorded(&self, permit: &Permit) -> Recorded {
        let tool = permit.tool();
        let intent = Intent {
            correlation: CorrelationId::from_bytes([1; 16]),
            published: tool.published().clone(),
            tool: tool.name().clone(),
            plugin: permit.plugin().clone(),
            version: tool.version().to_owned(),
            manifest_digest: permit.manifest_digest(),
            serial: tool.manifest_serial(),
            contract_digest: tool.contract_digest(),
            effect: tool.effect(),
            principal: person(),
            origin: Origin { transport: "stdio", ..Origin::default() },
            rule: permit.rule().to_owned(),
            resources: Vec::new(),
            limits: *permit.limits(),
            resumes: None,
            confirmed: None,
        };
        self.journal.intent(intent).await.unwrap()
    }

    pub(crate) async fn close(&self, recorded: Recorded, ran: &Ran) {
        let closing = Closing {
            outcome: ran.outcome(),
            error_class: None,
            cost: ran.cost,
            notes: ran.notes.clone(),
            touched: Vec::new(),
            egress: ran.egress.clone(),
        };
        self.journal.outcome(recorded, closing).await.unwrap();
    }

    /// One whole call of the tool.
    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> Ran {
        self.call_and_keep(tool, arguments).await.0
    }

    /// The same, with what is left of the guest.
    pub(crate) async fn call_and_keep(&self, tool: &str, arguments: &str) -> (Ran, Remains) {
        let (permit, arguments) = self.permit(tool, arguments);
        let ticket: Ticket = self.fleet.admit(&permit, "user:me").await.unwrap();
        let recorded = self.recorded(&permit).await;
        let token = CallToken::new(Duration::from_secs(20));
        let (ran, remains) = self.fleet.run(&permit, ticket, &recorded, &arguments, &token).await;
        self.close(recorded, &ran).await;
        (ran, remains)
    }
}

impl Ran {
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.result {
            Ok(Ok(_)) => Outcome::Ok,
            Ok(Err(_)) => Outcome::ToolError,
            Err(stopped) => stopped.outcome,
        }
    }

    /// The text of an answer of one block.
    pub(crate) fn text(&self) -> &str {
        match &self.result {
            Ok(Ok(Reply::Complete(Completion { content, .. }))) => match content.as_slice() {
                [Content::Text(text)] => text,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}
