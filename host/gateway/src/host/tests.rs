//! What a swap and the clock do to running calls and to those who listen. The plugins have terms and no component: nothing is run.

mod kills;
mod orders;
mod shares;

use std::{
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Map;
use wardkeep_audit::{Changed, Files, Journal, Options, Sink};
use wardkeep_model::{Definition, Description, Digest, Effect, Pause, Question};
use wardkeep_policy::{
    Candidate, Case, Confirming, Evidence, HostTerms, KeyPair, MANIFEST_NAMESPACE, Permit, PluginTerms, Revocations,
    Snapshot, Trust, approve, authorize, generate_key, kill::Kills, sign,
};
use wardkeep_sandbox::{Engine, EngineOptions, Outside, Roots};

use super::*;
use crate::{
    Allowances, ApiKey, Approval, ApprovalLimits, BrakeTerms, Callers, Keep, StateFault,
    asking::{Asked, Belongs},
    identity::Identity,
    lists::{HostLists, ended},
};

struct Fixture {
    key: KeyPair,
    trust: Trust,
    engine: Engine,
    host: Arc<Host>,
    _directory: tempfile::TempDir,
}

fn day(from_now: i64) -> String {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    today.checked_add(from_now.days()).unwrap().to_string()
}

fn digest_of(caller: &str) -> Digest {
    Digest::of(caller.as_bytes())
}

fn callers() -> Callers {
    let key = |name: &str| ApiKey {
        name: name.into(),
        sha256: digest_of(name),
        principal: Principal {
            name: format!("user:{name}"),
            groups: vec![],
            authenticated: Authenticated::ApiKey,
            writes: false,
            human: false,
            unconfirmed_writes: false,
            scopes: None,
            actors: Vec::new(),
        },
        expires: None,
        owner: None,
    };
    Callers { keys: vec![key("me"), key("you")], ..Callers::default() }
}

/// A device that does not come back from a write while it is told so.
struct Hangs {
    files: Files,
    hangs: Arc<AtomicBool>,
}

impl Sink for Hangs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while self.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.files.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.files.sync()
    }

    fn next_segment(&mut self) -> io::Result<()> {
        self.files.next_segment()
    }

    fn changed(&mut self) -> io::Result<Option<Changed>> {
        self.files.changed()
    }
}

/// A queue that is kept nowhere.
fn approvals(journal: Journal) -> Arc<Approvals> {
    struct Nowhere;
    impl Keep for Nowhere {
        fn keep(&self, _: &[Approval]) -> io::Result<()> {
            Ok(())
        }
    }
    Arc::new(Approvals::new(Vec::new(), Box::new(Nowhere), journal))
}

impl Fixture {
    fn new() -> Self {
        Self::on(|options| Journal::open(options).unwrap().0)
    }

    fn on(open: impl FnOnce(Options) -> Journal) -> Self {
        let key = generate_key(&[1; 32], "test").unwrap();
        let text = format!(
            "format = 1\nversion = 1\nexpires = {}\n[approvers.alice]\nkeys = [\"{}\"]\n",
            day(300),
            key.public.trim()
        );
        let trust = Trust::parse("trust.toml", text.as_bytes()).unwrap();
        let engine = Engine::new(EngineOptions { workers: 1, calls: 1, ..EngineOptions::default() }).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let journal = open(Options::new(directory.path().join("audit")));
        let moment = Moment {
            fleet: fleet(&engine, Snapshot::empty()),
            callers: callers(),
            allowances: Allowances::default(),
            confirming: Confirming::NOBODY,
            approvals: ApprovalLimits::default(),
            brakes: BrakeTerms::default(),
            rejected: 0,
        };
        Self { key, trust, engine, host: Host::new(moment, journal.clone(), approvals(journal)), _directory: directory }
    }

    /// A plugin that `user:me` may call, approved two days ago.
    fn plugin(&self, serial: u64, expires: &str) -> Arc<PluginTerms> {
        self.plugin_that(serial, expires, "")
    }

