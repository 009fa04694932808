//! Who a request really comes from where a proxy ends TLS before this host, and whether it came over TLS.
//!
//! What a proxy says of its peer is believed of the proxies that the operator names, and of nobody else: anybody can write such a header. Of
//! the two families of headers only the one that the operator names is looked at: a proxy that sets one passes the other on as it came.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Which headers a proxy writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and perhaps `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies before this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// Their addresses.
    pub trusted: Vec<IpNet>,
    /// What they write.
    pub headers: ForwardedBy,
}

/// Why a request is not taken, for the caller and, seldom, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misdirected {
    #[error("requests reach this host through its proxy only")]
    PastProxy,
    #[error("the proxy does not say that this request came over https")]
    NotHttps,
    #[error("the proxy does not say whom this request comes from")]
    Nobody,
    #[error("the proxy names two hosts")]
    TwoHosts,
    #[error("the proxy does not pass on the name of `public_url`, by which clients call")]
    OtherName,
}

impl Proxies {
    /// Whether this is the address of a proxy.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client's address. `Host` is then the name by which the client called, and nothing that was forwarded is left for others to read.
    pub(super) fn client(&self, peer: IpAddr, headers: &mut HeaderMap) -> Result<IpAddr, Misdirected> {
        let told = if self.trusts(peer) {
            Some(match self.headers {
                ForwardedBy::XForwarded => self.by_x_headers(headers)?,
                ForwardedBy::Forwarded => self.by_rfc_7239(headers)?,
            })
        } else {
            None
        };
        for name in [FORWARDED, X_FOR, X_PROTO, X_HOST] {
            headers.remove(name);
        }
        match told {
            Some(Told { client, host }) => {
                if let Some(host) = host {
                    headers.insert(header::HOST, host);
                }
                Ok(client)
            }
            // somebody on this machine; from another one, the token would have crossed the network in the clear
            None if peer.to_canonical().is_loopback() => Ok(peer),
            None => Err(Misdirected::PastProxy),
        }
    }

    fn by_x_headers(&self, headers: &HeaderMap) -> Result<Told, Misdirected> {
        let listed = |name: HeaderName| {
            let values = headers.get_all(name).into_iter();
            values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
        };
        // where several proxies each add theirs, which of them is the client's cannot be told: all must be the same
        let protocols: Vec<_> = listed(X_PROTO).collect();
        if protocols.is_empty() || !protocols.iter().all(|protocol| protocol.eq_ignore_ascii_case(b"https")) {
            return Err(Misdirected::NotHttps);
        }
        let mut hosts = headers.get_all(X_HOST).into_iter();
        let host = hosts.next().cloned();
        if hosts.next().is_some() || host.as_ref().is_some_and(|host| host.as_bytes().contains(&b',')) {
            return Err(Misdirected::TwoHosts);
        }
        let chain = listed(X_FOR).map(|node| std::str::from_utf8(node).ok().and_then(address)).collect::<Vec<_>>();
        let (client, _) = self.outermost(&chain)?;
        Ok(Told { client, host })
    }

    fn by_rfc_7239(&self, headers: &HeaderMap) -> Result<Told, Misdirected> {
        let mut hops = Vec::new();
        for value in headers.get_all(FORWARDED) {
            hops.extend(hops_of(value.to_str().map_err(|_| Misdirected::Nobody)?).ok_or(Misdirected::Nobody)?);
        }
        let chain = hops.iter().map(|hop| hop.from.as_deref().and_then(address)).collect::<Vec<_>>();
        let (client, at) = self.outermost(&chain)?;
        // what this hop says was said by a proxy; what stands before it, by anybody
        let hop = hops.into_iter().nth(at).ok_or(Misdirected::Nobody)?;
        if !hop.protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("https")) {
            return Err(Misdirected::NotHttps);
        }
        let host = hop.host.map(HeaderValue::try_from).transpose().map_err(|_| Misdirected::TwoHosts)?;
        Ok(Told { client, host })
    }

    /// The last address of the chain that is no proxy, and where it stands: what is before it was written by who knows whom. If all are
    /// proxies, the first.
    fn outermost(&self, chain: &[Option<IpAddr>]) -> Result<(IpAddr, usize), Misdirected> {
        let mut outermost = None;
        for (at, node) in chain.iter().enumerate().rev() {
            let node = node.ok_or(Misdirected::Nobody)?;
            outermost = Some((node, at));
            if !self.trusts(node) {
                break;
            }
        }
        outermost.ok_or(Misdirected::Nobody)
    }
}

struct Told {
    client: IpAddr,
    host: Option<HeaderValue>,
}

/// One element of `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    from: Option<String>,
    protocol: Option<String>,
    host: Option<String>,
}

/// An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(node: &str) -> Option<IpAddr> {
    let bare = node.parse::<IpAddr>().ok().or_else(|| node.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || node.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare.or_else(bracketed).map(|address| address.to_canonical())
}

/// RFC 7239, section 4: elements with commas between, pairs with semicolons, values as words or in quotes. Nothing if it is not that.
fn hops_of(text: &str) -> Option<Vec<Hop>> {
    let mut hops = vec![Hop::default()];
    let mut rest = text.trim_start();
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find([',', ';', ' ', '\t']).unwrap_or(after.len());
                let (word, after) = after.split_at_checked(end)?;
                (word.to_owned(), after)
            }
        };
        let hop = hops.last_mut()?;
        let place = match name.trim().to_ascii_lowercase().as_str() {
            "for" => Some(&mut hop.from),
            "proto" => Some(&mut hop.protocol),
            "host" => Some(&mut hop.host),
            _ => None,
        };
        // said twice in one element, it says nothing
        if let Some(place) = place
            && place.replace(value).is_some()
        {
            return None;
        }
        let after = after.trim_start();
        rest = match after.as_bytes().first() {
            None => return Some(hops),
            Some(b';') => after.get(1..)?.trim_start(),
            Some(b',') => {
                hops.push(Hop::default());
                after.get(1..)?.trim_start()
            }
            Some(_) => return None,
        };
    }
}

/// Up to the closing quote (RFC 9110, section 5.6.4), and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests;
