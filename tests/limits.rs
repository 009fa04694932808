//! How often and how much: exactly what the limits say, for each caller by itself, through every door, and every refusal on record.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    confirming::{self, PERSON, yes},
    support::{
        guests,
        home::{Home, Plugin, sha256},
        http::Mcp,
        serving::Serving,
    },
};

/// A home whose operator's file says this besides, with callers of these names.
fn home(names: &[&str], more: &str) -> Home {
    let home = Home::new();
    let table = |name: &&str| {
        let digest = sha256(key(name).as_bytes());
        format!("[callers.keys.{name}]\nsha256 = \"{digest}\"\nprincipal = \"service:{name}\"\ngroups = [\"tests\"]\n")
    };
    let callers: String = names.iter().map(table).collect();
    home.write("wardkeep.toml", &home.operator_file(&sha256(&home.read("trust.toml")), &format!("{callers}{more}")));
    home
}

fn key(name: &str) -> String {
    format!("wk_test_of_{name}_0123456789abcdef0123456789abcdef")
}

fn of(serving: &Serving, name: &str) -> Mcp {
    Mcp { key: key(name), ..serving.mcp() }
}

/// The fixture, with these rates of its tools.
fn install(home: &Home, serial: u64, rates: &[(&str, &str)]) {
    let component = guests::path("fixture");
    let table = |(tool, rate): &(&str, &str)| {
        let allow = "allow = [\"group:tests\", \"user:me\"]";
        format!("[tools.{tool}]\neffect = \"read\"\nuses = []\n{allow}\n{rate}\n")
    };
    let tools = rates.iter().map(table).collect();
    home.install(&Plugin { serial, tools, ..Plugin::plain("fixture", &component, &[]) });
}

/// Seconds after which a throttled caller may come again; nothing for an answer of the tool.
fn retry_after(answer: &Value) -> Option<u64> {
    let seconds = answer["result"]["_meta"]["dev.wardkeep/retry-after-seconds"].as_u64();
    assert_eq!(answer["result"]["isError"] == json!(true), seconds.is_some(), "{answer}");
    seconds
}