    /// The same, with more lines in its tool's table.
    fn plugin_that(&self, serial: u64, expires: &str, more: &str) -> Arc<PluginTerms> {
        let tool = Definition {
            name: "look".into(),
            title: None,
            description: "looks".into(),
            input_schema: r#"{"type":"object"}"#.into(),
            output_schema: None,
            effect: Effect::Read,
            idempotent: true,
            asks: vec![],
        };
        let description = Description { name: "eye".into(), version: "1.0.0".into(), tools: vec![tool] };
        let component = Digest::of(b"component");
        let manifest = format!(
            "format = 1\n[plugin]\nname = \"eye\"\nversion = \"1.0.0\"\nserial = {serial}\nexpires = {expires}\n\
             owner = \"me\"\npurpose = \"to look\"\n[component]\nfile = \"eye.wasm\"\nsha256 = \"{component}\"\n\
             contract_sha256 = \"{}\"\n[tools.look]\neffect = \"read\"\nuses = []\nallow = [\"user:me\"]\n{more}",
            description.contract_digest()
        );
        let signature = sign(MANIFEST_NAMESPACE, manifest.as_bytes(), &self.key.private).unwrap();
        let host = HostTerms::default();
        let candidate = Candidate {
            file: "manifest.toml",
            directory: "eye",
            manifest: manifest.as_bytes(),
            signatures: &[("alice.sig".into(), signature.into_bytes())],
            known: None,
        };
        let nothing = Revocations::default();
        let then = Timestamp::now() - 48.hours();
        let approved = approve(&candidate, &self.trust, &nothing, &host, then).unwrap_or_else(|f| panic!("{f}"));
        let evidence = Evidence { component, imports: &[], description: &description };
        Arc::new(approved.with_component(evidence, &host, &nothing).unwrap_or_else(|f| panic!("{f}")))
    }

    fn serve(&self, plugins: Vec<Arc<PluginTerms>>) -> usize {
        let snapshot = Snapshot::new(plugins, &self.trust, &Revocations::default()).unwrap();
        self.host.replace(Moment {
            fleet: fleet(&self.engine, snapshot),
            callers: callers(),
            allowances: Allowances::default(),
            confirming: Confirming::NOBODY,
            approvals: ApprovalLimits::default(),
            brakes: BrakeTerms::default(),
            rejected: 0,
        })
    }

    /// A call whose guest is about to run.
    fn entered(&self, permit: &Permit, token: &CallToken) -> Entered<'_> {
        let entered = self.host.enter(&me(), permit.tool());
        self.host.runs(&entered, permit, token);
        entered
    }

    /// A permit of the plugin that serves, as of a time.
    fn permit(&self, now: Timestamp) -> Permit {
        let fleet = self.host.fleet();
        let me = callers().keys.remove(0).principal;
        let kills = Kills::none();
        let case = Case { principal: &me, kills: &kills, confirming: Confirming::NOBODY, now };
        let tool = fleet.snapshot().find(&case, "eye_look").unwrap();
        authorize(fleet.snapshot(), &case, tool, &tool.check(Map::new()).unwrap()).unwrap()
    }
}

fn me() -> Arc<Caller> {
    let principal = callers().keys.remove(0).principal;
    let identity = Identity { principal, credential: Credential::Key(digest_of("me")) };
    Arc::new(Caller::new(identity, Origin::default(), None))
}

fn fleet(engine: &Engine, snapshot: Snapshot) -> Arc<Fleet> {
    Arc::new(Fleet::new(engine, Arc::new(snapshot), vec![], Roots::default(), &Outside::closed()))
}

fn token() -> CallToken {
    CallToken::new(Duration::from_secs(60))
}

