//! The HTTP endpoint as a stranger, a page of another origin and a clumsy client meet it.

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin},
    http::{Mcp, send},
};

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

#[test]
fn a_request_without_a_known_key_is_refused_and_recorded() {
    let home = home();
    let serving = home.serve();
    for authorization in [None, Some("Bearer wk_unknown"), Some("Basic d2s6d2s="), Some("Bearer")] {
        let mut headers = vec![ACCEPT, JSON];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let response = send(serving.address, "POST", "/mcp", &headers, b"{}").unwrap();
        assert_eq!(response.status, 401, "{authorization:?}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer realm=\"wardkeep\""));
    }
    serving.terminate();
    let rules: Vec<_> = home
        .journal()
        .iter()
        .filter(|record| record.to_string().contains("\"unauthenticated\""))
        .map(|record| record["unmapped"]["rule"].as_str().unwrap_or_default().to_owned())
        .collect();
    for rule in ["no-credential", "unknown-key", "malformed-credential"] {
        assert!(rules.iter().any(|r| r == rule), "{rule} is not among {rules:?}");
    }
}

#[test]
fn a_foreign_origin_and_a_foreign_host_are_refused_each_alone_and_before_the_key() {
    let home = home();
    let serving = home.serve();
    let bearer = format!("Bearer {KEY}");
    for wrong in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("host", "evil.example"),
        ("host", "127.0.0.1.evil.example:80"),
    ] {
        for key in [bearer.as_str(), "Bearer none"] {
            let response =
                send(serving.address, "POST", "/mcp", &[ACCEPT, JSON, ("authorization", key), wrong], b"{}").unwrap();
            assert_eq!(response.status, 403, "{wrong:?}");
        }
    }
}

#[test]
fn health_answers_strangers_and_ready_tells_counts_only() {
    let home = home();
    let serving = home.serve();
    let health = send(serving.address, "GET", "/health", &[], b"").unwrap();
    assert_eq!((health.status, health.message()["status"].as_str().map(str::to_owned)), (200, Some("ok".into())));
    let ready = send(serving.address, "GET", "/ready", &[], b"").unwrap();
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.message(),
        json!({ "ready": true, "recording": true, "plugins": 1, "tools": 1, "rejected": 0,
        "out_of_service": 0, "stopped": 0 })
    );
}

#[test]
fn a_body_at_the_limit_is_read_and_one_beyond_it_is_answered_413() {
    let home = home();
    let serving = home.serve();
    let bearer = format!("Bearer {KEY}");
    let headers = [ACCEPT, JSON, ("authorization", bearer.as_str())];
    // not JSON: at the limit it is read and found wanting
    let at = send(serving.address, "POST", "/mcp", &headers, &vec![b' '; 4 << 20]).unwrap();
    assert_ne!(at.status, 413);
    assert!((400..500).contains(&at.status), "{}", at.status);
    let beyond = send(serving.address, "POST", "/mcp", &headers, &vec![b' '; (4 << 20) + 1]).unwrap();
    assert_eq!(beyond.status, 413);
}

#[test]
fn a_session_belongs_to_the_key_that_opened_it() {
    let home = home();
    let other = "wk_other_0123456789abcdef0123456789abcdef";
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write(
        "wardkeep.toml",
        &format!(
            "{file}[callers.keys.other]\nsha256 = \"{}\"\nprincipal = \"service:other\"\ngroups = [\"tests\"]\n",
            crate::support::home::sha256(other.as_bytes())
        ),
    );
    let serving = home.serve();
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let bearer = format!("Bearer {KEY}");
    let opened = send(
        serving.address,
        "POST",
        "/mcp",
        &[ACCEPT, JSON, ("authorization", &bearer)],
        initialize.to_string().as_bytes(),
    )
    .unwrap();
    let session = opened.header("mcp-session-id").expect("a session").to_owned();
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }).to_string();
    let speak = |key: &str, body: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [
            ACCEPT,
            JSON,
            ("authorization", bearer.as_str()),
            ("mcp-session-id", session.as_str()),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        send(serving.address, "POST", "/mcp", &headers, body.as_bytes()).unwrap()
    };
    assert_eq!(speak(KEY, &initialized).status, 202);
    assert_eq!(speak(other, &list).status, 404, "another key must not speak in it");
    let listed = speak(KEY, &list);
    assert_eq!(listed.message()["result"]["tools"][0]["name"], json!("fixture_echo"));
}

