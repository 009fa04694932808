//! Who may call: access tokens of an issuer, through a proxy or not, over standard input and the home's own socket. What proves nobody is 401,
//! whatever it tries, and is accounted for.

use std::{collections::BTreeMap, fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin},
    http::{Mcp, Response, send, send_raw},
    issuer::{Issuer, NAME, PUBLIC},
    serving::Serving,
    signer::Signer,
};

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");
const WRITES: &str = "writes = true\nunconfirmed_writes = true\n";

/// Who sent it is in the group, and nothing but a scope is in its way.
fn install(home: &Home) {
    let component = guests::path("fixture");
    let mut plugin = Plugin::plain("fixture", &component, &["echo"]);
    let table = |name: &str, effect: &str, allow: &str, more: &str| {
        format!("[tools.{name}]\neffect = \"{effect}\"\nuses = []\nallow = [\"{allow}\"]\n{more}")
    };
    let writes = "side_effects = \"none\"\nconfirm = \"none\"\n";
    plugin.tools.push_str(&table("note", "write", "group:tests", writes));
    plugin.tools.push_str(&table("slow", "write", "group:others", writes));
    plugin.tools.push_str(&table("fail", "read", "oauth:corp/alice", ""));
    home.install(&plugin);
}

fn bearing(serving: &Serving, token: impl Into<String>) -> Mcp {
    Mcp { address: serving.address, key: token.into() }
}

fn call(mcp: &Mcp, tool: &str) -> Response {
    mcp.request("tools/call", json!({ "name": tool, "arguments": {} }))
}

/// With these bytes for its token.
fn raw(address: SocketAddr, token: &[u8]) -> Response {
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 2\r\nauthorization: Bearer "
    );
    send_raw(address, &[head.as_bytes(), token, b"\r\n\r\n{}"].concat()).expect("the host answers")
}

/// The records of requests of nobody: how many lines, and how many requests they account for, by rule.
fn accounted(home: &Home) -> (usize, u64, BTreeMap<String, u64>) {
    let (mut lines, mut all, mut rules) = (0, 0, BTreeMap::new());
    for line in home.journal().iter().filter(|line| line["unmapped"]["outcome"] == "unauthenticated") {
        let count = line["count"].as_u64().unwrap_or(1);
        lines += 1;
        all += count;
        *rules.entry(line["unmapped"]["rule"].as_str().unwrap().to_owned()).or_default() += count;
    }
    (lines, all, rules)
}

const CHALLENGE: &str = "Bearer realm=\"wardkeep\", \
    resource_metadata=\"https://tools.example.com/.well-known/oauth-protected-resource/mcp\"";

#[test]
fn bad_tokens_are_all_401_tell_nothing_and_are_each_accounted_for_within_a_budget() {
    let issuer = Issuer::start();
    let home = issuer.home(WRITES, "");
    install(&home);
    let serving = home.serve();
    let good = issuer.ec.token(&issuer.claims("tools:read"));
    assert_eq!(bearing(&serving, &good).tools(), ["fixture_echo", "fixture_fail"]);
    let mut sent = 0;
    let mut refused = |tries: &str, response: Response| {
        sent += 1;
        assert_eq!(response.status, 401, "{tries}: {}", response.text());
        let expected = if tries == "no token" { "" } else { ", error=\"invalid_token\"" };
        let challenge = format!("{CHALLENGE}{expected}, scope=\"tools:read\"");
        assert_eq!(response.header("www-authenticate"), Some(challenge.as_str()), "{tries}");
        assert_eq!(response.text(), "a bearer token of this host is needed", "{tries}");
    };
    let bad = issuer.known().bad();
    assert!(bad.len() >= 150, "the table is gone: {}", bad.len());
    for bad in bad {
        assert!(!bad.rule.is_empty());
        refused(&bad.tries, raw(serving.address, &bad.token));
    }
    let (address, bearer) = (serving.address, format!("Bearer {good}"));
    let post = |path: &str, headers: &[(&str, &str)], body: &str| {
        send(address, "POST", path, &[&[ACCEPT, JSON], headers].concat(), body.as_bytes()).unwrap()
    };
    refused("no token", post("/mcp", &[], "{}"));
    refused("no token", post(&format!("/mcp?access_token={good}"), &[], "{}"));
    refused("no token", post("/mcp", &[], &json!({ "access_token": good }).to_string()));
    refused("no token", post("/mcp", &[("cookie", &format!("access_token={good}"))], "{}"));
    refused("no token", post("/mcp", &[("proxy-authorization", &bearer)], "{}"));
    refused("two headers", post("/mcp", &[("authorization", &bearer), ("authorization", &bearer)], "{}"));
    refused("two headers", post("/mcp", &[("authorization", "Bearer x"), ("Authorization", &bearer)], "{}"));
    for scheme in ["Basic", "DPoP", "Token", "Bearer:", "\"Bearer\"", "Bearerx"] {
        refused(scheme, post("/mcp", &[("authorization", &format!("{scheme} {good}"))], "{}"));
    }
    refused("no scheme", post("/mcp", &[("authorization", &good)], "{}"));
    refused("a scheme and nothing", post("/mcp", &[("authorization", "Bearer")], "{}"));
    refused("a token and a word", post("/mcp", &[("authorization", &format!("{bearer} x"))], "{}"));
    // each method, and a path below
    for method in ["GET", "DELETE", "PUT", "OPTIONS"] {
        refused("another's", send(address, method, "/mcp/below", &[("authorization", "Bearer a.b.c")], b"").unwrap());
    }
    let asked = issuer.asked();
    assert!(asked <= 3, "made-up key ids had the issuer asked {asked} times");
    assert_eq!(bearing(&serving, &good).tools().len(), 2, "and the good one is good still");
    assert_eq!(post("/mcp?access_token=x", &[("authorization", &bearer)], "{}").status, 415, "a query proves nothing");
    serving.terminate();
    let (lines, all, rules) = accounted(&home);
    assert_eq!(all, sent, "each is accounted for: {rules:?}");
    assert!(lines <= 3 * 16, "{lines} lines for {sent} requests");
    assert!(rules.len() > 8, "{rules:?}");
    let journal = home.journal().iter().map(Value::to_string).collect::<String>();
    assert!(!journal.contains(good.split('.').nth(1).unwrap()), "no token is ever recorded");
}

