//! Which addresses are public. A name is only as good as what it leads to: one that a stranger controls may lead to the machine itself, into
//! the company's network or to a cloud's metadata.
//!
//! IPv4: nothing of IANA's special-purpose registry, whatever it says of reachability, no multicast, and not the one public address behind which
//! a cloud keeps its own service. IPv6: what stands for an IPv4 address is judged as that; of the rest only what is assigned for the public,
//! without the parts that lead elsewhere (Teredo and 6to4 carry an IPv4 address that nobody would judge).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, and below it what else is no place for a request.
const IPV4: [(Ipv4Net, &str); 20] = [
    (v4([0, 0, 0, 0], 8), "this network"),
    (v4([10, 0, 0, 0], 8), "private"),
    (v4([100, 64, 0, 0], 10), "shared by carriers"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([172, 16, 0, 0], 12), "private"),
    (v4([192, 0, 0, 0], 24), "for protocols"),
    (v4([192, 0, 2, 0], 24), "for documentation"),
    (v4([192, 31, 196, 0], 24), "special"),
    (v4([192, 52, 193, 0], 24), "special"),
    (v4([192, 88, 99, 0], 24), "special"),
    (v4([192, 168, 0, 0], 16), "private"),
    (v4([192, 175, 48, 0], 24), "special"),
    (v4([198, 18, 0, 0], 15), "for benchmarks"),
    (v4([198, 51, 100, 0], 24), "for documentation"),
    (v4([203, 0, 113, 0], 24), "for documentation"),
    (v4([240, 0, 0, 0], 4), "reserved"),
    (v4([255, 255, 255, 255], 32), "broadcast"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    // A cloud's own service answers there, in every one of its machines.
    (v4([168, 63, 129, 16], 32), "a cloud's own"),
];

/// What is assigned for the public.
const PUBLIC: Ipv6Net = v6([0x2000, 0], 3);

/// And these parts of it are not.
const IPV6: [(Ipv6Net, &str); 5] = [
    (v6([0x2001, 0], 23), "for protocols"),
    (v6([0x2001, 0xdb8], 32), "for documentation"),
    (v6([0x2002, 0], 16), "6to4"),
    (v6([0x3fff, 0], 20), "for documentation"),
    // as its IPv4 twins are
    (Ipv6Net::new_assert(Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), "special"),
];

/// No two keys open these: nothing that listens has such an address, and to some systems they are the machine itself.
const NEVER: [IpNet; 4] = [
    IpNet::V4(v4([0, 0, 0, 0], 8)),
    IpNet::V4(v4([224, 0, 0, 0], 4)),
    IpNet::V4(v4([255, 255, 255, 255], 32)),
    IpNet::V6(v6([0xff00, 0], 8)),
];

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6([a, b]: [u16; 2], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

/// What keeps a request from this address; nothing, if it is public, or in one of the networks that manifest and operator both allow.
pub(crate) fn forbidden(address: IpAddr, allowed: &[IpNet]) -> Option<&'static str> {
    let address = address.to_canonical();
    let what = special(address)?;
    let never = NEVER.iter().any(|net| net.contains(&address)) || address.is_unspecified();
    (never || !allowed.iter().any(|net| net.contains(&address))).then_some(what)
}

/// What an address is that is not public.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => IPV4.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what),
        IpAddr::V6(address) if address.is_loopback() => Some("loopback"),
        IpAddr::V6(address) if !PUBLIC.contains(&address) => Some("not public"),
        IpAddr::V6(address) => IPV6.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what),
    }
}

