use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::seal::{Purpose, Seals, Unspent};

fn asked() -> Asked {
    let form = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    let question = Question { id: "one".into(), message: "Who?".into(), schema: form.to_string() };
    Asked {
        nonce: [7; 16],
        first: CorrelationId::from_bytes([1; 16]),
        at: at(0),
        round: 1,
        principal: "user:me".into(),
        actors: Vec::new(),
        tool: "asks_ask".into(),
        contract: Digest::of(b"contract"),
        arguments: Digest::of(b"{}"),
        questions: vec![asking(question, &"asks".parse().unwrap()).unwrap()],
        state: vec![0, 255],
        kept: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

#[test]
fn a_state_is_good_for_five_minutes_under_the_key_that_sealed_it() {
    let seals = Seals::new(Purpose::Questions);
    let state = seals.seal(&asked(), at(0)).unwrap();
    assert_eq!(seals.open::<Asked>(&state, at(299)).unwrap().state, [0, 255]);
    assert_eq!(seals.open::<Asked>(&state, at(300)).unwrap_err(), StateFault::Expired);
    assert_eq!(Seals::new(Purpose::Questions).open::<Asked>(&state, at(0)).unwrap_err(), StateFault::Altered);
    assert_ne!(state, seals.seal(&asked(), at(0)).unwrap(), "no two states are the same");
}

#[test]
fn no_character_of_a_state_can_be_changed_left_out_or_added() {
    let seals = Seals::new(Purpose::Questions);
    let state = seals.seal(&asked(), at(0)).unwrap();
    for index in 0..state.len() {
        let mut altered = state.clone().into_bytes();
        altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(seals.open::<Asked>(&altered, at(0)).unwrap_err(), StateFault::Altered, "{index}");
        assert_eq!(
            seals.open::<Asked>(state.get(..index).unwrap(), at(0)).unwrap_err(),
            StateFault::Altered,
            "{index}"
        );
    }
    assert_eq!(seals.open::<Asked>(&format!("{state}A"), at(0)).unwrap_err(), StateFault::Altered);
}

#[test]
fn a_round_is_used_up_once() {
    let seals = Seals::new(Purpose::Questions);
    assert_eq!(seals.spend("user:me", &[1; 16], at(0)), Ok(()));
    assert_eq!(seals.spend("user:me", &[1; 16], at(299)), Err(Unspent::Used));
    assert_eq!(seals.spend("user:me", &[2; 16], at(299)), Ok(()));
}

#[test]
fn an_answer_reaches_the_plugin_only_if_it_fits_the_form_that_was_shown() {
    let answers = |answer: Value| BTreeMap::from([("one".to_owned(), answer), ("other".to_owned(), json!(1))]);
    let resumed = asked().answered(&answers(json!({ "action": "accept", "content": { "name": "Ada" } }))).unwrap();
    let told = &resumed.resumption.answers;
    assert_eq!(told.len(), 1, "what was not asked is left out");
    assert_eq!((told[0].action, told[0].content.as_deref()), (Action::Accept, Some(r#"{"name":"Ada"}"#)));
    let resumed = asked().answered(&answers(json!({ "action": "decline", "content": { "name": "Ada" } }))).unwrap();
    assert_eq!(
        (resumed.resumption.answers[0].action, &resumed.resumption.answers[0].content),
        (Action::Decline, &None)
    );
    for bad in [
        json!(12345),
        json!({ "action": "accept" }),
        json!({ "action": "accept", "content": { "name": 5 } }),
        json!({ "action": "accept", "content": "Ada" }),
        json!({ "action": "agree", "content": { "name": "Ada" } }),
    ] {
        assert!(asked().answered(&answers(bad.clone())).is_err(), "{bad}");
    }
}
