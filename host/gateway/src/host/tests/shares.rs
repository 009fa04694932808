//! What one caller can use up, and what it cannot use up for the others.

use std::collections::BTreeMap;

use wardkeep_model::Scopes;
use wardkeep_policy::kill::{Kill, Target};

use super::*;
use crate::{Allowance, META, caller::Retry};

/// A host whose callers have so many calls a day, and that serves a tool which may ask.
fn fixture(calls: u32) -> Fixture {
    let fixture = Fixture::new();
    let rate = format!("{calls}/d").parse().unwrap();
    let plugin = fixture.plugin_that(1, &day(100), "asks = true\n");
    fixture.serve(vec![plugin]);
    let mut moment = Moment::clone(&fixture.host.moment());
    moment.allowances.each = Allowance { rate, ..Allowance::DEFAULT };
    fixture.host.replace(moment);
    fixture
}

/// What this caller is told of its call.
async fn told(fixture: &Fixture, caller: usize, tool: &str) -> String {
    let caller = Caller::local(callers().keys.remove(caller).principal, Origin::default());
    let request = ToolCall { tool: tool.to_owned(), arguments: Map::new(), retry: None, approval: None };
    match fixture.host.call(caller, request, Line::default(), CancellationToken::new()).await {
        Err(refused) => refused.message.to_string(),
        Ok(Response::Complete(answer)) => {
            let answer = serde_json::to_value(answer).unwrap();
            let text = answer["content"][0]["text"].as_str().unwrap().to_owned();
            assert_eq!(answer["_meta"][format!("{META}retry-after-seconds")].is_u64(), text.contains("try again in"));
            text
        }
        Ok(Response::InputRequired(_)) => panic!("no guest runs here"),
    }
}

#[tokio::test]
async fn who_asks_without_end_for_what_it_may_not_is_told_so_at_the_door() {
    let fixture = fixture(4);
    let (me, you) = (0, 1);
    for tool in ["nothing", "eye_look"] {
        assert_eq!(told(&fixture, you, tool).await, format!("unknown tool `{tool}`"));
    }
    let (target, since) = (Target::Tool("eye_look".parse().unwrap()), Timestamp::now());
    let kill = Kill { target, reason: String::new(), by: String::new(), since, until: None };
    fixture.host.stop(Kills::new(vec![kill]));
    for _ in 0..2 {
        assert_eq!(told(&fixture, you, "eye_look").await, "unknown tool `eye_look`");
    }
    assert_eq!(told(&fixture, you, "nothing").await, "too many calls; try again in 21600 s");
    // a token without the scope is told so as often as it may call
    let principal = Principal {
        scopes: Some(Scopes { read: false, write: true, destructive: true }),
        ..callers().keys.remove(me).principal
    };
    let identity = Identity { principal, credential: Credential::Stdio };
    fixture.host.stop(Kills::none());
    for _ in 0..4 {
        let lacking = fixture.host.lacks_scope(&identity, "eye_look", Origin::default).await;
        assert_eq!(lacking.map(|(_, effect)| effect), Some(Effect::Read));
    }
    assert!(fixture.host.lacks_scope(&identity, "eye_look", Origin::default).await.is_none());
    assert_eq!(told(&fixture, me, "eye_look").await, "too many calls; try again in 21600 s");
}

#[tokio::test]
async fn a_state_that_is_no_good_counts_by_its_callers_rate() {
    let fixture = fixture(2);
    let call = || {
        let retry = Some(Retry { state: Some("AAAA".into()), answers: BTreeMap::new() });
        let request = ToolCall { tool: "eye_look".to_owned(), arguments: Map::new(), retry, approval: None };
        let caller = Caller::clone(&me());
        fixture.host.call(caller, request, Line::default(), CancellationToken::new())
    };
    for _ in 0..2 {
        assert!(call().await.unwrap_err().message.contains("request state is not good"));
    }
    assert!(matches!(call().await, Ok(Response::Complete(_))), "too many calls");
}

#[tokio::test]
async fn who_has_answered_without_end_is_asked_nothing_more_and_nobody_else_notices() {
    let fixture = fixture(1_000);
    let seals = fixture.host.seals();
    let mut answered = 0_u32;
    while seals.spend("user:me", Seals::nonce().as_ref().unwrap(), Timestamp::now()).is_ok() {
        answered += 1;
    }
    assert_eq!(answered, 50_000);
    // more often than a brake lets anybody be denied
    for _ in 0..300 {
        let told = told(&fixture, 0, "eye_look").await;
        assert!(told.starts_with("too many questions answered; try again in "), "{told}");
    }
    assert!(fixture.host.tripped().unwrap().try_recv().is_err(), "that is no denial");
    assert!(seals.may_ask("user:you", Timestamp::now()).is_ok());
    // what asks nothing runs as ever: here there is no guest
    fixture.serve(vec![fixture.plugin(2, &day(100))]);
    assert!(told(&fixture, 0, "eye_look").await.contains("out of service"));
}
