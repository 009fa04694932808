//! A kill is in force within a second, wherever calls stand, survives everything, and stands in the log.

mod brakes;
mod callers;
mod recorded;
mod unwritten;

use std::{
    io::Write as _,
    process::Output,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin, sha256},
    http::Mcp,
    outside::Outside,
    serving::{Serving, Stdio2026},
    web::{Answer, Step, Web},
};

/// What the promise says, from when the command is typed: docs/architecture.md.
const SECOND: Duration = Duration::from_secs(1);
const LIMITS: &str = "fuel = 20_000_000_000\ndeadline = \"60s\"\nmemory = \"8MiB\"\nconcurrency = 20\n";

/// A plugin that echoes, and one that asks.
fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A command that must succeed.
fn done(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    text(&output)
}

fn events(home: &Home, kind: &str) -> Vec<Value> {
    let event = |line: Value| line["unmapped"]["event"].clone();
    home.journal().into_iter().map(event).filter(|event| event["kind"] == kind).collect()
}

/// The lines of one phase, each with its number and its outcome.
fn lines(home: &Home, phase: &str) -> Vec<(u64, String)> {
    let of_phase = home.journal().into_iter().filter(|line| line["unmapped"]["phase"] == phase);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_phase.map(|line| (line["metadata"]["sequence"].as_u64().unwrap(), text(&line["unmapped"]["outcome"]))).collect()
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_unknown(answer: &Value) -> bool {
    answer["error"]["code"] == -32602 && answer["error"]["message"].as_str().unwrap().starts_with("unknown tool `")
}

fn echo(mcp: &Mcp) -> Value {
    mcp.call("fixture_echo", json!({ "text": "here" }))
}

/// A home with what waits everywhere: loops, a slow upstream, a host function, a person.
fn waiting_everywhere() -> (Outside, Home) {
    let web = Web::start(&["api.example.com"], |_| {
        Answer::status(200).header("content-length", "4").step(Step::Wait(Duration::from_secs(60)))
    });
    let outside = Outside::new(web);
    let home = outside.home(&[("token", "wk-test-credential-0123456789")]);
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    let component = guests::path("hostile");
    home.install(&Plugin { limits: LIMITS, ..Plugin::plain("hostile", &component, &["loop"]) });
    let component = guests::path("waits");
    let waits = Plugin::granted("waits", &component, &[("for_ever", "[\"clock.now\"]")], "[grants.clock.now]\n");
    home.install(&Plugin { limits: LIMITS, wasi: "inert", ..waits });
    let component = guests::path("reaches");
    let grants = format!(
        "[grants.http.slow]\nhost = \"api.example.com\"\nport = {}\nmethods = [\"GET\"]\npaths = [\"/\"]\nsecret = \"token\"\n\
         private = [\"127.0.0.0/8\"]\n[secrets.token]\nsource = \"file:token\"\n\
         inject = {{ header = \"authorization\", format = \"Bearer {{}}\" }}\n",
        outside.web.address.port()
    );
    let reaches = Plugin::granted("reaches", &component, &[("look", "[\"http.slow\"]")], &grants);
    home.install(&Plugin { limits: LIMITS, ..reaches });
    let component = guests::path("asks");
    let tools = "[tools.ask]\neffect = \"read\"\nuses = []\nallow = [\"user:me\"]\nasks = true\n".to_owned();
    home.install(&Plugin { tools, ..Plugin::granted("asks", &component, &[], "") });
    let caller = |caller| {
        let digest = sha256(key(caller).as_bytes());
        format!(
            "[callers.keys.c{caller}]\nsha256 = \"{digest}\"\nprincipal = \"service:c{caller}\"\ngroups = [\"tests\"]\n"
        )
    };
    let operator = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &format!("{operator}\n{}", (0..CALLERS).map(caller).collect::<String>()));
    (outside, home)
}

/// A client of an older revision whose person is asked and does not answer.
fn thinking(home: &Home) -> Stdio2026 {
    let mut client = home.stdio();
    client.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "older", "version": "1" },
    }}));
    client.receive().expect("an answer");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    let params = json!({ "name": "asks_ask", "arguments": { "about": "cake" } });
    client.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }));
    let question = client.receive().expect("a question");
    assert_eq!(question["method"], "elicitation/create", "{question}");
    client
}

/// Callers with one call of each tool: of a tool's places no caller has all.
const CALLERS: usize = 22;

fn key(caller: usize) -> String {
    format!("wk_test_of_caller_{caller:02}_0123456789abcdef0123456789abcdef")
}