#[test]
fn a_scope_more_is_asked_for_only_where_nothing_else_stands_in_the_way() {
    let issuer = Issuer::start();
    let home = issuer.home(WRITES, "");
    install(&home);
    let serving = home.serve();
    let token = |scope: &str| bearing(&serving, issuer.ed.token(&issuer.claims(scope)));
    let reader = token("openid tools:read");
    assert_eq!(reader.tools(), ["fixture_echo", "fixture_fail"]);
    assert_eq!(reader.call("fixture_echo", json!({ "text": "x" }))["result"]["isError"], json!(false));

    let refused = call(&reader, "fixture_note");
    assert_eq!(refused.status, 403, "{}", refused.text());
    let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"tools:read tools:write\"");
    assert_eq!(refused.header("www-authenticate"), Some(challenge.as_str()));
    assert!(refused.message()["error"]["data"]["correlationId"].is_string(), "{}", refused.text());
    assert_eq!(refused.message()["id"], json!(1), "the request that it answers");
    let nothing = token("openid");
    assert_eq!(nothing.tools(), Vec::<String>::new());
    let needed = call(&nothing, "fixture_echo");
    assert_eq!(needed.status, 403);
    assert!(needed.header("www-authenticate").unwrap().ends_with("scope=\"tools:read\""));

    let writer = token("tools:read tools:write");
    assert_eq!(writer.tools(), ["fixture_echo", "fixture_fail", "fixture_note"]);
    assert_eq!(call(&writer, "fixture_note").status, 200);

    // what no scope would open reads like what is not there
    let words = |answer: Response, name: &str| {
        assert_eq!((answer.status, answer.header("www-authenticate")), (200, None));
        answer.message()["error"]["message"].to_string().replace(name, "X")
    };
    let absent = words(call(&reader, "fixture_absent"), "fixture_absent");
    assert_eq!(words(call(&reader, "fixture_slow"), "fixture_slow"), absent);
    let other = bearing(
        &serving,
        issuer.ed.token(&{
            let mut claims = issuer.claims("tools:read");
            claims["groups"] = json!([]);
            claims["sub"] = json!("bob");
            claims
        }),
    );
    assert_eq!(words(call(&other, "fixture_note"), "fixture_note"), absent);
    assert_eq!(words(call(&other, "fixture_fail"), "fixture_fail"), absent, "a name in `allow` is one caller's");

    serving.terminate();
    let journal = home.journal();
    let scope = journal.iter().find(|line| line["unmapped"]["rule"] == "scope").expect("a refusal for its scope");
    assert_eq!(scope["actor"]["user"]["name"], "oauth:corp/alice");
    assert_eq!(scope["actor"]["user"]["groups"][0]["name"], "tests");
    assert_eq!(scope["unmapped"]["authenticated"], "oauth");
    assert_eq!(scope["unmapped"]["client"]["name"], "wardkeep-tests");
    assert_eq!(
        (&scope["unmapped"]["protocol"], &scope["src_endpoint"]["ip"]),
        (&json!("2026-07-28"), &json!("127.0.0.1"))
    );
    assert_eq!((&scope["api"]["operation"], &scope["unmapped"]["outcome"]), (&json!("fixture_note"), &json!("denied")));
}

