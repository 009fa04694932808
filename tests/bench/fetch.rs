//! A page of 1 KiB over TLS, asked for by a sandboxed tool, beside plain hyper that asks for the same page on a connection of its own. What a
//! call costs without any request is measured in the same turns and taken off: it is the sandbox's and the protocol's, and has tables of its own.

use serde_json::json;

use crate::{
    guests,
    home::{Home, KEY, Plugin, sha256},
    measure::{in_turns, ratio, timed},
    page::{Table, time, times},
    upstream::{NAME, PAGE, Plain, Upstream},
    wire,
};

const ROUNDS: usize = 25;
const EACH: usize = 100;

pub fn table() -> Table {
    let upstream = Upstream::start();
    let home = Home::new();
    home.write("ca.pem", &upstream.pem);
    let egress = "[egress]\nca = \"ca.pem\"\nprivate = [\"127.0.0.0/8\", \"::1/128\"]\n";
    home.write("wardkeep.toml", &home.operator_file(&sha256(&home.read("trust.toml")), egress));
    let grant = format!(
        "[grants.http.page]\nhost = \"{NAME}\"\nport = {}\nmethods = [\"GET\"]\npaths = [\"=/page\"]\nprivate = [\"127.0.0.0/8\", \"::1/128\"]\n",
        upstream.address.port()
    );
    let tool = "[tools.fetch]\neffect = \"read\"\nuses = [\"http.page\"]\nallow = [\"service:test\"]\n";
    let component = guests::path("fetches");
    let plugin = Plugin::plain("fetches", &component, &[]);
    home.install(&Plugin { grants: &grant, tools: tool.to_owned(), ..plugin });
    let serving = home.serve();

    let mut plain = Plain::open(&upstream);
    let call = |requests: usize| {
        let mut connection = wire::Http::open(serving.address);
        let post = wire::post(serving.address, KEY, "fetches_fetch", &json!({ "requests": requests }));
        wire::expect(connection.exchange(&post), &json!({ "bytes": requests * PAGE }));
        timed(move || _ = connection.exchange(&post))
    };
    let [floor, none, one, eleven] =
        in_turns(ROUNDS, EACH, [&mut timed(|| plain.get()), &mut call(0), &mut call(1), &mut call(11)]);
    let (floor, none, one, eleven) = (floor.median(), none.median(), one.median(), eleven.median());
    let (first, further) = (one.saturating_sub(none), eleven.saturating_sub(one) / 10);
    let row = |what: &str, took, of_it| vec![what.to_owned(), time(took), time(of_it), times(ratio(of_it, floor))];
    Table {
        title: "A page of 1 KiB over TLS, on connections that are kept",
        columns: &["", "p50", "of it a request", "times plain hyper"],
        rows: vec![
            row("plain hyper", floor, floor),
            vec!["a call without a request".to_owned(), time(none), String::new(), String::new()],
            row("a call with one", one, first),
            row("a call with eleven", eleven, further),
        ],
    }
}
