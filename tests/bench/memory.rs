//! Resident memory: idle, with plugins, and after many calls.

use std::{thread, time::Duration};

use crate::{
    calls, cost, floor,
    home::{Home, KEY},
    load,
    page::{Table, times},
    start, wire,
};

const CALLS: u64 = 100_000;

pub fn table() -> Table {
    let floor = floor::Http::start();
    let mut rows = vec![row("floor, idle", i32::try_from(floor.child.id()).unwrap(), None)];
    drop(floor);

    let none = Home::new();
    let serving = none.serve();
    rows.push(row("no plugin", serving.process().as_raw_nonzero().get(), None));
    drop(serving);

    let twenty = start::home(20);
    drop(twenty.serve());
    let serving = twenty.serve();
    rows.push(row("20 plugins, never called", serving.process().as_raw_nonzero().get(), None));
    drop(serving);

    let home = calls::home();
    let serving = home.serve();
    let process = serving.process().as_raw_nonzero().get();
    rows.push(row("1 plugin, never called", process, None));
    let request = wire::post(serving.address, KEY, calls::TOOL, &calls::arguments());
    load::calls(serving.address, &request, CALLS / 10);
    let before = settled(process);
    rows.push(row("after 10,000 calls", process, None));
    load::calls(serving.address, &request, CALLS);
    settled(process);
    rows.push(row("after 100,000 more", process, Some(before)));
    Table { title: "Resident memory", columns: &["", "MiB", "times that after 10,000 calls"], rows }
}

fn settled(process: i32) -> u64 {
    thread::sleep(Duration::from_secs(2));
    cost::resident(process)
}

fn row(what: &str, process: i32, before: Option<u64>) -> Vec<String> {
    let now = settled(process);
    let grown = before.map_or(String::new(), |before| times(now as f64 / before as f64));
    vec![what.to_owned(), format!("{:.1}", now as f64 / 1_024.0), grown]
}