#[test]
fn without_the_operator_s_word_no_scope_opens_a_tool_that_writes() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    install(&home);
    let serving = home.serve();
    for scope in ["tools:read", "tools:read tools:write tools:destructive"] {
        let mcp = bearing(&serving, issuer.rsa.token(&issuer.claims(scope)));
        assert_eq!(mcp.tools(), ["fixture_echo", "fixture_fail"], "{scope}");
        let answer = call(&mcp, "fixture_note");
        assert_eq!((answer.status, answer.header("www-authenticate")), (200, None), "{scope}");
    }
}

#[test]
fn a_session_of_an_older_client_is_its_caller_s_with_any_of_their_tokens_and_asks_for_scopes_too() {
    let issuer = Issuer::start();
    let home = issuer.home(WRITES, "");
    install(&home);
    let serving = home.serve();
    let speak = |token: &str, session: Option<&str>, body: Value| {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![ACCEPT, JSON, ("authorization", bearer.as_str())];
        headers.extend(session.map(|session| ("mcp-session-id", session)));
        headers.extend(session.map(|_| ("mcp-protocol-version", "2025-11-25")));
        send(serving.address, "POST", "/mcp", &headers, body.to_string().as_bytes()).unwrap()
    };
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "older", "version": "1" } } });
    let reader = issuer.ec.token(&issuer.claims("tools:read"));
    let opened = speak(&reader, None, initialize);
    let session = opened.header("mcp-session-id").expect("a session").to_owned();
    let session = Some(session.as_str());
    speak(&reader, session, json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    let note = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "fixture_note", "arguments": {} } });
    assert_eq!(speak(&reader, session, note.clone()).status, 403);
    let writer = issuer.rsa.token(&issuer.claims("tools:read tools:write"));
    let written = speak(&writer, session, note.clone());
    assert_eq!(written.message()["result"]["isError"], json!(false), "{}", written.text());
    let mut other = issuer.claims("tools:read tools:write");
    other["sub"] = json!("bob");
    assert_eq!(speak(&issuer.ec.token(&other), session, note).status, 404, "another caller's session is none");
    serving.terminate();
    let journal = home.journal();
    let scope = journal.iter().find(|line| line["unmapped"]["rule"] == "scope").expect("a refusal for its scope");
    assert_eq!(scope["unmapped"]["client"]["name"], "older");
}

#[test]
fn keys_rotate_under_a_running_host_and_an_outage_takes_nobody_away() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    install(&home);
    let serving = home.serve();
    let claims = issuer.claims("tools:read");
    let status = |signer: &Signer| bearing(&serving, signer.token(&claims)).request("tools/list", json!({})).status;
    assert_eq!((status(&issuer.ec), status(&issuer.rsa)), (200, 200));
    let next = Signer::ed25519("next");
    issuer.publish([&next, &issuer.rsa]);
    assert_eq!(status(&next), 200, "a new key is known with its first token");
    assert_eq!(
        status(&issuer.ec),
        401,
        "and the one that was taken back is none, although its token was verified before"
    );
    assert_eq!(status(&issuer.rsa), 200);

    issuer.go_down();
    assert_eq!((status(&next), status(&issuer.rsa), status(&issuer.ec)), (200, 200, 401));
    let begun = std::time::Instant::now();
    assert_eq!(status(&Signer::p256("made-up")), 401);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    serving.terminate();

    // begun while it is down: nobody gets in by a token, and the host serves all others
    let serving = home.serve();
    let refused = bearing(&serving, next.token(&claims)).request("tools/list", json!({}));
    assert_eq!(refused.status, 401);
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
    assert!(serving.stderr().contains("an issuer's keys cannot be had"), "{}", serving.stderr());
}

