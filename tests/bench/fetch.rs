//! A page of 1 KiB over TLS, asked for by a sandboxed tool, beside plain hyper that asks for the same page on a connection of its own. The same
//! call with a request that is refused is measured in the same turns, and is what the sandbox and the protocol cost: that request is made by the guest,
//! decided and recorded, and touches no network.

use std::time::Duration;

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
    // what is refused on purpose stops nobody
    let egress = "[brakes]\nenabled = false\n[egress]\nca = \"ca.pem\"\nprivate = [\"127.0.0.0/8\", \"::1/128\"]\n";
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
    let call = |requests: usize, refused: usize| {
        let mut connection = wire::Http::open(serving.address);
        let arguments = json!({ "requests": requests, "refused": refused });
        let post = wire::post(serving.address, KEY, "fetches_fetch", &arguments);
        wire::expect(connection.exchange(&post), &json!({ "bytes": requests * PAGE }));
        timed(move || _ = connection.exchange(&post))
    };
    // as far apart as a tool's requests are: whoever answers has gone to sleep, and other work has been done meanwhile
    let mut paced = {
        let (mut other, mut plain) = (call(0, 0), Plain::open(&upstream));
        let mut get = timed(move || plain.get());
        move || {
            other();
            get()
        }
    };
    let mut acts = (timed(|| plain.get()), call(0, 0), call(0, 1), call(1, 0), call(11, 0), call(0, 11));
    let turns: [&mut dyn FnMut() -> Duration; 7] =
        [&mut acts.0, &mut paced, &mut acts.1, &mut acts.2, &mut acts.3, &mut acts.4, &mut acts.5];
    let medians = in_turns(ROUNDS, EACH, turns).map(|samples| samples.median());
    let [plain, paced, none, refused, one, eleven, all_refused] = medians;
    let further = |eleven: Duration, one| eleven.saturating_sub(one) / 10;
    let row = |what: &str, took, own: Duration, request: Duration, floor| {
        let times = times(ratio(request.saturating_sub(own), floor));
        vec![what.to_owned(), time(took), time(own), time(request.saturating_sub(own)), times, "1.25".to_owned()]
    };
    let unasked = |what: &str, took| {
        let empty = std::iter::repeat_n(String::new(), 4);
        [what.to_owned(), time(took)].into_iter().chain(empty).collect()
    };
    Table {
        title: "A page of 1 KiB over TLS, on connections that are kept",
        columns: &["", "p50", "of it the sandbox's own", "of it the request", "times plain hyper", "at most"],
        rows: vec![
            unasked("plain hyper, one after the other", plain),
            unasked("plain hyper, each after a call", paced),
            unasked("a call without a request", none),
            row("a call with one, beside each after a call", one, refused, one, paced),
            row(
                "each further request of a call, beside one after the other",
                further(eleven, one),
                further(all_refused, refused),
                further(eleven, one),
                plain,
            ),
        ],
    }
}
