//! A plugin whose `describe` never ends.

use wardkeep_sdk::{
    Failure, Result,
    raw::{Description, Handler, Reply, Request},
};
use wardkeep_test_guests::burn;

struct Endless;

impl Handler for Endless {
    fn describe() -> Description {
        loop {
            std::hint::black_box(burn(1_000));
        }
    }

    fn call(request: Request) -> Result<Reply> {
        Err(Failure::not_found(request.tool))
    }
}

wardkeep_sdk::export_raw!(Endless);
