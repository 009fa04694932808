//! How many connections there may be, in all and of one peer, so that nobody who holds connections open locks the others out.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Connections at once. Beyond it, a new one is closed at once.
const MOST: usize = 1_024;
/// Connections at once of one peer, this machine included. Those of a proxy that the operator trusts are bounded in all only, and what comes
/// by it is counted by its clients.
const MOST_EACH: usize = 256;
/// What strangers can cause at any rate is logged this often at most.
const SELDOM: Duration = Duration::from_secs(10);

/// The connections that are open now, by peer.
#[derive(Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection's right to be; given back when dropped.
pub(super) struct Place {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    peer: IpAddr,
}

impl Connections {
    /// `shared`: many come from this address, and are counted one by one elsewhere.
    pub(super) fn admit(&self, peer: IpAddr, shared: bool) -> Option<Place> {
        let peer = network(peer);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let of_peer = open.get(&peer).copied().unwrap_or(0);
        if all >= MOST || (of_peer >= MOST_EACH && !shared) {
            return None;
        }
        open.insert(peer, of_peer + 1);
        Some(Place { open: Arc::clone(&self.0), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// What counts as one peer: an IPv4 address, or a /64 of IPv6, which is what one subscriber has.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(peer) if !peer.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(peer.to_bits() & !u128::from(u64::MAX)))
        }
        peer => peer,
    }
}

/// Counts events and says at most once in [`SELDOM`] how many there were.
#[derive(Default)]
pub(super) struct Seldom {
    count: u64,
    told: Option<Instant>,
}

impl Seldom {
    /// One more. The number since the last time, if it may be told now.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.told.is_some_and(|told| now.duration_since(told) < SELDOM) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Instant};

    use super::{Connections, MOST, MOST_EACH, SELDOM, Seldom};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_peer_has_so_many_connections_and_not_one_more_while_others_still_come_in() {
        let connections = Connections::default();
        let mut held: Vec<_> = (0..MOST_EACH).map(|_| connections.admit(ip("127.0.0.1"), false).unwrap()).collect();
        assert!(connections.admit(ip("127.0.0.1"), false).is_none());
        assert!(connections.admit(ip("::ffff:127.0.0.1"), false).is_none(), "the same peer in other words");
        assert!(connections.admit(ip("127.0.0.2"), false).is_some());
        held.pop();
        assert!(connections.admit(ip("127.0.0.1"), false).is_some(), "a connection that ended makes room");
    }

    #[test]
    fn an_ipv6_subscriber_is_one_peer_whatever_address_it_takes() {
        let connections = Connections::default();
        let held: Vec<_> =
            (0..MOST_EACH).map(|n| connections.admit(ip(&format!("2001:db8::{n:x}")), false).unwrap()).collect();
        assert!(connections.admit(ip("2001:db8::ffff:1"), false).is_none());
        assert!(connections.admit(ip("2001:db8:0:1::1"), false).is_some());
        drop(held);
    }

    #[test]
    fn all_peers_together_have_so_many_connections_and_not_one_more() {
        let connections = Connections::default();
        let mut held: Vec<_> = (0..MOST)
            .map(|n| connections.admit(ip(&format!("10.0.{}.{}", n / 200, n % 200)), false).unwrap())
            .collect();
        assert!(connections.admit(ip("192.0.2.1"), false).is_none());
        held.pop();
        assert!(connections.admit(ip("192.0.2.1"), false).is_some());
        drop(held);
        assert!(connections.0.lock().unwrap().is_empty(), "nothing is kept of peers that are gone");
    }

    #[test]
    fn what_happens_often_is_told_seldom_and_counted() {
        let (mut seldom, begun) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.count(begun), Some(1));
        assert_eq!((0..500).find_map(|_| seldom.count(begun + SELDOM / 2)), None);
        assert_eq!(seldom.count(begun + SELDOM), Some(501));
    }
}
