//! Who may call what: what the operator is told is what clients are shown and what is decided, for every caller and at every stage.

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin, sha256},
    http::Mcp,
};

/// Callers besides `test`, each with a key of its own name: their groups, and what the operator lets them do.
const CALLERS: [(&str, &str, &str); 4] = [
    ("pilot", "[\"tests\", \"platform\"]", ""),
    ("stranger", "[]", ""),
    ("writer", "[\"tests\"]", "writes = true\nunconfirmed_writes = true\n"),
    ("confirmed", "[\"tests\"]", "writes = true\nhuman = true\n"),
];

fn tools(allow: &str) -> String {
    format!(
        "[tools.echo]\neffect = \"read\"\nallow = {allow}\nresources = [\"/text\"]\nonly = {{ \"/text\" = [\"a\", \"b*\"] }}\n\
         rate = {{ caller = \"10/min\" }}\nlimits = {{ deadline = \"3s\" }}\n\
         [tools.contents]\neffect = \"read\"\nallow = {allow}\nstage = \"pilot\"\npilot_groups = [\"platform\"]\n\
         [tools.fail]\neffect = \"read\"\nallow = {allow}\nstage = \"off\"\n\
         [tools.slow]\neffect = \"read\"\nallow = {allow}\nstage = \"pilot\"\npilot_groups = [\"platform\"]\n\
         [tools.log]\neffect = \"read\"\nallow = [\"user:me\"]\n\
         [tools.note]\neffect = \"write\"\nside_effects = \"none\"\nconfirm = \"none\"\nallow = {allow}\n"
    )
}

fn home() -> Home {
    let home = Home::new();
    let keys: String = CALLERS
        .iter()
        .map(|(name, groups, more)| {
            let sha256 = sha256(format!("wk_{name}").as_bytes());
            format!("[callers.keys.{name}]\nsha256 = \"{sha256}\"\nprincipal = \"service:{name}\"\ngroups = {groups}\n{more}")
        })
        .collect();
    let issuer = "[callers.oauth.idp]\nissuer = \"https://idp.example\"\njwks = \"idp.json\"\n";
    let file = home.operator_file(&sha256(&home.read("trust.toml")), &format!("{keys}{issuer}"));
    let file = file.replacen("[listen]\n", "[listen]\npublic_url = \"https://tools.example/mcp\"\n", 1);
    home.write("wardkeep.toml", &file);
    let component = guests::path("fixture");
    let mut plugin = Plugin::plain("fixture", &component, &[]);
    plugin.tools = tools("[\"group:tests\"]");
    home.install(&plugin);
    home
}

/// What the two lists have in common, tool by tool.
fn of_client(list: &Value) -> Vec<Value> {
    let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
    let of = |tool: &Value| {
        json!([
            tool["name"],
            tool["description"],
            tool["inputSchema"],
            tool["outputSchema"],
            tool["annotations"]["readOnlyHint"]
        ])
    };
    tools.iter().map(of).collect()
}

fn of_operator(list: &Value) -> Vec<Value> {
    let tools = list.as_array().unwrap_or_else(|| panic!("{list}"));
    let of = |tool: &Value| {
        let reads = tool["effect"] == "read";
        json!([tool["name"], tool["description"], tool["input_schema"], tool["output_schema"], reads])
    };
    tools.iter().map(of).collect()
}

