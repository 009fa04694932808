use std::{convert::Infallible, future::ready};

use serde_json::{Value, from_value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Ends, Ids, LATE, MOST, OnceEach, RoleServer, RxJsonRpcMessage, Transport, TxJsonRpcMessage};

/// Gives what the test sends; what is said goes nowhere.
struct Script(Receiver<RxJsonRpcMessage<RoleServer>>);

impl Transport<RoleServer> for Script {
    type Error = Infallible;

    fn send(&mut self, _: TxJsonRpcMessage<RoleServer>) -> impl Future<Output = Result<(), Infallible>> + 'static {
        ready(Ok(()))
    }

    fn receive(&mut self) -> impl Future<Output = Option<RxJsonRpcMessage<RoleServer>>> + Send {
        self.0.recv()
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Infallible>> {
        ready(Ok(()))
    }
}

struct Client {
    ids: Ids,
    transport: OnceEach<Script>,
    messages: Sender<RxJsonRpcMessage<RoleServer>>,
    refused: Receiver<String>,
}

impl Client {
    fn new() -> Self {
        let (ids, (messages, script), (refuse, refused)) = (Ids::default(), channel(1), channel(1));
        Self { transport: ids.around(Script(script), refuse), ids, messages, refused }
    }

    /// Whether it reaches rmcp; else what its client is told.
    async fn send(&mut self, message: Value) -> Result<(), Value> {
        self.messages.try_send(from_value(message).unwrap()).unwrap();
        tokio::select! {
            biased;
            passed = self.transport.receive() => passed.map(drop).ok_or(Value::Null),
            refused = self.refused.recv() => Err(serde_json::from_str(&refused.unwrap()).unwrap()),
        }
    }

    async fn asks(&mut self, id: Value) -> bool {
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })).await.is_ok()
    }

    async fn cancels(&mut self, id: Value) {
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
        self.send(cancel).await.unwrap();
    }

    async fn is_told(&mut self, message: Value) {
        self.transport.send(from_value(message).unwrap()).await.unwrap();
    }

    fn ended(&self, id: Value) {
        drop(Ends(&self.ids, from_value(id).unwrap()));
    }
}

#[tokio::test]
async fn a_second_request_under_an_id_is_refused_until_the_first_is_answered() {
    let mut client = Client::new();
    for id in [json!(7), json!("7"), json!(8)] {
        assert!(client.asks(id.clone()).await, "{id}: a number is no string");
    }
    let told = client.send(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" })).await.unwrap_err();
    assert_eq!(told["id"], Value::Null, "under its own id, it would be taken for the answer of the first: {told}");
    assert!(told["error"]["message"].as_str().unwrap().contains("has this id and is not answered yet"), "{told}");
    // the end of the work is not the answer, nor is another's answer or a question of the host's own under that number
    client.ended(json!(7));
    client.is_told(json!({ "jsonrpc": "2.0", "id": 8, "result": {} })).await;
    client.is_told(json!({ "jsonrpc": "2.0", "id": 7, "method": "ping" })).await;
    assert!(!client.asks(json!(7)).await);
    client.is_told(json!({ "jsonrpc": "2.0", "id": 7, "result": {} })).await;
    assert!(client.asks(json!(7)).await);
    client.is_told(json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": 1, "message": "no" } })).await;
    assert!(client.asks(json!(7)).await);
    assert!(!client.asks(json!("7")).await);
}

#[tokio::test]
async fn what_is_cancelled_keeps_its_id_until_its_work_has_ended() {
    let mut client = Client::new();
    assert!(client.asks(json!(1)).await);
    client.cancels(json!(1)).await;
    client.cancels(json!(1)).await;
    assert!(!client.asks(json!(1)).await, "its late answer would be taken for the new one's");
    client.ended(json!(1));
    assert!(!client.asks(json!(1)).await, "its late answer may still be on the way");
    tokio::time::sleep(LATE).await;
    assert!(client.asks(json!(1)).await);
    // the other way round: cancelled between the end of the work and the answer, which rmcp drops
    client.ended(json!(1));
    assert!(!client.asks(json!(1)).await);
    client.cancels(json!(1)).await;
    assert!(!client.asks(json!(1)).await);
    tokio::time::sleep(LATE).await;
    assert!(client.asks(json!(1)).await);
    client.cancels(json!("never asked")).await;
}

#[tokio::test]
async fn so_many_requests_may_wait_for_their_answers_and_not_one_more() {
    let mut client = Client::new();
    for id in 0..MOST {
        assert!(client.asks(json!(id)).await, "{id}");
    }
    let told = client.send(json!({ "jsonrpc": "2.0", "id": "more", "method": "ping" })).await.unwrap_err();
    assert_eq!(told["id"], "more", "{told}");
    assert_eq!(told["error"]["message"], "1024 requests are not answered yet; wait for some", "{told}");
    client.is_told(json!({ "jsonrpc": "2.0", "id": 5, "result": {} })).await;
    assert!(client.asks(json!("more")).await);
    assert_eq!(client.ids.asked().len(), MOST);
}
