//! Orders over the home's own socket: carried out by whoever takes them, and never waited for longer than was said.

use super::*;
use crate::{Done, KeyChange, Keyed, Order, Orders, Placed, Relay, SocketServer, Undone};

const LONG: Duration = Duration::from_secs(20);

fn done(change: u64) -> Done {
    Done::Kills { change: Some(change), ended: 0, ending: 0, recorded: true, unserved: false }
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
async fn refusals_that_are_counted_are_told_the_id_that_they_are_found_by_and_are_written_on_demand() {
    let (fixture, stop) = (Fixture::new(), CancellationToken::new());
    let path = fixture._directory.path().join("s");
    let server = SocketServer::bind(&path, Arc::clone(&fixture.host), Orders::new().0).unwrap();
    let server = tokio::spawn(server.run(stop.clone()));
    let relay = Relay::connect(&path).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..4 {
        let caller = Caller::clone(&me());
        let request = ToolCall { tool: "nothing".to_owned(), arguments: Map::new(), retry: None, approval: None };
        let refused = fixture.host.call(caller, request, Line::default(), CancellationToken::new()).await.unwrap_err();
        told.push(refused.data.unwrap()["correlationId"].as_str().unwrap().to_owned());
    }
    let log = || {
        let records = wardkeep_audit::scan(&fixture._directory.path().join("audit")).unwrap();
        records.map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(log().len(), 1, "the others are counted");
    assert_eq!(relay.order(Order::Counts, LONG).await, Ok(Done::Recorded));
    assert_eq!(log().iter().map(|record| record.count).collect::<Vec<_>>(), [None, Some(3)]);
    for record in log() {
        assert!(
            told.iter().all(|id| record.correlation.as_ref().is_some_and(|found| found.as_str() == id)),
            "{told:?}"
        );
    }
    let text = |text: &str| text.to_owned();
    let change = KeyChange { what: Keyed::Made, key: text("ci"), user: text("service:ci"), by: text("ada") };
    assert_eq!(relay.order(Order::Record(change), LONG).await, Ok(Done::Recorded));
    assert_eq!(log().last().map(|record| record.code.clone()).as_deref(), Some("key-made"));
    stop.cancel();
    server.await.unwrap();
}

#[tokio::test]
async fn the_calls_of_a_key_that_is_taken_back_end_wherever_they_stand_and_those_of_another_do_not() {
    let fixture = Fixture::new();
    fixture.serve(vec![fixture.plugin(1, &day(100))]);
    let permit = fixture.permit(Timestamp::now());
    let keys = fixture.host.moment().callers.keys.clone();
    let of = |key: usize| {
        let identity =
            Identity { principal: keys[key].principal.clone(), credential: Credential::Key(keys[key].sha256) };
        Arc::new(Caller::new(identity, Origin::default(), None))
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
