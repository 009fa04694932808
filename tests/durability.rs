//! `kill -9` at any moment: every answered call is in the log, and the log verifies.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    http,
};

#[test]
fn every_answered_call_is_in_the_log_after_kill_9_under_load() {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    let answered: Arc<Mutex<HashSet<String>>> = Arc::default();
    for (round, moment) in [3, 40, 90, 170, 260].into_iter().enumerate() {
        let serving = home.serve();
        let mcp = serving.mcp();
        let going = Arc::new(AtomicBool::new(true));
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let (mcp, going, answered) = (mcp.clone(), Arc::clone(&going), Arc::clone(&answered));
                thread::spawn(move || {
                    while going.load(Ordering::Relaxed) {
                        // the connection breaks when the host is killed
                        let Ok(response) = try_call(&mcp) else { return };
                        if let Some(id) = response["result"]["_meta"]["dev.wardkeep/correlation-id"].as_str() {
                            answered.lock().unwrap().insert(id.to_owned());
                        }
                    }
                })
            })
            .collect();
        while answered.lock().unwrap().len() <= round * 10 {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(moment));
        serving.kill_9();
        going.store(false, Ordering::Relaxed);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }
    // the next start records what it found; then the whole log must hold
    home.run(&["call", "fixture_echo", "{\"text\":\"last\"}"]);
    home.json(&["audit", "verify"]);
    let journal = home.journal();
    let closed: HashSet<&str> = journal
        .iter()
        .filter(|record| record.to_string().contains("\"outcome\":\"ok\""))
        .filter_map(|record| record["metadata"]["correlation_uid"].as_str())
        .collect();
    let answered = answered.lock().unwrap();
    let missing: Vec<_> = answered.iter().filter(|id| !closed.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "{} of {} answered calls are not in the log", missing.len(), answered.len());
}

fn try_call(mcp: &http::Mcp) -> std::io::Result<Value> {
    mcp.try_call("fixture_echo", json!({ "text": "x" }))
}
