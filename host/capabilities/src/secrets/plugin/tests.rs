use std::collections::VecDeque;

use wardkeep_policy::manifest::{Credential, SourceKey};

use super::*;
use crate::secrets::{
    Reading,
    value::tests::{bearer, terms},
};

/// Gives one value after the other, and then none.
#[derive(Debug)]
struct Script(Mutex<VecDeque<&'static str>>);

impl SecretSources for Script {
    fn read(&self, _: &SourceKey) -> Result<Reading, SourceError> {
        let next = self.0.lock().unwrap().pop_front().ok_or(SourceError::Absent)?;
        Reading::new(next.as_bytes().to_vec(), None)
    }
}

fn secrets(values: &[&'static str]) -> PluginSecrets {
    let sources: Arc<dyn SecretSources> = Arc::new(Script(Mutex::new(values.iter().copied().collect())));
    PluginSecrets::new(&"p".parse().unwrap(), &sources)
}

fn finds(secrets: &PluginSecrets, text: &str) -> bool {
    secrets.guard().is_some_and(|guard| guard.finds(text.as_bytes()).is_some())
}

#[test]
fn a_rotated_value_is_new_for_the_next_and_the_old_one_is_still_looked_for() {
    let (secrets, terms) =
        (secrets(&["value-one", "value-one", "value-two", "value-three"]), terms(Credential::Static, bearer()));
    assert!(secrets.guard().is_none(), "nothing was read, so there is nothing to look for");
    let one = secrets.read(&terms).ok().unwrap();
    assert!(Arc::ptr_eq(&one, &secrets.read(&terms).ok().unwrap()), "unchanged, so nothing is made anew");
    let two = secrets.read(&terms).ok().unwrap();
    assert_eq!((one.value.text(), two.value.text()), ("value-one", "value-two"));
    assert!(finds(&secrets, "value-one") && finds(&secrets, "value-two"));
    drop(one);
    secrets.read(&terms).ok().unwrap();
    assert!(!finds(&secrets, "value-one") && finds(&secrets, "value-two") && finds(&secrets, "value-three"));
    assert!(matches!(secrets.read(&terms), Err(SourceError::Absent)), "a value that is gone is not used any more");
    assert!(finds(&secrets, "value-three"), "but it is still looked for");
}

#[test]
fn a_value_that_a_call_still_holds_is_looked_for_whatever_came_after() {
    let (secrets, terms) =
        (secrets(&["value-one", "value-two", "value-three", "value-four"]), terms(Credential::Static, bearer()));
    let held = secrets.read(&terms).ok().unwrap();
    (0..3).for_each(|_| drop(secrets.read(&terms).ok().unwrap()));
    assert!(finds(&secrets, "value-one") && !finds(&secrets, "value-two"));
    drop(held);
}

#[test]
fn what_stands_in_a_basic_authorization_is_looked_for_as_it_stands_there() {
    use base64::Engine as _;
    let secrets = secrets(&["pass-word"]);
    secrets.read(&terms(Credential::Static, Inject::Basic { user: "me".into() })).ok().unwrap();
    let encoded = base64::engine::general_purpose::STANDARD.encode("me:pass-word");
    assert_eq!(secrets.guard().unwrap().without(&format!("Basic {encoded}!")), "Basic [secret]!");
}

#[test]
fn nothing_shows_a_value() {
    let secrets = secrets(&["value-one"]);
    let secret = secrets.read(&terms(Credential::Static, bearer())).ok().unwrap();
    let shown = format!("{secrets:?} {:?} {:?}", secret.value, secret.tokens);
    assert!(shown.contains('s') && !shown.contains("value-one"), "{shown}");
}

#[test]
fn what_is_sent_for_a_basic_authorization_is_found_in_the_encodings_of_that_too() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let secrets = secrets(&["pass-word"]);
    secrets.read(&terms(Credential::Static, Inject::Basic { user: "me".into() })).ok().unwrap();
    let header = format!("Basic {}", encode("me:pass-word"));
    for echo in [hex(&header), encode(&header), encode(&format!("authorization: {header}"))] {
        assert!(finds(&secrets, &echo), "{echo}");
    }
}
