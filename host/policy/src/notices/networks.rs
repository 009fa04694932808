//! Networks in `private` that are public: they may be reached without being named, so whoever wrote them meant something else.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is not public, or not all of it: of a network that touches none of these it is plain. The host itself judges single addresses,
/// and more exactly.
const NOT_PUBLIC: [IpNet; 21] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 16),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([192, 175, 48, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 3),
    v6([0x2001, 0], 23),
    v6([0x2001, 0xdb8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

/// What of IPv6 is assigned for the public.
const PUBLIC: IpNet = v6([0x2000, 0], 3);

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), bits))
}

const fn v6([a, b]: [u16; 2], bits: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits))
}

/// Whether every address of it is public.
pub(super) fn is_public(net: &IpNet) -> bool {
    let apart = NOT_PUBLIC.iter().all(|other| !other.contains(net) && !net.contains(other));
    apart && (matches!(net, IpNet::V4(_)) || PUBLIC.contains(net))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_network_is_public_if_no_part_of_it_is_anything_else() {
        for (net, public) in [
            ("8.8.8.0/24", true),
            ("1.1.1.1/32", true),
            ("2606:4700::/32", true),
            ("10.2.0.0/16", false),
            ("172.0.0.0/8", false),
            ("127.0.0.1/32", false),
            ("169.254.169.254/32", false),
            ("0.0.0.0/1", false),
            ("255.255.255.255/32", false),
            ("fd00::/8", false),
            ("::1/128", false),
            ("2001:db8:1::/48", false),
            ("2000::/3", false),
            ("::ffff:8.8.8.0/120", false),
        ] {
            assert_eq!(super::is_public(&net.parse().unwrap()), public, "{net}");
        }
    }
}
