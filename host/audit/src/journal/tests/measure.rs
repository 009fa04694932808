//! How long things take. Not run with the others: `cargo test --release -p wardkeep-audit -- --ignored --nocapture measure`.

use std::hint::black_box;

use super::*;
use crate::{chain::Chain, line::Line};

#[test]
#[ignore = "a measurement"]
fn measure_a_line() {
    let mut call = intent(1, Effect::Read);
    call.tidy();
    let tidy = closing(Outcome::Ok).tidy();
    let mut buffer = Vec::with_capacity(1 << 20);
    let mut chain = Chain::new();
    let (begun, rounds) = (Instant::now(), 200_000_u32);
    for _ in 0..rounds {
        buffer.clear();
        chain.seal(Line::outcome(black_box(&call), &tidy, Timestamp::UNIX_EPOCH), &mut buffer).unwrap();
    }
    println!("a line of {} bytes: {:?} to make, hash and seal", buffer.len(), begun.elapsed() / rounds);
    let begun = Instant::now();
    for _ in 0..rounds {
        black_box(Digest::of(black_box(&buffer)));
    }
    println!("of that to hash: {:?}", begun.elapsed() / rounds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_calls() {
    for (what, effect, lanes) in [
        ("read, alone", Effect::Read, 1),
        ("read, 64 at once", Effect::Read, 64),
        ("write, alone", Effect::Write, 1),
        ("write, 64 at once", Effect::Write, 64),
    ] {
        let home = tempdir().unwrap();
        let (journal, _) = open(home.path());
        let each: u128 = if effect == Effect::Write && lanes == 1 { 200 } else { 20_000 / lanes };
        let begun = Instant::now();
        let lanes: Vec<_> = (0..lanes)
            .map(|lane| {
                let journal = journal.clone();
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    for number in 0..each {
                        let call = intent(lane << 64 | number, effect);
                        let begun = Instant::now();
                        let recorded = journal.intent(call).await.unwrap();
                        times.push(begun.elapsed());
                        journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for lane in lanes {
            times.extend(lane.await.unwrap());
        }
        let rate = times.len() as f64 * 2.0 / begun.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        println!("{what}: {rate:.0} records/s, an intent p50 {:?}, p99 {:?}", at(50), at(99));
        journal.shutdown().await;
        let begun = Instant::now();
        let verified = whole(home.path());
        println!("  verified {} records in {:?}", verified.records, begun.elapsed());
    }
}
