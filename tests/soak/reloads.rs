//! Reloads while everything else goes on: manifests signed anew, components replaced, a plugin removed and installed again, one that is
//! refused, a caller let in and turned out.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::field::{FIXTURE, Field, GUEST, callers};
use crate::{
    reloading::load::stamped,
    support::{
        guests,
        home::{Home, Plugin, day, sha256},
        serving::Serving,
    },
};

/// A reload that was asked for has come by then.
const SOON: Duration = Duration::from_secs(60);
/// Between two reloads.
const PAUSE: Duration = Duration::from_millis(500);
/// One component in so many is one that was never compiled before.
const NEW: u64 = 40;

/// The plugin whose manifest changes.
struct Changing<'f, 'a> {
    field: &'f Field<'a>,
    serving: &'f Serving,
    component: Vec<u8>,
    contract: String,
}

pub fn reloads(field: &Field<'_>, serving: &Serving) {
    let wasm = guests::path("fixture");
    let contract =
        field.home.json(&["inspect", wasm.to_str().unwrap()])["contract_sha256"].as_str().unwrap().to_owned();
    let changing = Changing { field, serving, component: fs::read(&wasm).unwrap(), contract };
    let operator = String::from_utf8(field.home.read("wardkeep.toml")).unwrap();
    let mut serial = 1;
    let mut count = 0;
    while !field.is_over() {
        count += 1;
        serial += 1;
        match count % 5 {
            0 => changing.gone_and_back(serial),
            1 => {
                let guest = if count % 10 == 1 { callers(&[("guest", GUEST)]) } else { String::new() };
                put_whole(field.home, "wardkeep.toml", &format!("{operator}{guest}"));
                serving.hang_up();
                field.tally.done("reloads", "callers changed");
            }
            2 if count % 10 == 2 => changing.refused(serial),
            _ => changing.replaced("fixture", serial),
        }
        field.pause(PAUSE);
    }
}

/// In one step, as an editor does: whoever starts meanwhile reads the one or the other.
fn put_whole(home: &Home, file: &str, text: &str) {
    home.write(".new", text);
    fs::rename(home.path().join(".new"), home.path().join(file)).unwrap();
}

impl Changing<'_, '_> {
    fn put(&self, name: &str, serial: u64) {
        let number = if serial.is_multiple_of(NEW) { (serial / NEW % 200) as u8 + 10 } else { (serial % 2) as u8 };
        let wasm = guests::path("fixture");
        let mut plugin = Plugin::plain(name, &wasm, &FIXTURE);
        (plugin.serial, plugin.limits) = (serial, "concurrency = 32\n");
        self.field.home.put(&plugin, &stamped(&self.component, number), "1.0.0", &self.contract, &day(200));
    }

    /// The manifest that serves a plugin, as every client is told.
    fn served(&self, name: &str) -> Option<String> {
        let listed = self.field.wire().request("tools/list", json!({}), &Value::Null).expect("a list");
        let tools = listed["result"]["tools"].as_array().expect("tools");
        let tool = tools.iter().find(|tool| tool["name"] == json!(format!("{name}_echo")))?;
        Some(tool["_meta"]["dev.wardkeep/manifest-sha256"].as_str().expect("a digest").to_owned())
    }

    fn until_served(&self, name: &str, manifest: Option<&str>) {
        self.serving.hang_up();
        let begun = Instant::now();
        while self.served(name).as_deref() != manifest {
            if begun.elapsed() > SOON {
                return self.field.tally.wrong(format!("{name} is not replaced after {SOON:?}"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn replaced(&self, name: &str, serial: u64) {
        self.put(name, serial);
        let manifest = sha256(&self.field.home.read(&format!("plugins/{name}/manifest.toml")));
        self.until_served(name, Some(&manifest));
        self.field.tally.done("reloads", "replaced");
    }

    /// A plugin that nobody had, used while it goes.
    fn gone_and_back(&self, serial: u64) {
        self.replaced("comes", serial);
        thread::scope(|scope| {
            let using = scope.spawn(|| self.field.wire().call("comes_slow", json!({ "steps": 20_000_000 })));
            thread::sleep(Duration::from_millis(20));
            fs::remove_dir_all(self.field.home.path().join("plugins/comes")).unwrap();
            self.until_served("comes", None);
            match using.join().unwrap() {
                Ok(answer) => self.field.tally.answered("calls of what goes", &answer, &["ok", "failed", "unknown"]),
                Err(error) => self.field.tally.wrong(format!("a call of what goes: {error}")),
            }
        });
        self.field.tally.done("reloads", "removed");
    }

    /// A manifest that nobody has signed: what served before goes on.
    fn refused(&self, serial: u64) {
        let before = self.served("fixture");
        let file = "plugins/fixture/manifest.toml";
        let manifest = String::from_utf8(self.field.home.read(file)).unwrap();
        put_whole(self.field.home, file, &format!("{manifest}\n# {serial}\n"));
        self.serving.hang_up();
        self.field.pause(Duration::from_millis(300));
        if self.served("fixture") != before {
            self.field.tally.wrong("what nobody has signed is served".to_owned());
        }
        put_whole(self.field.home, file, &manifest);
        self.field.tally.done("reloads", "refused");
    }
}
