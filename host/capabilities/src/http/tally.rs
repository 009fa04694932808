//! What a call sent where, for its record: hosts and numbers, no paths and no contents.

use wardkeep_model::Egress;

/// Hosts of one call that are kept apart.
const APART: usize = 16;
/// Where the rest is summed up.
const REST: &str = "…";

/// What one call sent.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<Egress>);

/// One host's line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line(usize);

impl Tally {
    /// Counts a request before it is sent: a call that is ended while it waits has sent it all the same.
    pub(super) fn sending(&mut self, host: &str, bytes: u64) -> Line {
        let known = self.0.iter().position(|egress| egress.host == host);
        let at = known.unwrap_or_else(|| {
            let host = if self.0.len() < APART { host } else { REST };
            self.0.iter().position(|egress| egress.host == host).unwrap_or_else(|| {
                self.0.push(Egress { host: host.to_owned(), requests: 0, bytes_out: 0, bytes_in: 0 });
                self.0.len() - 1
            })
        });
        if let Some(egress) = self.0.get_mut(at) {
            egress.requests = egress.requests.saturating_add(1);
            egress.bytes_out = egress.bytes_out.saturating_add(bytes);
        }
        Line(at)
    }

    /// It was not sent after all.
    pub(super) fn unsent(&mut self, Line(at): Line, bytes: u64) {
        if let Some(egress) = self.0.get_mut(at) {
            egress.requests = egress.requests.saturating_sub(1);
            egress.bytes_out = egress.bytes_out.saturating_sub(bytes);
        }
    }

    /// Bytes of an answer that were read.
    pub(super) fn received(&mut self, Line(at): Line, bytes: u64) {
        if let Some(egress) = self.0.get_mut(at) {
            egress.bytes_in = egress.bytes_in.saturating_add(bytes);
        }
    }

    /// For the record: hosts to which nothing was sent are none.
    pub(crate) fn take(&mut self) -> Vec<Egress> {
        let mut all = std::mem::take(&mut self.0);
        all.retain(|egress| egress.requests > 0);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_hosts_are_kept_apart_and_the_rest_is_summed_up() {
        let mut tally = Tally::default();
        for index in 0..20 {
            let line = tally.sending(&format!("h{index}"), 2);
            tally.received(line, 3);
        }
        let again = tally.sending("h0", 1);
        tally.received(again, 5);
        let never = tally.sending("h1", 9);
        tally.unsent(never, 9);
        let all = tally.take();
        assert_eq!(all.len(), 17);
        assert_eq!((all[0].requests, all[0].bytes_out, all[0].bytes_in), (2, 3, 8));
        assert_eq!((all[1].requests, all[1].bytes_out), (1, 2));
        assert_eq!((all[16].host.as_str(), all[16].requests, all[16].bytes_in), ("…", 4, 12));
    }

    #[test]
    fn a_host_to_which_nothing_was_sent_is_no_host() {
        let mut tally = Tally::default();
        let line = tally.sending("h", 1);
        tally.unsent(line, 1);
        assert_eq!(tally.take(), []);
    }
}
