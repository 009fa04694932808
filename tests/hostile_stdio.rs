//! What a client may do wrong over standard input without losing an answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    serving::Stdio2026,
};

fn home() -> Home {
    let home = Home::new();
    let wasm = guests::path("waits");
    let tools = [("for_ever", "[\"clock.now\"]"), ("briefly", "[\"clock.now\"]")];
    let mut plugin = Plugin::granted("waits", &wasm, &tools, "[grants.clock.now]\n");
    plugin.limits = "deadline = \"60s\"\n";
    home.install(&plugin);
    home
}

fn call(id: &Value, tool: &str, arguments: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "careless", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    }}})
}

fn waits_for(client: &mut Stdio2026, id: &Value, milliseconds: u32) {
    client.send(&call(id, "waits_briefly", json!({ "milliseconds": milliseconds })));
}

fn next(client: &mut Stdio2026) -> Value {
    client.receive().expect("a message")
}

fn expect_refused(told: &Value) {
    assert_eq!((&told["id"], &told["error"]["code"]), (&Value::Null, &json!(-32_600)), "{told}");
    assert!(told["error"]["message"].as_str().unwrap().contains("has this id and is not answered yet"), "{told}");
}

#[test]
fn of_two_requests_with_one_id_the_first_is_answered_and_the_second_refused() {
    let home = home();
    let mut client = home.stdio();
    for id in [json!(7), json!("seven")] {
        waits_for(&mut client, &id, 1_000);
        waits_for(&mut client, &id, 0);
        expect_refused(&next(&mut client));
        for _ in 0..2 {
            let answer = next(&mut client);
            assert_eq!(
                (&answer["id"], &answer["result"]["structuredContent"]["waited"]),
                (&id, &json!(true)),
                "{answer}"
            );
            // answered, so it may be asked under that id again: not that MCP allowed it, but some clients do
            waits_for(&mut client, &id, 0);
        }
        assert_eq!(next(&mut client)["id"], id);
    }
    drop(client);
    let begun = home.journal().iter().filter(|line| line["unmapped"]["phase"] == "intent").count();
    assert_eq!(begun, 6, "what was refused was never run");
}

#[test]
fn the_id_of_a_cancelled_call_may_be_asked_under_again_once_the_call_has_ended() {
    let home = home();
    let mut client = home.stdio();
    let id = json!(7);
    client.send(&call(&id, "waits_for_ever", json!({})));
    let begun = Instant::now();
    while !home.journal().iter().any(|line| line["unmapped"]["phase"] == "intent") {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }));
    // never the late answer of the call that nobody waits for
    loop {
        waits_for(&mut client, &id, 0);
        let told = next(&mut client);
        if told["id"] == id {
            assert_eq!(told["result"]["structuredContent"]["waited"], json!(true), "{told}");
            break;
        }
        expect_refused(&told);
        assert!(begun.elapsed() < Duration::from_secs(20), "the cancelled call never ended");
    }
}