/// 62 calls over HTTP: endless loops, a slow upstream, a host function, and some that wait for a place.
fn calls_in_flight(serving: &Serving) -> Vec<thread::JoinHandle<(Value, Instant)>> {
    let slow = json!({ "owner": "o", "repo": "r", "requests": [{ "host": "api.example.com", "path": "/" }] });
    let calls = [("hostile_loop", json!({}), CALLERS), ("waits_for_ever", json!({}), 20), ("reaches_look", slow, 20)];
    let each = calls
        .into_iter()
        .flat_map(|(tool, arguments, count)| (0..count).map(move |caller| (caller, tool, arguments.clone())));
    each.map(|(caller, tool, arguments)| {
        let mcp = Mcp { key: key(caller), ..serving.mcp() };
        thread::spawn(move || {
            let answer = mcp.call(tool, arguments);
            (answer, Instant::now())
        })
    })
    .collect()
}

#[test]
fn kill_all_is_in_force_within_a_second_with_64_calls_in_flight_and_stays_so() {
    let (outside, home) = waiting_everywhere();
    let serving = home.serve();
    let asked: Vec<_> = (0..2).map(|_| thinking(&home)).collect();
    let calls = calls_in_flight(&serving);
    // 60 run, two wait for a place of their tool (for a second, and are refused then), and two for a person
    wait_for("60 calls run", || lines(&home, "intent").len() == 2 + 60 && outside.web.seen().len() == 20);
    let mcp = serving.mcp();
    let hammer = thread::spawn(move || {
        let mut refused = Vec::new();
        while refused.len() < 200 {
            let begun = Instant::now();
            let answer = echo(&mcp);
            refused.push((begun, Instant::now(), is_unknown(&answer)));
        }
        refused
    });

    let typed = Instant::now();
    let said = done(&home, &["kill", "all", "--reason", "an exercise"]);
    let acknowledged = Instant::now();
    assert!(said.contains("killed all; ") && said.contains(" running calls were ended"), "{said}");
    assert!(!said.contains("have not come to their end"), "{said}");
    let mut killed = 0;
    let mut last = acknowledged;
    for call in calls {
        let (answer, at) = call.join().unwrap();
        let words = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
        if words.contains("too many calls at once") {
            continue;
        }
        assert!(words.contains("was taken out of service while"), "{answer}");
        last = last.max(at);
        killed += 1;
    }
    assert!(killed >= 60, "{killed}");
    for mut client in asked {
        // the list is news, the question is taken back, and the call is answered
        let mut told = Vec::new();
        while told.last().is_none_or(|told: &Value| told["id"] != 7) {
            told.push(client.receive().expect("word of it"));
        }
        let is_told = |method: &str| told.iter().any(|told| told["method"] == method);
        assert!(is_told("notifications/cancelled"), "{told:?}");
        let answer = told.last().unwrap();
        assert!(answer.to_string().contains("was taken out of service while the call waited"), "{answer}");
        last = last.max(Instant::now());
    }
    let hammered = hammer.join().unwrap();
    let late: Vec<_> = hammered.iter().filter(|(begun, _, _)| *begun > acknowledged).collect();
    assert!(!late.is_empty() && late.iter().all(|(_, _, unknown)| *unknown), "something new ran");
    let first_refused = hammered.iter().find(|(_, _, unknown)| *unknown).unwrap().1;
    let took = last.max(first_refused).duration_since(typed);
    eprintln!("kill to acknowledgement {:?}, to the last answer {took:?}", acknowledged.duration_since(typed));
    assert!(took < SECOND, "{took:?}");

    assert!(serving.mcp().tools().is_empty(), "a killed tool leaves the list");
    serving.kill_9();
    // every call that ran is on record as killed, and nothing began after the kill
    let journal = home.journal();
    let kill = journal.iter().find(|line| line["metadata"]["event_code"] == "killed").expect("the kill");
    assert_eq!(kill["unmapped"]["event"]["target"], "all");
    assert_eq!(kill["unmapped"]["event"]["reason"], "an exercise");
    let at = kill["metadata"]["sequence"].as_u64().unwrap();
    let of = |line: &Value| line["metadata"]["correlation_uid"].as_str().unwrap_or_default().to_owned();
    let after = |line: &&Value| line["metadata"]["sequence"].as_u64() > Some(at);
    let in_phase = |phase: &'static str| journal.iter().filter(move |line| line["unmapped"]["phase"] == phase);
    // but for the echo that was at its end at that moment
    let not_killed: Vec<_> =
        in_phase("outcome").filter(after).filter(|line| line["unmapped"]["outcome"] != "killed").collect();
    assert!(not_killed.len() <= 1, "{not_killed:?}");
    let begun: Vec<_> = in_phase("intent").filter(after).map(of).collect();
    assert!(not_killed.iter().all(|line| !begun.contains(&of(line))), "something new ran: {not_killed:?}");
    let all_killed = lines(&home, "outcome").iter().filter(|(_, outcome)| outcome == "killed").count();
    assert!(all_killed >= 60, "{all_killed}");
    let asked = lines(&home, "refusal").into_iter().filter(|(_, outcome)| outcome == "killed").count();
    assert!(asked >= 1, "those that waited for a person are refusals");
    let again = home.serve();
    assert!(again.stderr().contains("stopped: all"), "{}", again.stderr());
    assert!(again.mcp().tools().is_empty() && is_unknown(&echo(&again.mcp())));
    assert_eq!(home.json(&["kills"])["kills"][0]["target"], "all");
    done(&home, &["revive", "all", "--reason", "it is over"]);
    assert_eq!(echo(&again.mcp())["result"]["structuredContent"], json!({ "text": "here" }));
    assert_eq!(events(&home, "revived")[0]["reason"], "it is over");
    assert_eq!((events(&home, "killed").len(), events(&home, "revived").len()), (1, 1));
    again.terminate();
    home.json(&["audit", "verify"]);
}