fn says(answer: &Value, words: &str) -> bool {
    answer["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains(words))
}

/// So many calls, one after the other. How many were let in.
fn calls(mcp: &Mcp, tool: &str, how_many: usize) -> usize {
    let mut connection = mcp.keep_alive().unwrap();
    let arguments = if tool == "fixture_slow" { json!({ "steps": 1 }) } else { json!({}) };
    (0..how_many).filter(|_| retry_after(&connection.call(tool, arguments.clone()).unwrap()).is_none()).count()
}

/// What the journal says of refusals: by caller and rule, how many; and in how many lines.
fn refusals(home: &Home) -> (BTreeMap<(String, String), u64>, usize) {
    let journal = home.journal();
    let lines: Vec<_> = journal.iter().filter(|line| line["unmapped"]["phase"] == "refusal").collect();
    let mut counted = BTreeMap::new();
    for line in &lines {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = (word(&line["actor"]["user"]["name"]), word(&line["unmapped"]["rule"]));
        *counted.entry(kind).or_default() += line["count"].as_u64().unwrap_or(1);
    }
    (counted, lines.len())
}

fn outcomes(home: &Home, caller: &str) -> usize {
    let journal = home.journal();
    let of = |line: &&Value| line["unmapped"]["phase"] == "outcome" && line["actor"]["user"]["name"] == caller;
    journal.iter().filter(of).count()
}

#[test]
fn callers_beyond_their_limits_get_exactly_theirs_and_callers_within_get_all_of_theirs() {
    let home = home(&["a", "b", "c", "d", "e", "f", "g"], "[limits]\nrate = \"120/d\"\n");
    let rates = [("echo", "rate = { caller = \"50/d\" }"), ("slow", "rate = { tool = \"100/d\" }"), ("canary", "")];
    install(&home, 1, &rates);
    let serving = home.serve();
    let host = &serving;
    thread::scope(|scope| {
        // four times what one tool allows each of them, from two connections, then as much again of another
        let greedy = ["a", "b"].map(|name| {
            let twice = move |tool| {
                let halves = [(), ()].map(|()| scope.spawn(move || calls(&of(host, name), tool, 100)));
                halves.map(|half| half.join().unwrap()).iter().sum::<usize>()
            };
            scope.spawn(move || (twice("fixture_echo"), twice("fixture_canary")))
        });
        let shared = ["c", "d", "e"].map(|name| scope.spawn(move || calls(&of(host, name), "fixture_slow", 90)));
        let within = ["f", "g"].map(|name| {
            let all = move |tool, how_many| calls(&of(host, name), tool, how_many);
            scope.spawn(move || (all("fixture_echo", 40), all("fixture_canary", 80)))
        });
        assert_eq!(greedy.map(|caller| caller.join().unwrap()), [(50, 70); 2]);
        assert_eq!(shared.map(|caller| caller.join().unwrap()).iter().sum::<usize>(), 100);
        assert_eq!(within.map(|caller| caller.join().unwrap()), [(40, 80); 2]);
    });
    // 120 a day are one in 720 seconds, 100 one in 864
    let refused = of(host, "a").call("fixture_canary", json!({}));
    assert!((600..=720).contains(&retry_after(&refused).unwrap()) && says(&refused, "too many calls; "), "{refused}");
    let refused = of(host, "c").call("fixture_slow", json!({ "steps": 1 }));
    assert!((721..=864).contains(&retry_after(&refused).unwrap()) && says(&refused, "to this tool; "), "{refused}");

    // every refusal is accounted for, in few lines
    assert_eq!(serving.terminate().0, Some(0));
    let (refused, lines) = refusals(&home);
    let of = |name: &str, rule: &str| refused.get(&(format!("service:{name}"), rule.to_owned())).copied().unwrap_or(0);
    for name in ["a", "b"] {
        assert_eq!(of(name, "rate-caller-tool"), 150, "{refused:?}");
        assert_eq!(outcomes(&home, &format!("service:{name}")), 120);
    }
    assert_eq!([of("a", "rate-caller"), of("b", "rate-caller")], [131, 130], "{refused:?}");
    assert_eq!(["c", "d", "e"].map(|name| of(name, "rate-tool")).iter().sum::<u64>(), 171, "{refused:?}");
    assert_eq!(refused.values().sum::<u64>(), 300 + 261 + 171, "and nothing else: {refused:?}");
    assert!(lines < 60, "{lines}");
    home.json(&["audit", "verify"]);
}

/// The lines of a command that prints many, as text and as JSON.
fn asked(home: &Home, arguments: &[&str]) -> (String, Vec<Value>) {
    let text = String::from_utf8(home.run(arguments).stdout).unwrap();
    let json = String::from_utf8(home.run(&[&["--json"], arguments].concat()).stdout).unwrap();
    (text, json.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn every_refused_call_is_found_by_the_id_that_its_caller_was_told_and_counted_as_soon_as_somebody_asks() {
    let home = home(&["a"], "[limits]\nrate = \"2/d\"\n");
    install(&home, 1, &[("echo", "")]);
    let serving = home.serve();
    let mcp = of(&serving, "a");
    assert_eq!(calls(&mcp, "fixture_echo", 2), 2);
    let mut ids = Vec::new();
    for _ in 0..7 {
        let refused = mcp.call("fixture_echo", json!({}));
        assert!(retry_after(&refused).is_some(), "{refused}");
        ids.push(refused["result"]["_meta"]["dev.wardkeep/correlation-id"].as_str().unwrap().to_owned());
    }
    let begun = Instant::now();
    for id in &ids {
        let (text, lines) = asked(&home, &["audit", "query", "--correlation-id", id]);
        assert_eq!(lines.iter().map(|line| line["count"].as_u64().unwrap_or(1)).sum::<u64>(), 7, "{id}: {text}");
        assert!(text.contains("6 more, ") && text.contains("by rate-caller"), "{text}");
        assert!(text.lines().all(|line| line.contains("  from 127.0.0.1")), "{text}");
    }
    // one more, a while later
    let refused = mcp.call("fixture_echo", json!({}));
    assert!(retry_after(&refused).is_some());
    let (text, lines) = asked(&home, &["audit", "tail"]);
    assert!(begun.elapsed() < Duration::from_secs(10), "nothing of this was written because its time had come");
    assert!(text.lines().last().unwrap().contains("1 more, at "), "{text}");
    let times: Vec<_> = lines.iter().map(|line| line["time"].as_i64().unwrap()).collect();
    assert!(times.is_sorted(), "a tail is in order of time: {text}");
    serving.terminate();
    assert_eq!(refusals(&home).0, [(("service:a".to_owned(), "rate-caller".to_owned()), 8)].into());
    home.json(&["audit", "verify"]);
}

#[test]
fn who_asks_for_the_log_of_a_host_that_hangs_gets_it_and_is_told() {
    let home = home(&["a"], "[limits]\nrate = \"1/d\"\n");
    install(&home, 1, &[("echo", "")]);
    let serving = home.serve();
    assert_eq!(calls(&of(&serving, "a"), "fixture_echo", 3), 1);
    rustix::process::kill_process(serving.process(), rustix::process::Signal::STOP).unwrap();
    let begun = Instant::now();
    let tail = home.run(&["audit", "tail"]);
    let took = begun.elapsed();
    rustix::process::kill_process(serving.process(), rustix::process::Signal::CONT).unwrap();
    assert!(tail.status.success() && took < Duration::from_secs(8), "{took:?}");
    assert!(String::from_utf8_lossy(&tail.stdout).contains("throttled"), "{tail:?}");
    assert!(String::from_utf8_lossy(&tail.stderr).contains("did not say in time that all is written"), "{tail:?}");
}

#[test]
fn every_door_leads_through_the_same_limits() {
    let caller =
        format!("[callers.keys.mine]\nsha256 = \"{}\"\nprincipal = \"user:me\"\n", sha256(key("mine").as_bytes()));
    let home = home(&[], &format!("{caller}[limits.callers.\"user:me\"]\nrate = \"6/d\"\n"));
    install(&home, 1, &[("echo", "")]);
    let serving = home.serve();
    let command = || home.run(&["call", "fixture_echo"]);
    let mut relay = home.stdio();
    let mut through_http = of(&serving, "mine").keep_alive().unwrap();
    for _ in 0..2 {
        assert!(command().status.success());
        assert_eq!(retry_after(&relay.call("fixture_echo", json!({}))), None);
        assert_eq!(retry_after(&through_http.call("fixture_echo", json!({})).unwrap()), None);
    }
    let refused = command();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("too many calls; try again in"), "{refused:?}");
    assert!(retry_after(&relay.call("fixture_echo", json!({}))).is_some());
    assert!(retry_after(&through_http.call("fixture_echo", json!({})).unwrap()).is_some());
    assert_eq!(calls(&serving.mcp(), "fixture_echo", 10), 10, "nobody else's are used up");
    relay.hang_up();
    drop(serving);

    // and over standard input of the process that owns the home
    let mut owner = home.stdio();
    let let_in = (0..8).filter(|_| retry_after(&owner.call("fixture_echo", json!({}))).is_none()).count();
    assert_eq!(let_in, 6, "what is counted ends with the process");
    owner.hang_up();
}

#[test]
fn no_reload_fills_a_bucket() {
    let home = home(&["a"], "[limits]\nrate = \"20/d\"\n");
    let rate = [("echo", "rate = { caller = \"5/d\" }"), ("canary", "")];
    install(&home, 1, &rate);
    let serving = home.serve();
    let a = of(&serving, "a");
    assert_eq!(calls(&a, "fixture_echo", 10), 5);
    assert_eq!(calls(&a, "fixture_canary", 10), 10);
    // the manifest anew with the same rate, then with a wider one; the operator's file with a wider one at the end
    install(&home, 2, &rate);
    reload(&home, &serving, 2);
    assert_eq!(calls(&a, "fixture_echo", 3), 0, "five of five are used");
    install(&home, 3, &[("echo", "rate = { caller = \"7/d\" }"), ("canary", "")]);
    reload(&home, &serving, 3);
    assert_eq!(calls(&a, "fixture_echo", 10), 2, "five of seven are used");
    assert_eq!(calls(&a, "fixture_canary", 10), 3, "seventeen of twenty are used");
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &file.replace("\"20/d\"", "\"24/d\""));
    serving.hang_up();
    let begun = Instant::now();
    let mut let_in = 0;
    while let_in < 4 && begun.elapsed() < Duration::from_secs(30) {
        let_in += calls(&a, "fixture_canary", 1);
    }
    assert_eq!((let_in, calls(&a, "fixture_canary", 5)), (4, 0), "twenty of twenty-four are used");
}

/// Waits until the manifest of this serial is on record as served.
fn reload(home: &Home, serving: &Serving, serial: u64) {
    serving.hang_up();
    let begun = Instant::now();
    let loaded = |line: &Value| {
        let event = &line["unmapped"]["event"];
        event["kind"] == "plugin-loaded" && event["serial"] == serial
    };
    while !home.journal().iter().any(loaded) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", serving.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    // it is on record just before it serves
    thread::sleep(Duration::from_millis(500));
}

#[test]
fn a_call_reserves_its_fuel_and_gives_back_what_it_did_not_use() {
    let home = home(&["a", "b"], "[limits]\nfuel_per_minute = 2_000_000_000\n");
    let component = guests::path("fixture");
    let limits = "fuel = 2_000_000_000\ndeadline = \"30s\"\n";
    home.install(&Plugin { limits, ..Plugin::plain("fixture", &component, &["echo"]) });
    install_loops(&home);
    let serving = home.serve();
    let a = of(&serving, "a");
    assert_eq!(calls(&a, "fixture_echo", 20), 20, "each reserves all there is, and gives it back");
    let looping = {
        let a = a.clone();
        thread::spawn(move || a.call("loops_loop", json!({})))
    };
    wait_for(&home, "loops_loop");
    let refused = a.call("fixture_echo", json!({}));
    assert!(retry_after(&refused).is_some() && says(&refused, "too much computation"), "{refused}");
    assert_eq!(calls(&of(&serving, "b"), "fixture_echo", 5), 5);
    looping.join().unwrap();
    drop(serving);
    assert_eq!(refusals(&home).0, [(("service:a".to_owned(), "fuel-budget".to_owned()), 1)].into());
}

#[test]
fn a_caller_has_so_many_calls_at_once_and_the_host_so_many_of_all() {
    let home = home(&["a", "b"], "[limits]\ncalls = 6\n[limits.callers.\"service:b\"]\nconcurrency = 2\n");
    install(&home, 1, &[("echo", "")]);
    install_loops(&home);
    let serving = home.serve();
    let looping = |name: &str, how_many: usize| {
        let loops = (0..how_many).map(|_| {
            let mcp = of(&serving, name);
            thread::spawn(move || mcp.call("loops_loop", json!({})))
        });
        loops.collect::<Vec<_>>()
    };
    let mut loops = looping("b", 2);
    wait_for(&home, "loops_loop");
    thread::sleep(Duration::from_millis(300));
    let echo = |name: &str| of(&serving, name).call("fixture_echo", json!({}));
    let refused = echo("b");
    assert!(retry_after(&refused) == Some(1) && says(&refused, "too many calls at once"), "{refused}");
    // two of six are b's; a may have two and leave as many free, and no third
    loops.extend(looping("a", 2));
    thread::sleep(Duration::from_millis(300));
    let refused = echo("a");
    assert!(retry_after(&refused) == Some(1) && says(&refused, "the host is busy"), "{refused}");
    assert_eq!(calls(&serving.mcp(), "fixture_echo", 5), 5, "who has nothing under way gets in");
    loops.into_iter().for_each(|call| drop(call.join().unwrap()));
    assert_eq!(calls(&of(&serving, "a"), "fixture_echo", 5), 5);
    drop(serving);
    let one = |name: &str, rule: &str| ((format!("service:{name}"), rule.to_owned()), 1);
    assert_eq!(refusals(&home).0, [one("a", "overload"), one("b", "caller-concurrency")].into());
}

#[test]
fn one_caller_cannot_take_a_tool_away_from_the_others() {
    let home = home(&["a", "b"], "");
    let component = guests::path("fixture");
    let limits = "fuel = 20_000_000_000\ndeadline = \"30s\"\nconcurrency = 8\n";
    home.install(&Plugin { limits, ..Plugin::plain("fixture", &component, &["slow"]) });
    let serving = home.serve();
    // as many as it likes, each again as soon as it is answered, until the host is gone
    let greedy = (0..24).map(|_| {
        let mcp = of(&serving, "a");
        thread::spawn(move || {
            let mut connection = mcp.keep_alive().unwrap();
            while connection.call("fixture_slow", json!({ "steps": 2_000_000_000 })).is_ok() {}
        })
    });
    let greedy: Vec<_> = greedy.collect();
    wait_for(&home, "fixture_slow");
    // all of them are there, and those that found no place have waited for longer than anybody waits
    thread::sleep(Duration::from_millis(1_500));
    assert!(greedy.iter().all(|call| !call.is_finished()));
    assert_eq!(calls(&of(&serving, "b"), "fixture_slow", 10), 10);
    drop(serving);
    greedy.into_iter().for_each(|call| call.join().unwrap());
    let refused: Vec<_> = refusals(&home).0.into_keys().collect();
    assert_eq!(refused, [("service:a".to_owned(), "concurrency".to_owned())]);
}

#[test]
fn a_write_that_waits_for_its_person_counts_once_and_a_borrowed_yes_gets_around_no_rate() {
    let home = confirming::home(PERSON, "rate = { caller = \"2/d\" }\n", "[limits]\nwrites = \"3/d\"\n");
    let serving = home.serve();
    let mcp = serving.mcp();
    let ask = |tool: &str| confirming::call(&mcp, tool, confirming::note(), &json!({}));
    for _ in 0..2 {
        let asked = ask("files_write")["result"].clone();
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let done = confirming::call(&mcp, "files_write", confirming::note(), &yes(&asked));
        assert_eq!(done["result"]["isError"], json!(false), "two of two, and a yes counts for nothing: {done}");
        fs::remove_file(home.tree().join("a.md")).unwrap();
    }
    let refused = ask("files_write");
    assert!(retry_after(&refused).is_some() && says(&refused, "of yours to this tool; "), "{refused}");
    // the third of three writes, by another tool; what it was asked lets nothing else in
    let asked = ask("files_append")["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let borrowed = confirming::call(&mcp, "files_write", confirming::note(), &yes(&asked));
    assert!(retry_after(&borrowed).is_some(), "{borrowed}");
    let refused = ask("files_append");
    assert!(says(&refused, "too many calls that change something; "), "{refused}");
    let done = confirming::call(&mcp, "files_append", confirming::note(), &yes(&asked));
    assert_eq!(done["result"]["isError"], json!(false), "{done}");
}

#[test]
fn a_write_that_waits_for_the_operator_counts_once_and_no_invented_approval_gets_around_a_rate() {
    let home = confirming::home("writes = true\n", "rate = { caller = \"2/d\" }\n", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let write = |approval: Option<&str>| {
        let params = json!({ "name": "files_write", "arguments": confirming::note() });
        let meta = approval.map_or_else(|| json!({}), |name| json!({ "dev.wardkeep/approval": name }));
        mcp.request_with_meta("tools/call", params, meta).message()
    };
    let id = |answer: &Value| answer["result"]["_meta"]["dev.wardkeep/approval"].as_str().map(str::to_owned);
    let first = id(&write(None)).expect("it waits");
    for _ in 0..10 {
        assert_eq!(id(&write(Some(&first))).as_ref(), Some(&first), "to ask for news counts for nothing");
    }
    home.json(&["approvals", "approve", &first]);
    assert_eq!(write(Some(&first))["result"]["isError"], json!(false));
    // the second of two; a name that is spent and one that is nobody's are no way around
    assert!(says(&write(Some(&first)), "was used already"));
    for name in [Some(first.as_str()), Some("apv-0123456789abcdef"), None] {
        let refused = write(name);
        assert!(retry_after(&refused).is_some(), "{refused}");
    }
}

/// A plugin that takes three seconds.
fn install_loops(home: &Home) {
    let component = guests::path("hostile");
    let limits = "fuel = 20_000_000_000\ndeadline = \"3s\"\n";
    home.install(&Plugin { limits, ..Plugin::plain("loops", &component, &["loop"]) });
}

/// Until a call of this tool is on record.
fn wait_for(home: &Home, tool: &str) {
    let begun = Instant::now();
    while !home.journal().iter().any(|line| line["api"]["operation"] == tool) {
        assert!(begun.elapsed() < Duration::from_secs(10));
        thread::sleep(Duration::from_millis(10));
    }
}