/// The networks that both allow.
pub(crate) fn both(grant: &[IpNet], operator: &[IpNet]) -> Vec<IpNet> {
    let mut both: Vec<IpNet> = Vec::new();
    for (one, other) in grant.iter().flat_map(|one| operator.iter().map(move |other| (one, other))) {
        let smaller = if one.contains(other) {
            other
        } else if other.contains(one) {
            one
        } else {
            continue;
        };
        if !both.contains(smaller) {
            both.push(*smaller);
        }
    }
    both.sort_unstable();
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(address: &str) -> bool {
        forbidden(address.parse().unwrap(), &[]).is_none()
    }

    /// Each network with the address before it and the one after it, where those are public.
    const REGISTRY: [(&str, Option<&str>, Option<&str>); 27] = [
        ("0.0.0.0/8", None, Some("1.0.0.0")),
        ("10.0.0.0/8", Some("9.255.255.255"), Some("11.0.0.0")),
        ("100.64.0.0/10", Some("100.63.255.255"), Some("100.128.0.0")),
        ("127.0.0.0/8", Some("126.255.255.255"), Some("128.0.0.0")),
        ("169.254.0.0/16", Some("169.253.255.255"), Some("169.255.0.0")),
        ("172.16.0.0/12", Some("172.15.255.255"), Some("172.32.0.0")),
        ("192.0.0.0/24", Some("191.255.255.255"), Some("192.0.1.0")),
        ("192.0.0.0/29", None, None),
        ("192.0.0.8/32", None, None),
        ("192.0.0.9/32", None, None),
        ("192.0.0.10/32", None, None),
        ("192.0.0.170/31", None, None),
        ("192.0.2.0/24", Some("192.0.1.255"), Some("192.0.3.0")),
        ("192.31.196.0/24", Some("192.31.195.255"), Some("192.31.197.0")),
        ("192.52.193.0/24", Some("192.52.192.255"), Some("192.52.194.0")),
        ("192.88.99.0/24", Some("192.88.98.255"), Some("192.88.100.0")),
        ("192.168.0.0/16", Some("192.167.255.255"), Some("192.169.0.0")),
        ("192.175.48.0/24", Some("192.175.47.255"), Some("192.175.49.0")),
        ("198.18.0.0/15", Some("198.17.255.255"), Some("198.20.0.0")),
        ("198.51.100.0/24", Some("198.51.99.255"), Some("198.51.101.0")),
        ("203.0.113.0/24", Some("203.0.112.255"), Some("203.0.114.0")),
        ("224.0.0.0/4", Some("223.255.255.255"), None),
        ("240.0.0.0/4", None, None),
        ("255.255.255.255/32", None, None),
        ("168.63.129.16/32", Some("168.63.129.15"), Some("168.63.129.17")),
        ("100.100.100.200/32", None, None),
        ("192.0.0.192/32", None, None),
    ];

    #[test]
    fn no_address_of_the_special_registry_is_public_and_its_neighbours_are() {
        for (net, before, after) in REGISTRY {
            let parsed: Ipv4Net = net.parse().unwrap();
            for edge in [parsed.network(), parsed.broadcast()] {
                assert!(!is_public(&edge.to_string()), "{edge} of {net}");
                assert!(!is_public(&edge.to_ipv6_mapped().to_string()), "{edge} of {net}, mapped");
            }
            for neighbour in [before, after].into_iter().flatten() {
                assert!(is_public(neighbour), "{neighbour} beside {net}");
                assert!(is_public(&format!("::ffff:{neighbour}")), "{neighbour} beside {net}, mapped");
            }
        }
    }

    #[test]
    fn of_the_newer_addresses_only_the_public_part_is_public() {
        for special in [
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "100:0:0:1::1",
            "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001::",
            "2001::4136:e378:8000:63bf:3fff:fdd2",
            "2001:1::1",
            "2001:2::1",
            "2001:20::1",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2002::",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff::",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2620:4f:8000::1",
            "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
            "4000::",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            assert!(!is_public(special), "{special}");
        }
        for public in [
            "2000::",
            "2000:ffff::1",
            "2001:200::",
            "2001:4860:4860::8888",
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
            "2003::",
            "2606:4700::1111",
            "2620:4f:7fff::1",
            "2620:4f:8001::1",
            "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff:1000::",
        ] {
            assert!(is_public(public), "{public}");
        }
    }

    fn nets(nets: &[&str]) -> Vec<IpNet> {
        nets.iter().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn a_private_network_needs_the_manifest_and_the_operator() {
        for (grant, operator, shared) in [
            (vec!["10.0.0.0/8"], vec!["10.2.0.0/16"], vec!["10.2.0.0/16"]),
            (vec!["10.2.3.0/24"], vec!["10.2.0.0/16"], vec!["10.2.3.0/24"]),
            (vec!["10.2.0.0/16"], vec!["10.2.0.0/16", "10.0.0.0/8"], vec!["10.2.0.0/16"]),
            (vec!["10.2.0.0/16"], vec!["10.3.0.0/16"], vec![]),
            (vec!["10.2.0.0/16"], vec![], vec![]),
            (vec![], vec!["10.2.0.0/16"], vec![]),
            (vec!["fd00::/8"], vec!["fd12::/16"], vec!["fd12::/16"]),
            (vec!["0.0.0.0/0"], vec!["fd00::/8"], vec![]),
        ] {
            assert_eq!(both(&nets(&grant), &nets(&operator)), nets(&shared), "{grant:?} and {operator:?}");
        }
        let allowed = nets(&["10.2.0.0/16", "fd12::/16"]);
        for (address, open) in [
            ("10.2.255.255", true),
            ("::ffff:10.2.0.1", true),
            ("10.3.0.0", false),
            ("127.0.0.1", false),
            ("fd12::1", true),
            ("fd13::1", false),
        ] {
            assert_eq!(forbidden(address.parse().unwrap(), &allowed).is_none(), open, "{address}");
        }
    }

    #[test]
    fn no_key_opens_what_nobody_listens_on() {
        let all = nets(&["0.0.0.0/0", "::/0"]);
        for address in ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "224.0.0.1", "255.255.255.255", "ff02::1"] {
            assert!(forbidden(address.parse().unwrap(), &all).is_some(), "{address}");
        }
        for address in ["127.0.0.1", "::1", "169.254.169.254"] {
            assert!(forbidden(address.parse().unwrap(), &all).is_none(), "{address}");
        }
    }
}
