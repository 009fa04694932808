//! The operator's queue: what no person at a client can confirm waits for somebody outside, runs once by their yes, and never without.

mod operator;

use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    confirming::{self, PERSON, change, lines, note, nothing_written, on_record},
    support::{home::Home, http::Mcp},
};

const SERVICE: &str = "writes = true\n";
const OTHER: &str = "wk_other_0123456789abcdef0123456789abcdef";
const OPERATOR: &str = "confirm = \"operator\"\n";

/// Calls as a client without elicitation, perhaps with the name of an approval.
fn call(mcp: &Mcp, tool: &str, arguments: &Value, approval: Option<&str>) -> Value {
    let meta = approval.map_or_else(|| json!({}), |approval| json!({ "dev.wardkeep/approval": approval }));
    let answer = mcp.request_with_meta("tools/call", json!({ "name": tool, "arguments": arguments }), meta).message();
    answer["result"].clone()
}

fn write(mcp: &Mcp, approval: Option<&str>) -> Value {
    call(mcp, "files_write", &note(), approval)
}

/// The approval that an answer says to wait for.
fn waits(answer: &Value) -> String {
    assert_eq!(
        (&answer["isError"], &answer["_meta"]["dev.wardkeep/approval-is"]),
        (&json!(true), &json!("pending")),
        "{answer}"
    );
    let id = answer["_meta"]["dev.wardkeep/approval"].as_str().unwrap().to_owned();
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(&id) && text.contains("same call again"), "{text}");
    id
}

fn approve(home: &Home, id: &str) {
    let decided = home.json(&["approvals", "approve", id, "--reason", "change 4711"]);
    assert_eq!(decided["standing"]["is"], "approved", "{decided}");
}

fn refused(home: &Home, answer: &Value, rule: &str) {
    assert_eq!(answer["isError"], json!(true), "{answer}");
    let words = match rule {
        "approval-unknown" => "no such approval belongs to this call",
        "approval-used" => "was used already",
        "approval-expired" => "has expired",
        "approval-withdrawn" => "such calls were stopped since",
        _ => "denied this call",
    };
    assert!(answer["content"][0]["text"].as_str().unwrap().contains(words), "{answer}");
    on_record(home, rule, "denied");
}

fn codes(home: &Home) -> Vec<String> {
    let events = lines(home, "event").into_iter().map(|line| line["metadata"]["event_code"].clone());
    let events = events.map(|code| code.as_str().unwrap_or_default().to_owned());
    events.filter(|code| code.starts_with("appro")).collect()
}

