//! What a kill does to calls that are under way, to those that come after it, and to lists.

use wardkeep_policy::{Rule, kill::Kill};

use super::*;

fn kills(targets: &[&str]) -> Kills {
    let kill = |target: &&str| Kill {
        target: target.parse().unwrap(),
        reason: "a test".into(),
        by: "me".into(),
        since: Timestamp::now(),
        until: None,
    };
    Kills::new(targets.iter().map(kill).collect())
}

#[tokio::test]
async fn a_kill_ends_calls_that_run_and_calls_that_wait_and_nobody_elses() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let permit = fixture.permit(Timestamp::now());
    for (target, stops) in [
        ("all", true),
        ("writes", false),
        ("plugin:eye", true),
        ("plugin:ear", false),
        ("tool:eye_look", true),
        ("tool:eye_see", false),
        ("caller:user:me", true),
        ("caller:user:you", false),
    ] {
        let token = token();
        let runs = fixture.entered(&permit, &token);
        let waits = fixture.host.enter(&me(), permit.tool());
        assert_eq!(waits.unless_killed(async { 7 }).await, Ok(7));
        let ended = fixture.host.stop(kills(&[target]));
        assert_eq!((ended, fixture.host.ending()), if stops { (2, 2) } else { (0, 0) }, "{target}");
        assert_eq!(token.state().is_some(), stops, "{target}");
        let waited = waits.unless_killed(async { 7 }).await;
        assert_eq!(waited.is_err(), stops, "{target}: also what is ready at once");
        assert_eq!(fixture.host.stop(kills(&[target])), 0, "the same again ends nothing more");
        drop((runs, waits));
        assert_eq!(fixture.host.ending(), 0);
        assert_eq!(fixture.host.stop(Kills::none()), 0);
    }
}

#[tokio::test]
async fn a_call_that_was_decided_before_a_kill_and_enters_after_it_does_not_slip_through() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let permit = fixture.permit(Timestamp::now());
    let waits = fixture.host.enter(&me(), permit.tool());
    assert_eq!(fixture.host.stop(kills(&["plugin:eye"])), 1);
    // between what it waited for last and its guest
    let late = token();
    fixture.host.runs(&waits, &permit, &late);
    assert_eq!(late.state().map(|stop| stop.to_string()), Some("it was killed".into()));
    // found before, entered after
    let later = fixture.host.enter(&me(), permit.tool());
    assert!(later.unless_killed(async {}).await.is_err());
}

#[tokio::test]
async fn a_killed_tool_reads_as_unknown_and_leaves_the_list_until_it_is_revived() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let me = me();
    let mut lists = HostLists::new(&fixture.host, Credential::Key(digest_of("me")));
    assert_eq!(fixture.host.tools(&me.principal).len(), 1);
    // told once too often, perhaps: it began to listen just after a change
    wakes(&mut lists).await;
    fixture.host.stop(kills(&["tool:eye_look"]));
    assert!(wakes(&mut lists).await, "those who listen are told");
    assert_eq!(fixture.host.tools(&me.principal).len(), 0);
    let present = fixture.host.present();
    let denial = present.snapshot().find(&present.case(&me.principal), "eye_look").unwrap_err();
    assert_eq!(denial.rule, Rule::Killed);
    let call = |tool: &str| {
        let request = ToolCall { tool: tool.to_owned(), arguments: Map::new(), retry: None, approval: None };
        fixture.host.call(Caller::clone(&me), request, Line::default(), CancellationToken::new())
    };
    let (killed, unknown) = (call("eye_look").await.unwrap_err(), call("eye_loot").await.unwrap_err());
    assert_eq!((killed.code, killed.message.replace("look", "loot")), (unknown.code, unknown.message.to_string()));
    fixture.host.stop(Kills::none());
    assert!(wakes(&mut lists).await);
    assert_eq!(fixture.host.tools(&me.principal).len(), 1);
}