#[test]
fn the_operator_s_list_of_a_caller_is_the_one_that_its_client_is_shown() {
    let home = home();
    let serving = home.serve();
    for (caller, expected) in [
        ("test", &["fixture_echo"][..]),
        ("pilot", &["fixture_contents", "fixture_echo", "fixture_slow"]),
        ("stranger", &[]),
        ("writer", &["fixture_echo", "fixture_note"]),
        ("confirmed", &["fixture_echo"]),
    ] {
        let key = if caller == "test" { crate::support::home::KEY.to_owned() } else { format!("wk_{caller}") };
        let mcp = Mcp { address: serving.address, key };
        let shown = of_client(&mcp.request("tools/list", json!({})).message());
        let names: Vec<_> = shown.iter().map(|tool| tool[0].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{caller}");
        for asked in [caller.to_owned(), format!("service:{caller}")] {
            assert_eq!(of_operator(&home.json(&["tools", "--as", &asked])), shown, "{asked}");
        }
    }
    drop(serving);
    // over standard input, as the operating system's own user
    let mut client = home.stdio();
    let shown = of_client(&client.request("tools/list", json!({})));
    assert_eq!(shown.len(), 1);
    assert_eq!(of_operator(&home.json(&["tools"])), shown);
    assert_eq!(of_operator(&home.json(&["tools", "--as", "user:me"])), shown);
}

#[test]
fn a_caller_with_a_token_is_asked_about_by_its_groups_and_scopes() {
    let home = home();
    let names = |more: &[&str]| {
        let list = home.json(&[&["tools", "--as", "oauth:idp/alice"], more].concat());
        of_operator(&list).iter().map(|tool| tool[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--group", "tests"]), ["fixture_echo"]);
    assert_eq!(
        names(&["--group", "tests", "--group", "platform"]),
        ["fixture_contents", "fixture_echo", "fixture_slow"]
    );
    assert_eq!(names(&["--group", "tests", "--scope", "write"]), [""; 0]);
    let why = home.run(&["why", "oauth:idp/alice", "fixture_echo", "--group", "tests", "--scope", "write"]);
    let told = String::from_utf8(why.stdout).unwrap();
    assert!(told.contains("refused  scope         scope: the token: that `oauth:idp/alice`"), "{told}");
    assert!(told.contains("mend: a token with the scope tools:read"), "{told}");
    // Nobody is made up: an issuer that is not there is a slip of the pen, and a caller in the file has what stands there.
    let refused = home.refused(&["tools", "--as", "oauth:ipd/alice", "--group", "tests"]);
    assert!(refused.contains("no caller `oauth:ipd/alice` in wardkeep.toml"), "{refused}");
    let refused = home.refused(&["tools", "--as", "service:tset"]);
    assert!(refused.contains("no caller `service:tset` in wardkeep.toml\n  mend: name one of `user:me`"), "{refused}");
    let refused = home.refused(&["why", "pilot", "fixture_echo", "--group", "oncall"]);
    assert!(refused.contains("leave --group and --scope out"), "{refused}");
}

#[test]
fn why_names_the_limits_of_the_caller_and_where_they_stand() {
    let home = home();
    let told = |caller: &str| {
        let text = String::from_utf8(home.run(&["why", caller, "fixture_echo"]).stdout).unwrap();
        let report: Value =
            serde_json::from_slice(&home.run(&["--json", "why", caller, "fixture_echo"]).stdout).unwrap();
        (text, report["caller"].clone())
    };
    let (text, report) = told("service:test");
    assert!(text.contains("128 calls at once: the defaults of [limits] in wardkeep.toml"), "{text}");
    assert_eq!((&report["rate"], &report["place"]), (&json!("1000000/min"), &Value::Null));
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    let limits = "[limits]\nconcurrency = 7\n[limits.callers.\"service:test\"]\nrate = \"5/min\"\n";
    home.write("wardkeep.toml", &format!("{file}{limits}"));
    let (text, report) = told("service:test");
    assert!(text.contains("rate 5/min, writes 600/min, fuel 4000000000000 a minute, 7 calls at once: "), "{text}");
    assert!(text.contains("[limits.callers.\"service:test\"] of wardkeep.toml"), "{text}");
    assert!(text.contains("how much of that is left, only the host that runs knows"), "{text}");
    assert_eq!(
        (&report["rate"], &report["concurrency"], &report["place"]),
        (&json!("5/min"), &json!(7), &json!("limits.callers.\"service:test\""))
    );
    let (text, report) = told("pilot");
    assert!(text.contains("rate 1000000/min") && text.contains("[limits] of wardkeep.toml"), "{text}");
    assert_eq!(report["place"], json!("limits"));
}

/// Every ruling as `step verdict`, and the whole report.
fn why(home: &Home, arguments: &[&str], allowed: bool) -> (Vec<String>, Value) {
    let output = home.run(&[&["--json", "why"], arguments].concat());
    assert_eq!(output.status.code(), Some(i32::from(!allowed)), "{arguments:?}: {output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["allowed"], json!(allowed));
    let rulings = report["rulings"].as_array().unwrap();
    let told = |ruling: &Value| format!("{} {}", ruling["step"].as_str().unwrap(), ruling["verdict"].as_str().unwrap());
    (rulings.iter().map(told).collect(), report)
}

#[test]
fn why_tells_each_rule_with_its_line_and_runs_nothing() {
    let home = home();
    let (rulings, report) = why(&home, &["pilot", "fixture_echo", r#"{"text":"bcd"}"#], true);
    let steps =
        "tool kills trust revocation expiry signatures stage allow writes confirmation scope schema only".split(' ');
    assert_eq!(rulings, steps.clone().map(|step| format!("{step} passed")).collect::<Vec<_>>());
    let allow = &report["rulings"][7];
    assert_eq!((&allow["file"], &allow["key"]), (&json!("plugins/fixture/manifest.toml"), &json!("tools.echo.allow")));
    let line = usize::try_from(allow["line"].as_u64().unwrap()).unwrap();
    let manifest = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    assert_eq!(manifest.lines().nth(line - 1), Some("allow = [\"group:tests\"]"));
    let call = &report["call"];
    assert_eq!(call["resources"], json!([["/text", "bcd"]]));
    assert_eq!((&call["rate"]["caller"], &call["limits"]["deadline"]), (&json!("10/min"), &json!("3s")));
    assert_eq!(call["confirmation"], json!("none"));

    // without arguments the rules on them are not asked
    let (rulings, _) = why(&home, &["service:pilot", "fixture_echo"], true);
    assert_eq!(rulings[11..], ["schema not-reached", "only not-reached"]);

    for (arguments, rule, step, key) in [
        (&["test", "fixture_contents"][..], "stage-pilot", "stage", "tools.contents.pilot_groups"),
        (&["test", "fixture_fail"], "stage-off", "stage", "tools.fail.stage"),
        (&["test", "fixture_log"], "not-allowed", "allow", "tools.log.allow"),
        (&["test", "fixture_note"], "caller-may-not-write", "writes", "callers.keys.test.writes"),
        (
            &["confirmed", "fixture_note"],
            "unconfirmed-writes",
            "confirmation",
            "callers.keys.confirmed.unconfirmed_writes",
        ),
        (&["pilot", "fixture_slow", r#"{"steps":"x"}"#], "schema", "schema", ""),
        (&["test", "fixture_echo", r#"{"text":7}"#], "resource-not-allowed", "only", "tools.echo.only.\"/text\""),
        (&["test", "fixture_echo", r#"{"text":"c"}"#], "resource-not-allowed", "only", "tools.echo.only.\"/text\""),
        (&["test", "fixture_nothing"], "unknown-tool", "tool", ""),
    ] {
        let (rulings, report) = why(&home, arguments, false);
        assert_eq!(report["rule"], json!(rule), "{arguments:?}");
        let at = rulings.iter().position(|ruling| ruling.ends_with(" refused")).unwrap();
        assert_eq!(rulings[at], format!("{step} refused"));
        assert_eq!(report["rulings"][at]["key"], json!(key), "{arguments:?}");
        assert!(rulings[..at].iter().all(|ruling| ruling.ends_with(" passed")), "{rulings:?}");
        assert!(rulings[at + 1..].iter().all(|ruling| ruling.ends_with(" not-reached")), "{rulings:?}");
    }
    let told = home.refused(&["why", "test", "fixture_note"]);
    let line = "  refused  writes        caller-may-not-write: wardkeep.toml:";
    assert!(told.contains(line) && told.contains("mend: writes = true at that caller"), "{told}");
    assert!(home.journal().is_empty(), "something was run or written down");
}

#[test]
fn what_is_stopped_is_listed_to_nobody_and_why_says_by_whom() {
    let home = home();
    let stopped = home.run(&["kill", "tool:fixture_echo", "--reason", "it leaks"]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(of_operator(&home.json(&["tools", "--as", "test"])).is_empty());
    let (rulings, report) = why(&home, &["test", "fixture_echo"], false);
    assert_eq!((rulings[1].as_str(), &report["rule"]), ("kills refused", &json!("killed")));
    let told = report["rulings"][1].to_string();
    assert!(told.contains("it leaks") && told.contains("wardkeep revive tool:fixture_echo"), "{told}");
    assert!(why(&home, &["pilot", "fixture_contents"], true).0.iter().all(|ruling| !ruling.contains("refused")));
}

#[test]
fn what_why_allows_is_answered_and_what_it_refuses_is_refused_by_that_rule() {
    let home = home();
    let serving = home.serve();
    let mut asked = 0;
    for (caller, arguments) in [
        ("pilot", json!({ "text": "a" })),
        ("test", json!({ "text": "a" })),
        ("test", json!({ "text": "c" })),
        ("test", json!({ "text": 7 })),
        ("stranger", json!({ "text": "a" })),
        ("pilot", json!({ "steps": 7 })),
        ("writer", json!({})),
    ] {
        let key = if caller == "test" { crate::support::home::KEY.to_owned() } else { format!("wk_{caller}") };
        let mcp = Mcp { address: serving.address, key };
        for tool in ["echo", "contents", "slow", "fail", "log", "note"] {
            let published = format!("fixture_{tool}");
            let output = home.run(&["--json", "why", caller, &published, &arguments.to_string()]);
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            let answer = mcp.call(&published, arguments.clone());
            asked += 1;
            let rule = match report["rule"].as_str() {
                None => {
                    assert_eq!(answer["result"]["isError"], json!(false), "{caller} {tool} {arguments} {answer}");
                    continue;
                }
                Some(rule) => rule,
            };
            assert_ne!(answer["result"]["isError"], json!(false), "{caller} {tool} {arguments} {answer}");
            let recorded = home.journal().into_iter().rfind(|line| {
                line["unmapped"]["phase"] == "refusal"
                    && line["api"]["operation"] == json!(published)
                    && line["actor"]["user"]["name"] == json!(format!("service:{caller}"))
            });
            let recorded = recorded.unwrap_or_else(|| panic!("{caller} {tool} {arguments}"));
            assert_eq!(recorded["unmapped"]["rule"], json!(rule), "{caller} {tool} {arguments}");
        }
    }
    assert_eq!(asked, 42);
}