#[test]
fn an_issuer_s_keys_in_a_file_are_read_again_and_an_issuer_that_is_struck_out_counts_no_more() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    install(&home);
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    let page = format!("jwks = \"https://login.example.com:{}/keys\"", issuer.web.address.port());
    assert!(file.contains(&page));
    let publish = |signer: &Signer| home.write("corp.json", &json!({ "keys": [signer.jwk()] }).to_string());
    publish(&issuer.ec);
    home.write("wardkeep.toml", &file.replace(&page, "jwks = \"corp.json\""));
    let serving = home.serve();
    let claims = issuer.claims("tools:read");
    let status = |signer: &Signer| bearing(&serving, signer.token(&claims)).request("tools/list", json!({})).status;
    assert_eq!((status(&issuer.ec), status(&issuer.ed)), (200, 401));
    publish(&issuer.ed);
    let within = |expected: (u16, u16)| {
        let begun = std::time::Instant::now();
        while (status(&issuer.ec), status(&issuer.ed)) != expected {
            assert!(begun.elapsed() < Duration::from_secs(10), "{}", serving.stderr());
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    within((401, 200));
    let without = file.split("[callers.oauth.corp]").next().unwrap().to_owned();
    home.write("wardkeep.toml", &without);
    serving.hang_up();
    within((401, 401));
    assert_eq!(issuer.asked(), 0, "nobody asked the network");
}

#[test]
fn a_file_of_keys_that_cannot_be_used_is_found_by_check_and_told_at_the_start() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    install(&home);
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    let page = format!("https://login.example.com:{}/keys", issuer.web.address.port());
    let check = home.json(&["check"]);
    assert_eq!(check["unasked"]["corp"], json!(page), "{check}");
    assert!(String::from_utf8(home.run(&["check"]).stdout).unwrap().contains("unasked  issuer corp: only a host"));
    assert_eq!(issuer.asked(), 0);
    let with = |jwks: &str| home.write("wardkeep.toml", &file.replace(&page, jwks));
    let line = 1 + file.lines().position(|line| line.starts_with("jwks")).unwrap();
    let clear = "http://localhost:9/keys";
    let good = json!({ "keys": [issuer.ec.jwk()] }).to_string();
    for (jwks, text, words) in [
        ("nosuch.json", None, "does not exist"),
        ("others.json", Some(good.as_str()), "others may write"),
        ("text.json", Some("keys"), "is no set of keys: it is no JSON object"),
        ("none.json", Some("{\"keys\":[]}"), "has no key that verifies tokens"),
        (clear, None, "is in the clear, and is not asked"),
    ] {
        with(jwks);
        if let Some(text) = text {
            home.write(jwks, text);
        }
        if jwks == "others.json" {
            fs::set_permissions(home.path().join(jwks), fs::Permissions::from_mode(0o666)).unwrap();
        }
        let said = home.refused(&["check"]);
        let place = format!("fault    wardkeep.toml:{line}: callers.oauth.corp.jwks: ");
        assert!(said.contains(&place) && said.contains(words), "{jwks}: {said}");
        assert!(said.contains("; until then every token of `corp` is refused"), "{jwks}: {said}");
        if jwks != clear {
            let serving = home.serve();
            assert!(serving.says(words), "{jwks}: {}", serving.stderr());
            assert_eq!(serving.mcp().tools(), ["fixture_echo"], "everybody else calls as before");
            serving.terminate();
        }
    }
    home.write("corp.json", &good);
    with("corp.json");
    let check = home.json(&["check"]);
    assert_eq!((&check["unasked"], &check["warnings"].to_string().contains("jwks")), (&json!({}), &false), "{check}");
    home.write(
        "wardkeep.toml",
        &file.replace(&page, clear).replace("[egress]\n", "[egress]\ncleartext_to_loopback = true\n"),
    );
    assert!(home.json(&["check"])["warnings"].to_string().contains("whoever answers there says who may call"));
}

/// The network is not named as one that may be reached, and every address of the name is told at once, on the one line that a log has.
#[test]
fn an_issuer_that_leads_inside_is_told_with_the_line_that_would_allow_it() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &file.replace("private = [\"127.0.0.0/8\"]\n", ""));
    let serving = home.serve();
    assert!(serving.says("an issuer's keys cannot be had"));
    let stderr = serving.stderr();
    let line = stderr.lines().find(|line| line.contains("cannot be had")).unwrap();
    for words in [
        "leads to 127.0.0.1, which is loopback",
        "; mend: if it is meant to, name in `private` of [egress] of wardkeep.toml: \"127.0.0.1/32\"",
    ] {
        assert!(line.contains(words), "{line}");
    }
    assert!(!line.contains("u{a}"), "{line}");
}

