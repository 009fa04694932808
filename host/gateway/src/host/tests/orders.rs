//! Orders over the home's own socket: carried out by whoever takes them, and never waited for longer than was said.

use super::*;
use crate::{Done, Order, Orders, Placed, Relay, SocketServer, Undone};

const LONG: Duration = Duration::from_secs(20);

fn done(change: u64) -> Done {
    Done::Kills { change, ended: 0, ending: 0, recorded: true, unserved: false }
}

#[tokio::test]
async fn an_order_is_carried_out_by_who_takes_it_and_its_end_is_told() {
    let (fixture, stop) = (Fixture::new(), CancellationToken::new());
    let (orders, mut placed) = Orders::new();
    let path = fixture._directory.path().join("s");
    let server = SocketServer::bind(&path, Arc::clone(&fixture.host), orders).unwrap();
    let server = tokio::spawn(server.run(stop.clone()));
    let relay = Relay::connect(&path).await.unwrap();
    let taker = tokio::spawn(async move {
        let Some(Placed { order: Order::Kills { change }, answer }) = placed.recv().await else { panic!("no order") };
        answer.send(Ok(done(change + 1))).unwrap();
        // taken, and not carried out
        drop(placed.recv().await);
        // and one that is never done with
        let held = placed.recv().await;
        assert!(placed.recv().await.is_none());
        drop(held);
    });
    assert_eq!(relay.order(Order::Kills { change: 7 }, LONG).await, Ok(done(8)));
    assert_eq!(relay.order(Order::Kills { change: 8 }, LONG).await, Err(Undone::Nobody));
    assert_eq!(relay.order(Order::Kills { change: 9 }, Duration::from_millis(50)).await, Err(Undone::Late));
    stop.cancel();
    // the owner ends: whoever waits is told, and does not wait
    assert_eq!(relay.order(Order::Kills { change: 10 }, LONG).await, Err(Undone::Lost));
    taker.abort();
    server.await.unwrap();
}
