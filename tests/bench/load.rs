//! Many calls at once over HTTP: how many a second, and what one costs the processor.
//!
//! Beside the floor, and beside other servers of the same tool that already run: `WARDKEEP_BENCH_PEER="URL TOOL NAME"`, several with `;` between
//! them, and `WARDKEEP_BENCH_COMPONENT` naming the component that all serve and whose tool `greet` takes `{"name": …}`.

use std::{
    env,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    calls, cost, floor,
    home::{Home, KEY, Plugin},
    measure::Samples,
    page::{Table, time, times},
    wire,
};

/// How long each side is asked in a round.
const LONG: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

struct Side {
    name: String,
    address: SocketAddr,
    request: Vec<u8>,
    process: Option<i32>,
}

pub fn table() -> Table {
    let peer = env::var("WARDKEEP_BENCH_PEER").ok();
    let home = match env::var("WARDKEEP_BENCH_COMPONENT") {
        Ok(component) => greeting(Path::new(&component)),
        Err(_) => calls::home(),
    };
    let (tool, arguments) = match peer {
        Some(_) => ("both_greet", json!({ "name": "you" })),
        None => (calls::TOOL, calls::arguments()),
    };
    let (floor, serving) = (floor::Http::start(), home.serve());
    let floor_process = i32::try_from(floor.child.id()).ok();
    let mut sides = vec![
        Side {
            name: "floor (no sandbox, no record)".to_owned(),
            address: floor.address,
            request: wire::post(floor.address, KEY, tool, &arguments),
            process: floor_process,
        },
        Side {
            name: "Wardkeep".to_owned(),
            address: serving.address,
            request: wire::post(serving.address, KEY, tool, &arguments),
            process: Some(serving.process().as_raw_nonzero().get()),
        },
    ];
    for peer in peer.iter().flat_map(|peers| peers.split(';')) {
        let words: Vec<_> = peer.trim().splitn(3, ' ').collect();
        let [url, tool, name] = words[..] else { panic!("a peer is `URL TOOL NAME`, not {peer:?}") };
        let address = url.trim_start_matches("http://").trim_end_matches("/mcp").parse().unwrap();
        let request = wire::post(address, KEY, tool, &arguments);
        sides.push(Side { name: name.to_owned(), address, request, process: None });
    }
    let mut rows = Vec::new();
    for in_flight in [1, 16, 64] {
        let mut seen: Vec<(u64, Samples, Duration)> = sides.iter().map(|_| Default::default()).collect();
        for _ in 0..ROUNDS {
            for (side, (calls, samples, spent)) in sides.iter().zip(&mut seen) {
                let before = side.process.map(cost::spent).unwrap_or_default();
                *calls += ask(side, in_flight, LONG, samples);
                *spent += side.process.map(cost::spent).unwrap_or_default() - before;
            }
        }
        let a_second = |calls: u64| calls as f64 / (LONG.as_secs_f64() * ROUNDS as f64);
        let ours = a_second(seen[1].0);
        for (side, (calls, samples, spent)) in sides.iter().zip(&seen) {
            let each = spent.div_f64(*calls as f64);
            rows.push(vec![
                format!("{in_flight} in flight: {}", side.name),
                format!("{:.0}", a_second(*calls)),
                times(ours / a_second(*calls)),
                time(samples.median()),
                time(samples.p99()),
                side.process.map_or("not measured".to_owned(), |_| time(each)),
            ]);
        }
    }
    let columns = &["", "calls a second", "Wardkeep, times that", "p50", "p99", "processor time a call"];
    Table { title: "Many READ calls at once over HTTP, connections kept; the client has the same cores", columns, rows }
}

/// A home that serves the component that others serve too.
fn greeting(component: &Path) -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("both", component, &["greet"]));
    home
}

/// Asks from so many connections for so long. How many answers came.
fn ask(side: &Side, in_flight: usize, long: Duration, samples: &mut Samples) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let taken = runtime.block_on(async {
        let until = Instant::now() + long;
        let clients: Vec<_> = (0..in_flight)
            .map(|_| {
                let (request, address, calls) = (side.request.clone(), side.address, Arc::clone(&calls));
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let (mut read, mut part, mut taken) = (Vec::new(), vec![0; 16 << 10], Vec::new());
                    while Instant::now() < until {
                        let begun = Instant::now();
                        stream.write_all(&request).await.unwrap();
                        read.clear();
                        while wire::end(&read).is_none() {
                            let bytes = stream.read(&mut part).await.unwrap();
                            assert!(bytes > 0, "the peer closed");
                            read.extend_from_slice(&part[..bytes]);
                        }
                        wire::done(&read);
                        taken.push(begun.elapsed());
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                    taken
                })
            })
            .collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await.unwrap());
        }
        all
    });
    taken.into_iter().for_each(|sample| samples.add(sample));
    calls.load(Ordering::Relaxed)
}

/// So many calls, from 16 connections.
pub fn calls(address: SocketAddr, request: &[u8], how_many: u64) {
    let side = Side { name: String::new(), address, request: request.to_vec(), process: None };
    let mut made = 0;
    while made < how_many {
        made += ask(&side, 16, Duration::from_millis(500), &mut Samples::default());
    }
}