#[tokio::test]
async fn a_call_goes_on_when_its_plugin_is_replaced_and_ends_when_it_is_removed() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let (running, over) = (token(), token());
    let permit = fixture.permit(Timestamp::now());
    let _entered = fixture.entered(&permit, &running);
    drop(fixture.entered(&permit, &over));
    assert_eq!(fixture.serve(vec![fixture.plugin(2, &day(100))]), 0);
    assert_eq!(running.state(), None);
    assert_eq!(fixture.serve(vec![]), 1);
    assert_eq!(running.state().map(|stop| stop.to_string()), Some("it was killed".into()));
    assert_eq!(over.state(), None, "a call that has ended is no running call");
}

#[tokio::test]
async fn a_call_that_was_permitted_before_a_swap_and_enters_after_it_does_not_slip_through() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let permit = fixture.permit(Timestamp::now());
    assert_eq!(fixture.serve(vec![]), 0, "nobody runs yet");
    let late = token();
    let _entered = fixture.entered(&permit, &late);
    assert_eq!(late.state().map(|stop| stop.to_string()), Some("it was killed".into()));
}

#[tokio::test]
async fn when_a_manifest_expires_its_running_calls_end_and_the_clock_knows_when_that_is() {
    let fixture = Fixture::new();
    // its last day was yesterday
    let over = fixture.plugin(1, &day(-1));
    fixture.serve(vec![Arc::clone(&over)]);
    let permit = fixture.permit(Timestamp::now() - 47.hours());
    let running = token();
    // as if it had entered in time
    let entered = fixture.host.running.enter(&me(), permit.tool());
    entered.runs(permit.terms(), &running);
    assert_eq!(running.state(), None);
    assert_eq!(fixture.host.settle(), 1);
    assert_eq!(running.state().map(|stop| stop.to_string()), Some("it was killed".into()));

    let tomorrow = Timestamp::now() + 24.hours();
    fixture.serve(vec![fixture.plugin(2, &day(0))]);
    let next = fixture.host.next_change(Timestamp::now()).unwrap();
    assert!(next > Timestamp::now() && next <= tomorrow, "{next}");
}

#[tokio::test]
async fn a_bell_wakes_only_who_sees_something_else_than_before() {
    let fixture = Fixture::new();
    let lists = |caller| HostLists::new(&fixture.host, Credential::Key(digest_of(caller)));
    let (mut me, mut you) = (lists("me"), lists("you"));
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    assert!(me.changed().await);
    assert!(!wakes(&mut you).await, "what is not for them is none of their business");
    // one look for however many changes
    fixture.serve(vec![fixture.plugin(2, &day(100))]);
    fixture.serve(vec![fixture.plugin(3, &day(100))]);
    assert!(me.changed().await);
    assert!(!wakes(&mut me).await);
    fixture.host.settle();
    assert!(!wakes(&mut me).await, "nothing is different");
    // a key that is gone
    let fleet = fixture.host.fleet();
    fixture.host.replace(Moment {
        fleet,
        callers: Callers::default(),
        allowances: Allowances::default(),
        confirming: Confirming::NOBODY,
        approvals: ApprovalLimits::default(),
        brakes: BrakeTerms::default(),
        rejected: 0,
    });
    assert!(!me.changed().await && !you.changed().await, "the end");
}

#[tokio::test]
async fn an_answer_through_one_actor_is_none_through_another() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let permit = fixture.permit(Timestamp::now());
    let arguments = permit.tool().check(Map::new()).unwrap();
    let through = |actor: Option<&str>| {
        let actors = actor.map(str::to_owned).into_iter().collect();
        Principal { actors, ..me().principal.clone() }
    };
    let (seven, others) = (through(Some("agent-7")), [through(Some("agent-8")), through(None)]);
    let kills = Kills::none();
    let of = |principal| Belongs {
        principal,
        tool: permit.tool(),
        arguments: &arguments,
        kills: &kills,
        now: Timestamp::now(),
    };
    let form = r#"{"type":"object","properties":{"name":{"type":"string"}}}"#;
    let question = Question { id: "one".into(), message: "Who?".into(), schema: form.into() };
    let pause = Pause { questions: vec![question], state: Vec::new() };
    let id = CorrelationId::from_bytes([1; 16]);
    let asked = Asked::new(pause, &id, None, &of(&seven), [7; 16], None).unwrap();
    assert_eq!(asked.belongs(&of(&seven)), Ok(()));
    for other in &others {
        assert_eq!(asked.belongs(&of(other)), Err(StateFault::OtherCall), "{other:?}");
    }
}