#[test]
fn what_a_principal_may_not_call_reads_like_what_does_not_exist() {
    let home = home();
    let component = guests::path("hostile");
    let mut plugin = Plugin::plain("hostile", &component, &[]);
    plugin.tools = "[tools.trap]\neffect = \"read\"\nuses = []\nallow = [\"user:somebody\"]\n".into();
    home.install(&plugin);
    let serving = home.serve();
    let mcp = serving.mcp();
    assert_eq!(mcp.tools(), ["fixture_echo"]);
    let words = |answer: &Value, name: &str| answer["error"].to_string().replace(name, "X");
    let (forbidden, absent) = (mcp.call("hostile_trap", json!({})), mcp.call("absent_echo", json!({})));
    assert_eq!(forbidden["error"]["code"], json!(-32602));
    let strip = |answer: &Value| {
        let mut answer = answer.clone();
        answer["error"]["data"] = Value::Null;
        answer
    };
    assert_eq!(words(&strip(&forbidden), "hostile_trap"), words(&strip(&absent), "absent_echo"));
    serving.terminate();
    let journal = home.journal().iter().map(Value::to_string).collect::<String>();
    assert!(journal.contains("\"not-allowed\"") && journal.contains("\"unknown-tool\""), "the log tells them apart");
}

#[test]
fn arguments_that_break_the_schema_never_reach_the_guest() {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["slow"]));
    let serving = home.serve();
    let answer = serving.mcp().call("fixture_slow", json!({ "steps": "many-secret-steps" }));
    assert_eq!(answer["result"]["isError"], json!(true), "{answer}");
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("/steps"), "{answer}");
    serving.terminate();
    let journal = home.journal();
    let refused = journal.iter().find(|r| r.to_string().contains("\"invalid-arguments\"")).expect("recorded");
    assert!(!refused.to_string().contains("many-secret-steps"), "arguments are never recorded");
}

#[test]
fn a_tool_tells_its_version_and_what_pins_it() {
    let home = home();
    let serving = home.serve();
    let list = serving.mcp().request("tools/list", json!({})).message();
    let tool = &list["result"]["tools"][0];
    for key in ["plugin", "plugin-version", "manifest-sha256", "contract-sha256"] {
        assert!(tool["_meta"][format!("dev.wardkeep/{key}")].is_string(), "{key}: {tool}");
    }
    assert_eq!(tool["annotations"]["readOnlyHint"], json!(true));
    assert_eq!(list["result"]["cacheScope"], json!("private"));
    let answer = serving.mcp().call("fixture_echo", json!({ "text": "x" }));
    assert_eq!(
        answer["result"]["_meta"]["dev.wardkeep/manifest-sha256"],
        tool["_meta"]["dev.wardkeep/manifest-sha256"]
    );
}

#[test]
fn what_the_host_does_not_serve_is_said_not_to_exist() {
    let home = home();
    let serving = home.serve();
    for method in ["prompts/list", "resources/list", "resources/templates/list", "completion/complete", "nonsense"] {
        let params = match method {
            "completion/complete" => {
                json!({ "ref": { "type": "ref/prompt", "name": "x" }, "argument": { "name": "a", "value": "b" } })
            }
            _ => json!({}),
        };
        let message = Mcp { ..serving.mcp() }.request(method, params).message();
        assert_eq!(message["error"]["code"], json!(-32601), "{method}: {message}");
    }
}

#[test]
fn sigterm_ends_the_host_in_bounded_time_and_is_recorded() {
    let home = home();
    let serving = home.serve();
    serving.mcp().call("fixture_echo", json!({ "text": "x" }));
    let (code, took) = serving.terminate();
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 10, "{took:?}");
    home.json(&["audit", "verify"]);
}
