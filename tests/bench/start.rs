//! From the start of the process to the first whole `tools/list`, over standard input.

use std::{
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    floor, guests,
    home::{Home, Plugin},
    measure::Samples,
    page::{Table, time, times},
    wire,
};

pub fn table() -> Table {
    let mut rows = Vec::new();
    let mut floor = Samples::default();
    for _ in 0..20 {
        floor.add(first_list(floor::stdio, 1));
    }
    let floor = floor.median();
    rows.push(vec!["floor: one tool, nothing loaded".to_owned(), time(floor), String::new(), String::new()]);
    for plugins in [1, 20] {
        let home = home(plugins);
        let serve = || {
            let mut serve = home.wardkeep(&["serve", "--stdio"]);
            serve.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut cold = Samples::default();
        for _ in 0..3 {
            fs::remove_dir_all(home.path().join("cache")).unwrap();
            cold.add(first_list(serve, plugins));
        }
        let mut warm = Samples::default();
        for _ in 0..20 {
            warm.add(first_list(serve, plugins));
        }
        let named = |what: &str| format!("{plugins} {}, {what}", if plugins == 1 { "plugin" } else { "plugins" });
        let ratio = |of: Duration| times(of.as_secs_f64() / floor.as_secs_f64());
        rows.push(vec![named("cold: all compiled"), time(cold.median()), ratio(cold.median()), String::new()]);
        let asked = if plugins == 20 { "100 ms" } else { "" };
        rows.push(vec![named("warm"), time(warm.median()), ratio(warm.median()), asked.to_owned()]);
    }
    let columns = &["", "p50", "times the floor", "at most"];
    Table { title: "From the start to the first whole `tools/list`, over standard input", columns, rows }
}

/// A home with so many plugins, each with a component of other bytes, so that none shares another's code.
pub fn home(plugins: usize) -> Home {
    let home = Home::new();
    let component = fs::read(guests::path("fixture")).unwrap();
    for number in 0..plugins {
        let name = format!("plugin{number}");
        let wasm = home.path().join(format!("{name}.wasm"));
        // a custom section (WebAssembly, Binary Format, Custom Section), which means nothing
        let number = u16::try_from(number).unwrap().to_le_bytes();
        fs::write(&wasm, [&component[..], &[0, 4, 1, b'n'], &number].concat()).unwrap();
        home.install(&Plugin::plain(&name, &wasm, &["echo"]));
    }
    home
}

fn first_list(start: impl Fn() -> Child, tools: usize) -> Duration {
    let begun = Instant::now();
    let mut process = wire::Stdio::of(start());
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": wire::meta() } });
    let answer = process.exchange(format!("{list}\n").as_bytes());
    let elapsed = begun.elapsed();
    let answer: Value = serde_json::from_slice(answer).unwrap();
    let listed = answer["result"]["tools"].as_array().map_or(0, Vec::len);
    assert_eq!(listed, tools, "{answer}");
    elapsed
}
