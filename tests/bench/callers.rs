//! Callers at several times their limits beside callers within them: what those within notice. Both keep their pace, whatever they are told;
//! in turns, those within are alone and they are not.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    task::JoinHandle,
};

use crate::{
    calls,
    home::{Home, sha256},
    measure::{Samples, ratio},
    page::{Table, time, times},
    wire,
};

/// What each caller may, a second; and as many at once.
const LIMIT: u32 = 100;
const WITHIN: [&str; 4] = ["a", "b", "c", "d"];
const BEYOND: [&str; 4] = ["w", "x", "y", "z"];
/// Callers within their limit ask for half of it, those beyond for five times as much, each on so many connections.
const HALF: u32 = LIMIT / 2;
const FIVE_TIMES: u32 = 5 * LIMIT;
const CONNECTIONS: u32 = 4;
const LONG: Duration = Duration::from_secs(5);
const ROUNDS: usize = 4;

fn key(name: &str) -> String {
    format!("wk_bench_{name}_0123456789abcdef0123456789abcdef")
}

fn home() -> Home {
    let home = calls::home();
    let table = |name: &&str| {
        let digest = sha256(key(name).as_bytes());
        format!("[callers.keys.{name}]\nsha256 = \"{digest}\"\nprincipal = \"service:{name}\"\ngroups = [\"tests\"]\n")
    };
    let callers: String = WITHIN.iter().chain(&BEYOND).map(table).collect();
    let more = format!("{callers}[limits]\nrate = \"{LIMIT}/s\"\n");
    home.write("wardkeep.toml", &home.operator_file(&sha256(&home.read("trust.toml")), &more));
    home
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    let_in: u64,
    refused: u64,
}

pub fn table() -> Table {
    let home = home();
    let serving = home.serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut alone, mut beside) = (Samples::default(), Samples::default());
    let (mut let_in, mut refused) = (0, 0);
    for round in 0..=ROUNDS {
        let (quiet, _) = run(&runtime, serving.address, &[]);
        let (busy, long) = run(&runtime, serving.address, &BEYOND);
        for (name, seen) in quiet.iter().chain(&busy).filter(|(name, _)| WITHIN.contains(name)) {
            assert_eq!(seen.refused, 0, "{name} is within its limits");
        }
        for name in BEYOND {
            let seen = &busy[name];
            // a whole burst, and what was granted while they asked; the last of them may have asked a moment before the end
            let of = |long: Duration| f64::from(LIMIT) * (1.0 + long.as_secs_f64());
            let (least, most) = (of(LONG) - f64::from(CONNECTIONS), of(long) + 1.0);
            assert!((least..=most).contains(&(seen.let_in as f64)), "{name}: {}, {least} to {most}", seen.let_in);
            let_in += seen.let_in;
            refused += seen.refused;
        }
        if round > 0 {
            let took = |seen: &BTreeMap<&str, Seen>| WITHIN.iter().flat_map(|name| seen[name].took.clone()).collect();
            let (quiet, busy): (Vec<_>, Vec<_>) = (took(&quiet), took(&busy));
            quiet.into_iter().for_each(|took| alone.add(took));
            busy.into_iter().for_each(|took| beside.add(took));
        }
    }
    assert_eq!(serving.terminate().0, Some(0));
    let journal = home.journal();
    let counted = journal.iter().filter(|line| line["unmapped"]["rule"] == "rate-caller");
    let counted: u64 = counted.map(|line| line["count"].as_u64().unwrap_or(1)).sum();
    assert_eq!(counted, refused, "every refusal is on record");
    let row = |what: &str, of: fn(&Samples) -> Duration, most: &str| {
        let (alone, beside) = (of(&alone), of(&beside));
        vec![what.to_owned(), time(alone), time(beside), times(ratio(beside, alone)), most.to_owned()]
    };
    let those = format!("those beyond: {let_in} let in, {refused} refused, all on record");
    let nothing = String::new;
    Table {
        title: "Callers within their limits, alone and beside callers at five times theirs",
        columns: &["", "alone", "beside them", "times", "at most"],
        rows: vec![
            row("p50", Samples::median, ""),
            row("p99", Samples::p99, "2"),
            vec![those, nothing(), nothing(), nothing(), nothing()],
        ],
    }
}

/// Those within their limits, and these beyond. What each of them saw, and how long they asked.
fn run(runtime: &Runtime, address: SocketAddr, beyond: &[&'static str]) -> (BTreeMap<&'static str, Seen>, Duration) {
    runtime.block_on(async {
        let begun = Instant::now();
        let within = WITHIN.iter().map(|name| (*name, HALF));
        let all = within.chain(beyond.iter().map(|name| (*name, FIVE_TIMES)));
        let asking: Vec<(&str, JoinHandle<Seen>)> = all
            .flat_map(|(name, pace)| {
                (0..CONNECTIONS).map(move |_| (name, tokio::spawn(ask(address, name, pace / CONNECTIONS))))
            })
            .collect();
        let mut seen = BTreeMap::<_, Seen>::new();
        for (name, asking) in asking {
            let Seen { took, let_in, refused } = asking.await.unwrap();
            let of_caller = seen.entry(name).or_default();
            of_caller.took.extend(took);
            of_caller.let_in += let_in;
            of_caller.refused += refused;
        }
        let long = begun.elapsed();
        // until every bucket is empty
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        (seen, long)
    })
}

/// One connection that asks so often a second.
async fn ask(address: SocketAddr, name: &str, a_second: u32) -> Seen {
    let request = wire::post(address, &key(name), calls::TOOL, &calls::arguments());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut read, mut part, mut seen) = (Vec::new(), vec![0; 16 << 10], Seen::default());
    let mut pace = tokio::time::interval(Duration::from_secs(1) / a_second);
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        pace.tick().await;
        let begun = Instant::now();
        stream.write_all(&request).await.unwrap();
        read.clear();
        while wire::end(&read).is_none() {
            let bytes = stream.read(&mut part).await.unwrap();
            assert!(bytes > 0, "the peer closed");
            read.extend_from_slice(&part[..bytes]);
        }
        seen.took.push(begun.elapsed());
        let text = String::from_utf8_lossy(&read);
        match text.contains("retry-after-seconds") {
            true => seen.refused += 1,
            false => {
                assert!(!text.contains("isError\":true"), "{text}");
                seen.let_in += 1;
            }
        }
    }
    seen
}