#[test]
fn clients_are_told_where_to_get_tokens_and_where_there_are_none_nothing() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    let serving = home.serve();
    let get = |path: &str, headers: &[(&str, &str)]| send(serving.address, "GET", path, headers, b"").unwrap();
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let document = get(path, &[]);
        assert_eq!((document.status, document.header("content-type")), (200, Some("application/json")), "{path}");
        assert_eq!(
            document.message(),
            json!({
                "resource": PUBLIC,
                "authorization_servers": [NAME],
                "scopes_supported": ["tools:read", "tools:write", "tools:destructive"],
                "bearer_methods_supported": ["header"],
                "resource_name": "Wardkeep",
            })
        );
        assert_eq!(get(path, &[("host", "evil.example")]).status, 403, "a rebound name is not ours");
    }
    assert_eq!(get("/.well-known/oauth-protected-resource/other", &[]).status, 404);
    serving.terminate();

    let home = Home::new();
    let serving = home.serve();
    let none = send(serving.address, "GET", "/.well-known/oauth-protected-resource", &[], b"").unwrap();
    assert_eq!(none.status, 404);
    let refused = send(serving.address, "POST", "/mcp", &[("authorization", "Bearer a.b.c")], b"{}").unwrap();
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer realm=\"wardkeep\"")));
}

#[test]
fn another_public_url_holds_from_the_next_start_on_and_until_then_nobody_is_led_astray() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    install(&home);
    let serving = home.serve();
    let led = |serving: &Serving| {
        let refused = send(serving.address, "POST", "/mcp", &[("authorization", "Bearer a.b.c")], b"{}").unwrap();
        let challenge = refused.header("www-authenticate").unwrap().to_owned();
        let url = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let (host, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let document = send(serving.address, "GET", &format!("/{path}"), &[("host", host)], b"").unwrap();
        (document.status, document.message()["resource"].as_str().map(str::to_owned))
    };
    assert_eq!(led(&serving), (200, Some(PUBLIC.to_owned())));
    let (old, new) = ("https://tools.example.com/mcp", "https://new.example.com/here/mcp");
    assert_eq!(PUBLIC, old);
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &file.replace(old, new));
    serving.hang_up();
    assert!(serving.says("listen changed: that takes effect after a restart"), "{}", serving.stderr());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(led(&serving), (200, Some(old.to_owned())));
    let for_old = issuer.ec.token(&issuer.claims("tools:read"));
    let mut claims = issuer.claims("tools:read");
    claims["aud"] = json!(new);
    let for_new = issuer.ec.token(&claims);
    let status = |serving: &Serving, token: &str| bearing(serving, token).request("tools/list", json!({})).status;
    assert_eq!((status(&serving, &for_old), status(&serving, &for_new)), (200, 401));
    serving.terminate();
    let serving = home.serve();
    assert_eq!(led(&serving), (200, Some(new.to_owned())));
    assert_eq!((status(&serving, &for_old), status(&serving, &for_new)), (401, 200));
}

#[test]
fn what_an_operator_changes_of_callers_and_limits_is_on_record_and_the_host_says_so() {
    let home = Home::new();
    install(&home);
    home.run(&["keys", "new", "early"]);
    assert!(home.journal().is_empty(), "nothing has served yet, and no log is begun");
    let serving = home.serve();
    let made = home.json(&["keys", "new", "ada", "--principal", "user:ada", "--group", "tests"]);
    assert!(serving.says("taken up: callers.keys.ada added (user:ada)"), "{}", serving.stderr());
    home.json(&["keys", "revoke", "ada"]);
    assert!(serving.says("taken up: callers.keys.ada removed (user:ada)"), "{}", serving.stderr());
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &format!("{file}[limits]\nrate = \"20/s\"\n"));
    assert!(serving.says("taken up: limits.rate is 20/s, was 1000000/min"), "{}", serving.stderr());
    serving.hang_up();
    assert!(serving.says("reloaded: no plugin changed"), "{}", serving.stderr());
    serving.terminate();
    let revoked = home.run(&["keys", "revoke", "early"]);
    assert!(revoked.status.success() && !String::from_utf8_lossy(&revoked.stderr).contains("audit log"), "{revoked:?}");
    let journal = home.journal();
    let events: Vec<_> = journal.iter().map(|line| line["unmapped"]["event"].clone()).collect();
    let by = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let key = |kind: &str, key: &str, user: &str| json!({ "kind": kind, "key": key, "user": user, "by": by.trim() });
    for recorded in [
        key("key-made", "ada", "user:ada"),
        key("key-revoked", "ada", "user:ada"),
        key("key-revoked", "early", "service:early"),
        json!({ "kind": "settings-changed", "changes": ["callers.keys.ada added (user:ada)"] }),
        json!({ "kind": "settings-changed", "changes": ["callers.keys.ada removed (user:ada)"] }),
        json!({ "kind": "settings-changed", "changes": ["limits.rate is 20/s, was 1000000/min"] }),
    ] {
        assert_eq!(events.iter().filter(|event| **event == recorded).count(), 1, "{recorded}");
    }
    let value = made["key"].as_str().unwrap();
    let segment = String::from_utf8(home.read("audit/segment-00000001.jsonl")).unwrap();
    assert!(!segment.contains(value), "a key's value stands nowhere");
    let told = String::from_utf8(home.run(&["audit", "query", "--user", "user:ada"]).stdout).unwrap();
    assert!(told.contains("key-made") && told.contains(&format!("ada for user:ada, by {}", by.trim())), "{told}");
    home.json(&["audit", "verify"]);
}

