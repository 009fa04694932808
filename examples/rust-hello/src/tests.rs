use serde_json::json;
use wardkeep_sdk::fake;

use super::plugin;

#[test]
fn it_greets_by_name() {
    let answer = fake::call(&plugin(), "greet", &json!({ "name": "Ada" })).unwrap();
    assert_eq!(answer.structured.as_deref(), Some(r#"{"text":"Hello, Ada!"}"#));
}