#[tokio::test]
async fn whoever_has_waited_goes_on_by_the_rights_that_they_have_then() {
    let fixture = Fixture::new();
    let me = me();
    let with = |callers: Callers| Moment { callers, ..Moment::clone(&fixture.host.moment()) };
    assert!(!fixture.host.again(&me).unwrap().principal.human);
    let mut other = callers();
    other.keys[0].principal.human = true;
    other.keys[0].principal.groups = vec!["oncall".into()];
    fixture.host.replace(with(other));
    let again = fixture.host.again(&me).unwrap();
    assert!(again.principal.human && again.principal.groups == ["oncall"] && again.credential.is(&me.credential));
    fixture.host.revoke(digest_of("me"));
    let gone = fixture.host.again(&me).unwrap_err();
    assert!(matches!(gone, NoAnswer::Gone { rule: "unknown-key" }), "{gone:?}");
}

#[tokio::test]
async fn what_lasts_as_long_as_a_key_ends_with_it() {
    let fixture = Fixture::new();
    let over = |caller| ended(Arc::clone(&fixture.host), Credential::Key(digest_of(caller)));
    let (mut me, mut you) = (pin!(over("me")), pin!(over("you")));
    let mut are_over = async || {
        poll_fn(|context| Poll::Ready((me.as_mut().poll(context).is_ready(), you.as_mut().poll(context).is_ready())))
            .await
    };
    assert_eq!(are_over().await, (false, false));
    fixture.host.settle();
    assert_eq!(are_over().await, (false, false), "a bell is not its end");
    fixture.host.revoke(digest_of("me"));
    assert_eq!(are_over().await, (true, false));
}

#[tokio::test]
async fn who_begins_to_listen_just_after_a_change_is_told_once_too_often_and_not_too_seldom() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let mut me = HostLists::new(&fixture.host, Credential::Key(digest_of("me")));
    assert!(me.changed().await);
    assert!(!wakes(&mut me).await);
}

/// Whether it is woken by what has happened already.
async fn wakes(lists: &mut HostLists) -> bool {
    let mut changed = pin!(lists.changed());
    poll_fn(|context| Poll::Ready(changed.as_mut().poll(context).is_ready())).await
}

#[tokio::test]
async fn a_call_whose_thread_hangs_in_the_log_is_answered_all_the_same() {
    let hangs = Arc::new(AtomicBool::new(false));
    let device = Arc::clone(&hangs);
    let fixture = Fixture::on(|options| {
        let options = Options { commit_timeout: Duration::from_millis(200), ..options };
        Journal::open_with(options, |files| Box::new(Hangs { files, hangs: device })).unwrap().0
    });
    hangs.store(true, Ordering::SeqCst);
    let call = || {
        let principal = fixture.host.moment().callers.keys[0].principal.clone();
        let caller = Caller::local(principal, Origin::default());
        let request = ToolCall { tool: "nothing".to_owned(), arguments: Map::new(), retry: None, approval: None };
        fixture.host.call(caller, request, Line::default(), CancellationToken::new())
    };
    let refused = timeout(Duration::from_secs(20), call()).await.expect("an answer").unwrap_err();
    assert_eq!(refused.code.0, -32_603);
    assert!(refused.message.contains("whether it ran is not known"), "{}", refused.message);
    // and who comes later does not wait
    let begun = Instant::now();
    let refused = call().await.unwrap_err();
    assert_eq!(refused.code.0, -32_602, "an unknown tool is refused, also where that cannot be recorded");
    assert!(begun.elapsed() < LAST_WORD, "{:?}", begun.elapsed());
    hangs.store(false, Ordering::SeqCst);
}
