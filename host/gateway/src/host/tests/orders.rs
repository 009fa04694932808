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

#[tokio::test]
async fn the_calls_of_a_key_that_is_taken_back_end_wherever_they_stand_and_those_of_another_do_not() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let permit = fixture.permit(Timestamp::now());
    let keys = fixture.host.moment().callers.keys.clone();
    let of = |key: usize| {
        let principal = keys[key].principal.clone();
        Arc::new(Caller { principal, origin: Origin::default(), connection: None, key: Some(keys[key].sha256) })
    };
    let (own, other) = (token(), token());
    let host = &fixture.host;
    let (running, waiting, others) =
        (host.enter(&of(0), permit.tool()), host.enter(&of(0), permit.tool()), host.enter(&of(1), permit.tool()));
    host.runs(&running, &permit, &own);
    host.runs(&others, &permit, &other);
    assert_eq!(host.revoke(keys[0].sha256), (true, 2));
    assert_eq!(own.state().map(|stop| stop.to_string()), Some("it was killed".into()));
    let ended = timeout(Duration::from_secs(20), waiting.unless_killed(std::future::pending::<()>())).await.unwrap();
    assert_eq!(ended.unwrap_err().rule(), "key-revoked");
    let (outcome, cost) = (wardkeep_model::Outcome::Killed, wardkeep_model::Cost::default());
    let mut closing = Closing { outcome, error_class: None, cost, notes: vec![], touched: vec![], egress: vec![] };
    running.tell(&mut closing);
    assert_eq!(closing.error_class.as_deref(), Some("key-revoked"));
    // one that was let in a moment before, and comes now
    assert!(host.enter(&of(0), permit.tool()).unless_killed(std::future::pending::<()>()).await.is_err());
    assert_eq!(other.state(), None);
    assert_eq!(host.revoke(keys[0].sha256), (false, 0));
}