#[test]
fn a_call_without_a_person_waits_for_the_operator_and_runs_once_when_it_is_made_again() {
    let home = confirming::home(SERVICE, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    assert!(mcp.tools().contains(&"files_write".to_owned()));
    let id = waits(&write(&mcp, None));
    on_record(&home, "awaits-approval", "input-required");
    // however often it asks, and in whichever order its arguments come
    assert_eq!(waits(&write(&mcp, None)), id);
    assert_eq!(waits(&write(&mcp, Some(&id))), id);
    assert_eq!(waits(&call(&mcp, "files_write", &json!({ "text": "very private", "path": "a.md" }), None)), id);
    nothing_written(&home, "nobody has decided");

    let listed = home.json(&["approvals", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!((&listed[0]["id"], &listed[0]["matter"]["principal"]), (&json!(id), &json!("service:test")));
    let shown = home.run(&["approvals", "show", &id]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for words in ["files_write, write, of files", "changes files below tree/", "/path = a.md", "text: \"very private\""]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    approve(&home, &id);
    let done = write(&mcp, None);
    assert_eq!(done["isError"], json!(false), "{done}");
    assert_eq!(fs::read_to_string(home.tree().join("a.md")).unwrap(), "very private");
    let intent = lines(&home, "intent").pop().unwrap();
    let confirmed = &intent["unmapped"]["confirmed"];
    assert_eq!((&confirmed["how"], &confirmed["approval"]), (&json!("operator"), &json!(id)), "{intent}");
    assert!(confirmed["by"].as_str().is_some_and(|by| !by.is_empty()), "{intent}");
    assert_eq!(codes(&home), ["approval-asked", "approved"]);

    // once: the same call has to be approved anew, and the old name is spent
    fs::remove_file(home.tree().join("a.md")).unwrap();
    refused(&home, &write(&mcp, Some(&id)), "approval-used");
    assert_ne!(waits(&write(&mcp, None)), id);
    assert_eq!(fs::read_dir(home.tree()).unwrap().count(), 0);
    assert_eq!(lines(&home, "intent").len(), 1);
    // neither the record nor what is kept of a settled call has its arguments
    assert!(!json!(home.journal()).to_string().contains("very private"));
    let file = home.path().join("state/approvals.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let kept = home.json(&["approvals", "show", &id]);
    assert_eq!(kept["standing"]["is"], "used", "{kept}");
    assert_eq!(kept["shown"]["arguments"], json!([]), "{kept}");
    let told = String::from_utf8(home.run(&["audit", "tail"]).stdout).unwrap();
    assert!(told.contains(&format!("(the operator, {id})")), "{told}");
}

#[test]
fn an_approval_outlives_kill_9_and_is_used_once_all_the_same() {
    let home = confirming::home(SERVICE, "", "");
    let serving = home.serve();
    let id = waits(&write(&serving.mcp(), None));
    serving.kill_9();
    // decided while nobody serves
    approve(&home, &id);
    let queue = home.path().join("state/approvals.json");
    let approved = fs::read(&queue).unwrap();
    let serving = home.serve();
    serving.kill_9();
    let serving = home.serve();
    assert_eq!(write(&serving.mcp(), Some(&id))["isError"], json!(false));
    serving.kill_9();
    fs::remove_file(home.tree().join("a.md")).unwrap();
    // as it was before it was used: the journal knows better
    fs::write(&queue, approved).unwrap();
    let serving = home.serve();
    refused(&home, &write(&serving.mcp(), Some(&id)), "approval-used");
    waits(&write(&serving.mcp(), None));
    assert_eq!(fs::read_dir(home.tree()).unwrap().count(), 0);
    assert_eq!(lines(&home, "intent").len(), 1);
    assert_eq!(codes(&home), ["approval-asked", "approved", "approval-asked"]);
}

#[test]
fn a_damaged_queue_is_found_by_check_and_set_aside_and_nothing_that_was_used_comes_back_with_it() {
    let home = confirming::home(SERVICE, "", "");
    let serving = home.serve();
    let (used, lost) = (waits(&write(&serving.mcp(), None)), json!({ "path": "b.md", "text": "x" }));
    let id = waits(&call(&serving.mcp(), "files_write", &lost, None));
    approve(&home, &used);
    approve(&home, &id);
    let queue = home.path().join("state/approvals.json");
    let approved = fs::read(&queue).unwrap();
    assert_eq!(write(&serving.mcp(), None)["isError"], json!(false));
    serving.kill_9();
    let whole = fs::read(&queue).unwrap();
    fs::write(&queue, whole.split_at(whole.len() / 2).0).unwrap();
    let said = home.refused(&["check"]);
    assert!(said.contains("fault    state/approvals.json: ") && said.contains("; a start sets it aside"), "{said}");
    let serving = home.serve();
    let stderr = serving.stderr();
    assert!(
        stderr.contains("no approval is known any more: ") && stderr.contains("approvals.json.damaged"),
        "{stderr}"
    );
    assert!(home.run(&["check"]).status.success());
    assert_eq!(home.json(&["approvals", "list", "--all"]), json!([]));
    // what had a yes is asked for anew, and what was used too
    assert_ne!(waits(&call(&serving.mcp(), "files_write", &lost, None)), id);
    assert_ne!(waits(&write(&serving.mcp(), None)), used);
    assert_eq!(lines(&home, "intent").len(), 1);
    serving.kill_9();
    // whoever mends it with an old copy does not mend what was used
    fs::write(&queue, approved).unwrap();
    let serving = home.serve();
    refused(&home, &write(&serving.mcp(), Some(&used)), "approval-used");
    assert_eq!(lines(&home, "intent").len(), 1);
}

#[test]
fn an_approval_is_for_one_call_of_one_caller_under_one_manifest() {
    let home = confirming::home(SERVICE, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let id = waits(&write(&mcp, None));
    approve(&home, &id);
    let other = Mcp { key: OTHER.to_owned(), ..mcp.clone() };
    refused(&home, &write(&other, Some(&id)), "approval-unknown");
    let elsewhere = json!({ "path": "b.md", "text": "very private" });
    refused(&home, &call(&mcp, "files_write", &elsewhere, Some(&id)), "approval-unknown");
    refused(&home, &call(&mcp, "files_append", &note(), Some(&id)), "approval-unknown");
    refused(&home, &write(&mcp, Some("apv-0000000000000000")), "approval-unknown");
    refused(&home, &write(&mcp, Some("yes")), "approval-unknown");
    waits(&write(&other, None));
    waits(&call(&mcp, "files_append", &note(), None));
    nothing_written(&home, "each of these is another call");

    change(&home, &serving);
    refused(&home, &write(&mcp, Some(&id)), "approval-unknown");
    assert_ne!(waits(&write(&mcp, None)), id);
    nothing_written(&home, "the manifest is another");
}

#[test]
fn a_denied_call_is_told_why_and_an_expired_one_asks_anew() {
    let home = confirming::home(SERVICE, "", "[confirmation]\ndeadline = \"2s\"\n");
    let serving = home.serve();
    let mcp = serving.mcp();
    let denied = waits(&write(&mcp, None));
    assert!(home.refused(&["approvals", "deny", &denied, "--reason", " "]).contains("the caller is told"));
    home.json(&["approvals", "deny", &denied, "--reason", "not during the freeze"]);
    for approval in [None, Some(denied.as_str())] {
        let told = write(&mcp, approval);
        refused(&home, &told, "approval-denied");
        assert!(told["content"][0]["text"].as_str().unwrap().ends_with("not during the freeze"), "{told}");
    }
    let told = home.refused(&["approvals", "approve", &denied]);
    assert!(told.contains("cannot be approved any more: it is denied"), "{told}");

    let append = |approval| call(&mcp, "files_append", &note(), approval);
    let (late, unused) =
        (waits(&append(None)), waits(&call(&mcp, "files_append", &json!({ "path": "b.md", "text": "x" }), None)));
    approve(&home, &unused);
    thread::sleep(Duration::from_millis(2_100));
    let told = home.refused(&["approvals", "approve", &late]);
    assert!(told.contains("it is expired"), "{told}");
    refused(&home, &append(Some(&late)), "approval-expired");
    let told = call(&mcp, "files_append", &json!({ "path": "b.md", "text": "x" }), Some(&unused));
    refused(&home, &told, "approval-expired");
    assert_ne!(waits(&append(None)), late);
    nothing_written(&home, "no yes in time");
    assert_eq!(codes(&home).iter().filter(|code| *code == "approval-expired").count(), 2);
}

#[test]
fn what_the_operator_has_to_confirm_is_confirmed_by_nobody_else() {
    // by the manifest, and by the operator's file for what destroys
    for (confirm, more, tool, arguments) in [
        (OPERATOR, "", "files_write", note()),
        ("", "[confirmation]\ndestructive = \"operator\"\n", "files_remove", json!({ "paths": ["a.md"] })),
    ] {
        let home = confirming::home(PERSON, confirm, more);
        let serving = home.serve();
        let mcp = serving.mcp();
        let answer = confirming::call(&mcp, tool, arguments.clone(), &json!({}))["result"].clone();
        let id = waits(&answer);
        let answers = json!({ "inputResponses": { confirming::CONFIRM: { "action": "accept", "content": { "confirm": "yes" } } } });
        assert_eq!(waits(&confirming::call(&mcp, tool, arguments.clone(), &answers)["result"]), id);
        nothing_written(&home, tool);
        approve(&home, &id);
        confirming::call(&mcp, tool, arguments, &json!({}));
        assert_eq!(lines(&home, "intent").pop().unwrap()["unmapped"]["confirmed"]["approval"], json!(id));
    }
}

#[test]
fn a_person_whose_client_cannot_ask_gets_the_approval_path_and_where_it_is_closed_is_told_what_is_missing() {
    let home = confirming::home(PERSON, "", "");
    let serving = home.serve();
    let id = waits(&write(&serving.mcp(), None));
    approve(&home, &id);
    assert_eq!(write(&serving.mcp(), Some(&id))["isError"], json!(false));
    drop(serving);
    // the command, which is a client that cannot ask either
    let arguments = json!({ "path": "b.md", "text": "x" }).to_string();
    let told = home.refused(&["call", "files_write", &arguments]);
    let id = told.split('`').nth(1).unwrap().to_owned();
    approve(&home, &id);
    let done = home.run(&["call", "files_write", &arguments, "--approval", &id]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let closed = confirming::home(PERSON, "", "[confirmation]\napprovals = false\n");
    let serving = closed.serve();
    let refused = serving.mcp().request("tools/call", json!({ "name": "files_write", "arguments": note() })).message();
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
    on_record(&closed, "no-elicitation", "denied");
    nothing_written(&closed, "nobody can be asked");
    let nobody = confirming::home(SERVICE, "", "[confirmation]\napprovals = false\n");
    let serving = nobody.serve();
    assert!(!serving.mcp().tools().contains(&"files_write".to_owned()), "nobody could ever say yes");
    assert_eq!(serving.mcp().call("files_write", note())["error"]["message"], "unknown tool `files_write`");
    nothing_written(&nobody, "nobody could ever say yes");
}

#[test]
fn of_many_who_call_again_at_once_one_executes() {
    let home = confirming::home(SERVICE, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    fs::write(home.tree().join("a.md"), "").unwrap();
    let append = |approval: Option<&str>| call(&mcp, "files_append", &note(), approval);
    let id = waits(&append(None));
    approve(&home, &id);
    let done = thread::scope(|scope| {
        let (append, id) = (&append, id.as_str());
        let racing = (0..32).map(|n| scope.spawn(move || append((n % 2 == 0).then_some(id))));
        let told = racing.collect::<Vec<_>>().into_iter().map(|racer| racer.join().unwrap());
        told.filter(|told| told["isError"] == json!(false)).count()
    });
    assert_eq!(done, 1);
    assert_eq!(fs::read_to_string(home.tree().join("a.md")).unwrap(), "very private");
    assert_eq!(lines(&home, "intent").len(), 1);
}