#[test]
fn behind_a_proxy_the_client_is_who_the_proxy_says_and_cleartext_is_refused() {
    let issuer = Issuer::start();
    let home = issuer.home("", "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n");
    install(&home);
    let serving = home.serve();
    let bearer = format!("Bearer {}", issuer.ec.token(&issuer.claims("tools:read")));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "fixture_echo", "arguments": { "text": "x" },
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                   "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
                   "io.modelcontextprotocol/clientCapabilities": {} } } });
    let ask = |token: &str, forwarded: &[(&str, &str)]| {
        let modern =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "fixture_echo")];
        let headers = [&[ACCEPT, JSON, ("authorization", token)], &modern[..], forwarded].concat();
        send(serving.address, "POST", "/mcp", &headers, body.to_string().as_bytes()).unwrap()
    };
    let (https, from) = (("x-forwarded-proto", "https"), ("x-forwarded-for", "203.0.113.9"));
    for cleartext in [
        &[][..],
        &[from],
        &[https],
        &[("x-forwarded-proto", "http"), from],
        &[("x-forwarded-proto", "https, http"), from],
        &[("forwarded", "for=203.0.113.9;proto=https")],
        &[https, ("x-forwarded-for", "unknown")],
        &[https, from, ("x-forwarded-host", "evil.example")],
    ] {
        assert_eq!(ask(&bearer, cleartext).status, 403, "{cleartext:?}");
    }
    let spoofed = ("x-forwarded-for", "198.51.100.1, 203.0.113.9");
    let answer = ask(&bearer, &[https, spoofed, ("x-forwarded-host", "tools.example.com")]);
    assert_eq!(answer.message()["result"]["isError"], json!(false), "{}", answer.text());
    let named = ("x-forwarded-host", "tools.example.com");
    assert_eq!(ask("Bearer a.b.c", &[https, ("x-forwarded-for", "203.0.113.66"), named]).status, 401);
    // a proxy that names its own way here has lost the name by which the client called, and perhaps it was a rebound one
    for own in ["127.0.0.1", "localhost:99", "[::1]"] {
        assert_eq!(ask(&bearer, &[https, from, ("x-forwarded-host", own)]).status, 403, "{own}");
    }
    let unnamed = ask(&bearer, &[https, from]);
    assert_eq!(unnamed.status, 403, "`Host` is the address of this host");
    assert!(unnamed.text().contains("the proxy does not pass on the name of `public_url`"), "{}", unnamed.text());
    let looks = ["/health", "/.well-known/oauth-protected-resource"];
    for path in looks {
        assert_eq!(
            send(serving.address, "GET", path, &[], b"").unwrap().status,
            200,
            "a proxy looks for itself: {path}"
        );
    }
    serving.terminate();
    let journal = home.journal();
    let called = journal.iter().find(|line| line["unmapped"]["phase"] == "outcome").unwrap();
    assert_eq!(called["src_endpoint"]["ip"], "203.0.113.9");
    let refused = journal.iter().find(|line| line["unmapped"]["outcome"] == "unauthenticated").unwrap();
    assert_eq!(refused["src_endpoint"]["ip"], "203.0.113.66");
}

#[test]
fn who_is_no_proxy_is_not_believed() {
    let issuer = Issuer::start();
    let home = issuer.home("", "behind_proxy = true\ntrusted_proxies = [\"192.0.2.1\"]\n");
    install(&home);
    let serving = home.serve();
    let bearer = format!("Bearer {KEY}");
    let forged = [
        ACCEPT,
        JSON,
        ("authorization", "Bearer none"),
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("x-forwarded-host", "evil.example"),
    ];
    assert_eq!(send(serving.address, "POST", "/mcp", &forged, b"{}").unwrap().status, 401);
    let own = [ACCEPT, JSON, ("authorization", bearer.as_str()), ("x-forwarded-proto", "http")];
    assert_eq!(send(serving.address, "POST", "/mcp", &own, b"{}").unwrap().status, 415, "this machine needs no proxy");
    serving.terminate();
    let journal = home.journal();
    let refused = journal.iter().find(|line| line["unmapped"]["outcome"] == "unauthenticated").unwrap();
    assert_eq!(refused["src_endpoint"]["ip"], "127.0.0.1");
}