#[test]
fn a_kill_works_with_broken_documents_and_with_none() {
    let home = home();
    let serving = home.serve();
    let whole = (home.read("wardkeep.toml"), home.read("trust.toml"));
    home.write("wardkeep.toml", "format = = 1");
    home.write("trust.toml", "\u{0}");
    done(&home, &["kill", "plugin:fixture"]);
    assert!(is_unknown(&echo(&serving.mcp())));
    std::fs::remove_file(home.path().join("wardkeep.toml")).unwrap();
    std::fs::remove_file(home.path().join("trust.toml")).unwrap();
    done(&home, &["revive", "plugin:fixture"]);
    assert!(!is_unknown(&echo(&serving.mcp())));
    done(&home, &["kill", "tool:fixture_echo"]);
    assert!(is_unknown(&echo(&serving.mcp())));
    serving.kill_9();
    // with nobody there the log gets it all the same
    let said = done(&home, &["kill", "caller:service:test"]);
    assert!(said.contains("no host serves this home"), "{said}");
    assert_eq!(events(&home, "killed").len(), 3);
    home.write("wardkeep.toml", std::str::from_utf8(&whole.0).unwrap());
    home.write("trust.toml", std::str::from_utf8(&whole.1).unwrap());
    let again = home.serve();
    done(&home, &["revive", "tool:fixture_echo"]);
    assert!(is_unknown(&echo(&again.mcp())), "its caller is killed too");
    done(&home, &["revive", "caller:service:test"]);
    assert!(!is_unknown(&echo(&again.mcp())));
    assert_eq!((events(&home, "killed").len(), events(&home, "revived").len()), (3, 3));
}

#[test]
fn a_host_that_hangs_is_told_of_and_takes_the_kill_up_when_it_goes_on() {
    let home = home();
    let serving = home.serve();
    rustix::process::kill_process(serving.process(), rustix::process::Signal::STOP).unwrap();
    let typed = Instant::now();
    let output = home.run(&["kill", "all"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(typed.elapsed() < Duration::from_secs(15), "{:?}", typed.elapsed());
    assert!(said.contains("recorded, not confirmed: killed all: ") && said.contains("mend: "), "{said}");
    assert_eq!(home.json(&["kills"])["confirmed"], false, "and shown all the same");
    rustix::process::kill_process(serving.process(), rustix::process::Signal::CONT).unwrap();
    wait_for("the kill is taken up", || is_unknown(&echo(&serving.mcp())));
    wait_for("it is on record", || events(&home, "killed").len() == 1);
    assert_eq!(home.json(&["kills"])["confirmed"], true);
}

#[test]
fn what_is_killed_by_name_stops_that_and_nothing_else() {
    let home = home();
    let operator = std::fs::OpenOptions::new().append(true).open(home.path().join("wardkeep.toml"));
    let key = crate::support::home::sha256(b"wk_other");
    writeln!(
        operator.unwrap(),
        "[callers.keys.other]\nsha256 = \"{key}\"\nprincipal = \"service:other\"\ngroups = [\"tests\"]"
    )
    .unwrap();
    let serving = home.serve();
    let (mcp, other) = (serving.mcp(), Mcp { address: serving.address, key: "wk_other".to_owned() });
    let both = || (is_unknown(&echo(&mcp)), is_unknown(&echo(&other)));
    assert_eq!(both(), (false, false));
    for (target, stopped) in [
        ("caller:service:test", (true, false)),
        ("caller:service:other", (false, true)),
        ("tool:fixture_echo", (true, true)),
        ("plugin:fixture", (true, true)),
        ("writes", (false, false)),
        ("all", (true, true)),
    ] {
        done(&home, &["kill", target]);
        assert_eq!(both(), stopped, "{target}");
        done(&home, &["revive", target]);
    }
    assert_eq!(both(), (false, false));
    let refused = home.refused(&["revive", "all"]);
    assert!(refused.contains("`all` is not killed") && refused.contains("nothing is killed"), "{refused}");
    assert_eq!(home.run(&["kill", "plugin:No Such"]).status.code(), Some(2));
    let said = done(&home, &["kill", "plugin:fixtura"]);
    assert!(said.contains("nothing of the name `plugin:fixtura` is served now"), "{said}");
}
