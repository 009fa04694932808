use wardkeep_audit::{Closing, Intent, Journal, Options, Origin};
use wardkeep_gateway::ApiKey;
use wardkeep_model::{Authenticated, CorrelationId, Cost, Digest, Limits};

use super::*;

/// A plugin `x` that reads, lists and writes; `terms` are those of the tool that writes.
fn manifest(reading: bool, terms: &str) -> Manifest {
    let digest = Digest::of(b"x");
    let reads = if reading { "[tools.read]\neffect = \"read\"\n" } else { "" };
    parsed(&format!(
        "format = 1\n[plugin]\nname = \"x\"\nversion = \"1.0.0\"\nserial = 1\nexpires = 2027-01-01\nowner = \"me\"\n\
         [component]\nfile = \"x.wasm\"\nsha256 = \"{digest}\"\ncontract_sha256 = \"{digest}\"\n{reads}\
         [tools.create]\neffect = \"write\"\nside_effects = \"creates\"\n{terms}"
    ))
}

fn parsed(text: &str) -> Manifest {
    Manifest::parse("m.toml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn caller(name: &str, writes: bool, unconfirmed_writes: bool) -> Principal {
    Principal {
        name: name.to_owned(),
        groups: Vec::new(),
        authenticated: Authenticated::Stdio,
        writes,
        human: false,
        unconfirmed_writes,
        scopes: None,
        actors: Vec::new(),
    }
}

async fn log(directory: &Path, calls: &[(&str, &str, Effect, Outcome, usize)]) {
    let (journal, _) = Journal::open(Options::new(directory)).unwrap();
    for (plugin, tool, effect, outcome, times) in calls {
        for number in 0..*times {
            let intent = Intent {
                correlation: CorrelationId::from_bytes((number as u128).to_be_bytes()),
                published: format!("{plugin}_{tool}").parse().unwrap(),
                tool: tool.parse().unwrap(),
                plugin: plugin.parse().unwrap(),
                version: "1.0.0".to_owned(),
                manifest_digest: Digest::of(b"m"),
                serial: 1,
                contract_digest: Digest::of(b"c"),
                effect: *effect,
                principal: caller("user:me", false, false),
                origin: Origin::default(),
                rule: "allow:user:me".to_owned(),
                resources: Vec::new(),
                limits: Limits::DEFAULT,
                resumes: None,
                confirmed: None,
            };
            let recorded = journal.intent(intent).await.unwrap();
            let closing = Closing {
                outcome: *outcome,
                error_class: None,
                cost: Cost::default(),
                notes: Vec::new(),
                touched: Vec::new(),
                egress: Vec::new(),
            };
            journal.outcome(recorded, closing).await.unwrap();
        }
    }
    journal.shutdown().await;
}

async fn warned(manifest: &Manifest, calls: &[(&str, &str, Effect, Outcome, usize)], days: i64) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    log(&path, calls).await;
    let now = Timestamp::now().checked_add((days * 24).hours()).unwrap();
    let warnings = unwatched(&path, std::iter::once(manifest), now);
    assert!(warnings.len() < 2, "{warnings:?}");
    warnings.first().map(ToString::to_string)
}

#[tokio::test]
async fn a_write_for_everyone_is_warned_of_until_a_hundred_reads_or_seven_days_of_them_are_in_the_log() {
    use Effect::{Read, Write};
    let general = manifest(true, "");
    let none = warned(&general, &[], 30).await.unwrap();
    assert_eq!(
        none,
        "m.toml:14: tools.create.stage: writes for everyone in `allow`, and the audit log holds no answered read of this plugin: 100, \
         or the first 7 days ago, would show what it does\n  mend: until then:\n        stage = \"pilot\"\n        \
         pilot_groups = [\"platform\"]"
    );
    let read = |times| ("x", "read", Read, Outcome::Ok, times);
    assert!(warned(&general, &[read(99)], 0).await.unwrap().contains("99 answered reads"));
    assert_eq!(warned(&general, &[read(100)], 0).await, None);
    assert!(warned(&general, &[read(1)], 6).await.unwrap().contains("one answered read of"));
    assert_eq!(warned(&general, &[read(1)], 7).await, None);
    // what failed, what wrote and what another plugin read shows nothing
    let others = [
        ("x", "read", Read, Outcome::Denied, 100),
        ("x", "create", Write, Outcome::Ok, 100),
        ("y", "read", Read, Outcome::Ok, 100),
    ];
    assert!(warned(&general, &others, 30).await.unwrap().contains("no answered read"));
}

#[tokio::test]
async fn a_plugin_that_only_writes_is_shown_by_its_pilots_and_a_stage_before_the_last_is_not_warned_of() {
    let create = ("x", "create", Effect::Write, Outcome::Ok, 100);
    assert_eq!(warned(&manifest(false, ""), &[create], 0).await, None);
    assert!(warned(&manifest(false, ""), &[], 0).await.is_some());
    for terms in ["stage = \"pilot\"\npilot_groups = [\"platform\"]\n", "stage = \"off\"\n"] {
        assert_eq!(warned(&manifest(true, terms), &[], 0).await, None, "{terms}");
    }
}

#[test]
fn a_tool_that_no_caller_may_call_is_warned_of_with_the_flag_that_would_let_one() {
    let warned = |manifest: &Manifest, callers: &[Principal]| {
        let key = |(at, principal): (usize, &Principal)| ApiKey {
            name: at.to_string(),
            sha256: Digest::of(b"key"),
            principal: principal.clone(),
            expires: None,
            owner: None,
        };
        // The first over standard input, the others by keys: it does not matter where a caller stands.
        let keys = callers.iter().enumerate().skip(1).map(key).collect();
        unserved(manifest, &Callers { stdio: callers.first().cloned(), keys, ..Callers::default() })
    };
    let (reads, writes) = (caller("user:reads", false, true), caller("user:writes", true, false));
    let unconfirmed = caller("user:both", true, true);
    let client = manifest(true, "");
    let none = manifest(true, "confirm = \"none\"\n");
    let told = warned(&none, &[reads.clone(), writes.clone()]);
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "m.toml:17: tools.create.confirm: served to nobody: no caller in wardkeep.toml may write without a confirmation\n  \
          mend: at a caller in wardkeep.toml:\n        writes = true\n        unconfirmed_writes = true"
        ]
    );
    let told = warned(&client, std::slice::from_ref(&reads));
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["m.toml:14: tools.create.confirm: served to nobody: no caller in wardkeep.toml may write\n  \
          mend: at a caller in wardkeep.toml:\n        writes = true"]
    );
    assert_eq!(warned(&none, &[]).len(), 1);
    assert!(warned(&none, &[reads.clone(), unconfirmed]).is_empty());
    assert!(warned(&client, &[reads.clone(), writes]).is_empty());
    assert!(warned(&manifest(true, "stage = \"off\"\n"), &[reads]).is_empty(), "it is off");
}