#[test]
fn one_address_behind_a_proxy_holds_so_many_requests_and_the_others_get_in() {
    use std::io::{Read as _, Write as _};
    let issuer = Issuer::start();
    let home = issuer.home("", "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n");
    install(&home);
    let serving = home.serve();
    // a body that does not come: the request is held, and its connection is the proxy's
    let head = |from: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nhost: tools.example.com\r\nauthorization: Bearer {KEY}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\nx-forwarded-proto: https\r\nx-forwarded-for: {from}\r\ncontent-length: 5\r\n\r\n"
        )
    };
    let mut held = Vec::new();
    for _ in 0..256 {
        let mut stream = std::net::TcpStream::connect(serving.address).unwrap();
        stream.write_all(head("203.0.113.9").as_bytes()).unwrap();
        held.push(stream);
    }
    let one = |from: &str| {
        let request = format!("{}nope\n", head(from).replacen("\r\n", "\r\nconnection: close\r\n", 1));
        send_raw(serving.address, request.as_bytes()).unwrap().status
    };
    let begun = std::time::Instant::now();
    while one("203.0.113.9") != 503 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the requests of one address are not bounded");
    }
    assert_eq!(one("203.0.113.10"), 400, "its neighbour gets in by the same proxy");
    for mut stream in held {
        stream.write_all(b"nope\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(one("203.0.113.9"), 400, "and room comes back");
}

#[test]
fn every_record_says_who_called_by_which_proof_and_what_the_client_claims() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    install(&home);
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &file.replace("groups = [\"engineering\"]", "groups = [\"tests\"]"));
    let echo = json!({ "text": "x" });
    {
        let serving = home.serve();
        let mut claims = issuer.claims("tools:read");
        claims["act"] = json!({ "sub": "agent-1", "act": { "sub": "agent-2", "iss": "https://agents.example" } });
        let by_token = bearing(&serving, issuer.ec.token(&claims));
        for mcp in [by_token, serving.mcp()] {
            mcp.call("fixture_echo", echo.clone());
            mcp.call("absent", json!({}));
        }
        // another process of this home: it passes on to the one that serves
        let mut relay = home.stdio();
        relay.call("fixture_echo", echo.clone());
        relay.call("absent", json!({}));
        relay.hang_up();
        serving.terminate();
    }
    let mut stdio = home.stdio();
    stdio.call("fixture_echo", echo);
    stdio.call("absent", json!({}));
    stdio.hang_up();
    let journal = home.journal();
    for (proof, name, transport) in [
        ("oauth", "oauth:corp/alice", "http"),
        ("api-key", "service:test", "http"),
        ("socket", "user:me", "socket"),
        ("stdio", "user:me", "stdio"),
    ] {
        for phase in ["intent", "outcome", "refusal"] {
            let found = journal
                .iter()
                .find(|line| line["unmapped"]["phase"] == phase && line["unmapped"]["authenticated"] == proof);
            let line = found.unwrap_or_else(|| panic!("no {phase} by {proof}"));
            assert_eq!(line["actor"]["user"]["name"], name, "{line}");
            assert_eq!(line["actor"]["user"]["groups"], json!([{ "name": "tests" }]), "{line}");
            assert_eq!(line["unmapped"]["client"], json!({ "name": "wardkeep-tests", "version": "1" }), "{line}");
            assert_eq!(line["src_endpoint"]["name"], transport, "{line}");
            let actors = if proof == "oauth" {
                json!(["oauth:corp/agent-1", "foreign:https://agents.example#agent-2"])
            } else {
                Value::Null
            };
            assert_eq!(line["unmapped"]["actors"], actors, "{line}");
        }
    }
    home.json(&["audit", "verify"]);
    let by_actor = home.run(&["audit", "query", "--user", "foreign:https://agents.example#agent-2"]);
    assert_eq!(String::from_utf8_lossy(&by_actor.stdout).lines().count(), 3, "{by_actor:?}");
}

