//! One component, one piece of work, two doors: Wardkeep's `handler` and a plain function for hosts that make a tool of each export.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Plugin, Result, Tool};

fn greeting(name: &str) -> String {
    format!("Hello, {name}!")
}

#[derive(Deserialize, JsonSchema)]
struct Who {
    name: String,
}
#[derive(Serialize, JsonSchema)]
struct Greeting {
    greeting: String,
}

fn greet(who: Who) -> Result<Greeting> {
    Ok(Greeting { greeting: greeting(&who.name) })
}
fn plain(who: Who) -> Result<String> {
    Ok(greeting(&who.name))
}

fn plugin() -> Plugin {
    Plugin::new("both", "0.1.0")
        .tool(Tool::read("greet", "Greets", greet))
        .tool(Tool::read("plain", "Greets in plain text", plain))
}

// By hand and without `export!`, whose panic hook imports `wardkeep:log`: other hosts have no such interface.
struct Door;
impl wardkeep_sdk::raw::Handler for Door {
    fn describe() -> wardkeep_sdk::raw::Description {
        plugin().describe()
    }
    fn call(request: wardkeep_sdk::raw::Request) -> Result<wardkeep_sdk::raw::Reply> {
        plugin().call(request)
    }
}
wardkeep_sdk::export_raw!(Door);

#[cfg(target_arch = "wasm32")]
mod plainly {
    wit_bindgen::generate!({ inline: "package bench:plain; world plain { export greet: func(name: string) -> string; }" });
    struct Plain;
    impl Guest for Plain {
        fn greet(name: String) -> String {
            super::greeting(&name)
        }
    }
    export!(Plain);
}