#[test]
fn one_kill_stops_a_caller_and_those_for_whom_they_act() {
    let issuer = Issuer::start();
    let home = issuer.home("", "");
    install(&home);
    let serving = home.serve();
    let own = issuer.claims("tools:read");
    let mut other = issuer.claims("tools:read");
    other["sub"] = json!("carol");
    let acting = |act: Value| {
        let mut claims = other.clone();
        claims["act"] = act;
        bearing(&serving, issuer.ec.token(&claims))
    };
    let alice = bearing(&serving, issuer.ec.token(&own));
    let by_alice = acting(json!({ "sub": "alice", "iss": own["iss"] }));
    let also = acting(json!({ "sub": "alice" }));
    let by_bot = acting(json!({ "sub": "bot 1", "iss": "https://agents.example" }));
    let carol = bearing(&serving, issuer.ec.token(&other));
    let stopped = || {
        [&alice, &by_alice, &also, &by_bot, &carol]
            .map(|mcp| mcp.call("fixture_echo", json!({ "text": "x" }))["error"]["code"] == -32602)
    };
    assert_eq!(stopped(), [false; 5]);
    for (target, expected) in [
        ("caller:oauth:corp/alice", [true, true, true, false, false]),
        ("caller:foreign:https://agents.example#bot%201", [false, false, false, true, false]),
        ("caller:oauth:corp/carol", [false, true, true, true, true]),
    ] {
        let output = home.run(&["kill", target]);
        assert!(output.status.success(), "{output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("brings a caller"), "{output:?}");
        assert_eq!(stopped(), expected, "{target}");
        assert!(home.run(&["revive", target]).status.success());
    }
    assert_eq!(stopped(), [false; 5]);
}

#[test]
fn a_key_is_shown_once_says_who_answers_for_it_and_is_refused_at_once_when_it_is_taken_back() {
    let home = Home::new();
    install(&home);
    let made = home.json(&[
        "keys",
        "new",
        "ada",
        "--principal",
        "user:ada",
        "--group",
        "tests",
        "--owner",
        "ada@example.com",
        "--writes",
    ]);
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("wk_") && key.len() == 67, "{key}");
    assert_eq!((&made["principal"], &made["owner"]), (&json!("user:ada"), &json!("ada@example.com")));
    let listed = home.json(&["keys", "list"]);
    let ada = listed.as_array().unwrap().iter().find(|key| key["name"] == "ada").unwrap();
    assert_eq!(
        (&ada["owner"], &ada["writes"], &ada["human"]),
        (&json!("ada@example.com"), &json!(true), &json!(false))
    );
    assert!(ada["expires"].is_string(), "a key ends, whether somebody thinks of it or not");
    let everything = format!("{listed}{}", String::from_utf8(home.read("wardkeep.toml")).unwrap());
    assert!(!everything.contains(&key), "its value is kept nowhere");
    for refused in [
        &["keys", "new", "ada"][..],
        &["keys", "new", "bob", "--principal", "oauth:corp/alice"],
        &["keys", "new", "bob", "--expires", "2020-01-01"],
    ] {
        home.refused(refused);
    }

    let serving = home.serve();
    let status = |key: &str| bearing(&serving, key).request("tools/list", json!({})).status;
    assert_eq!((status(&key), status(KEY)), (200, 200));
    let revoked = home.json(&["keys", "revoke", "ada"]);
    assert_eq!(status(&key), 401, "not a moment later");
    assert_eq!((&revoked["served"], &revoked["confirmed"]), (&json!(true), &json!(true)));
    assert_eq!(status(KEY), 200, "another key is as good as before");
    serving.hang_up();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((status(&key), status(KEY)), (401, 200));
    serving.terminate();
    let revoked = home.json(&["keys", "revoke", "test"]);
    assert_eq!(
        (&revoked["served"], &revoked["confirmed"]),
        (&json!(false), &json!(true)),
        "where nobody serves, the file is all"
    );
    home.refused(&["keys", "revoke", "test"]);
}

#[test]
fn keys_made_and_revoked_at_the_same_moment_are_all_kept_and_all_gone() {
    let home = Home::new();
    let names: Vec<_> = (0..8).map(|number| format!("k{number}")).collect();
    let at_once = |commands: Vec<Vec<&str>>| {
        let running: Vec<_> = commands.iter().map(|command| home.wardkeep(command).spawn().unwrap()).collect();
        for mut command in running {
            assert!(command.wait().unwrap().success());
        }
    };
    let listed = || {
        let keys = home.json(&["keys", "list"]);
        let mut names: Vec<_> =
            keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    at_once(names.iter().map(|name| vec!["keys", "new", name]).collect());
    let expected: Vec<_> = names.iter().cloned().chain(["test".to_owned()]).collect();
    assert_eq!(listed(), expected);

    let serving = home.serve();
    let mut mixed: Vec<_> = names.iter().map(|name| vec!["keys", "revoke", name]).collect();
    mixed.push(vec!["keys", "new", "late"]);
    at_once(mixed);
    assert_eq!(listed(), ["late", "test"], "what was revoked does not come back with what another command had read");
    serving.terminate();
}
