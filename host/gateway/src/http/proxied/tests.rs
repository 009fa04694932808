use super::*;

fn proxies(headers: ForwardedBy) -> Proxies {
    let trusted = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:1::/48"].map(|network| network.parse().unwrap());
    Proxies { trusted: trusted.into(), headers }
}

/// What a peer is taken for that sends these headers, and what is left of `Host`.
fn came(by: ForwardedBy, peer: &str, sent: &[(&str, &str)]) -> Result<(String, String), Misdirected> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("inner:8080"));
    for (name, value) in sent {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let client = proxies(by).client(peer.parse().unwrap(), &mut headers)?;
    assert_eq!(headers.len(), 1, "nothing that was forwarded is left: {headers:?}");
    Ok((client.to_string(), headers[header::HOST].to_str().unwrap().to_owned()))
}

fn x(peer: &str, sent: &[(&str, &str)]) -> Result<String, Misdirected> {
    came(ForwardedBy::XForwarded, peer, sent).map(|(client, _)| client)
}

fn rfc(sent: &str) -> Result<String, Misdirected> {
    came(ForwardedBy::Forwarded, "10.0.0.1", &[("forwarded", sent)]).map(|(client, _)| client)
}

const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");

#[test]
fn the_client_is_the_last_address_that_is_no_proxy() {
    for (chain, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9,10.0.0.2 , 192.0.2.7", "203.0.113.9"),
        ("garbage, \"x, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]:4711, 2001:db8:1::2", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        // inside of the proxies' own network
        ("10.0.0.5, 10.0.0.2", "10.0.0.5"),
    ] {
        assert_eq!(x("10.0.0.1", &[HTTPS, ("x-forwarded-for", chain)]).as_deref(), Ok(client), "{chain}");
    }
    let twice = [HTTPS, ("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(x("10.0.0.1", &twice).as_deref(), Ok("203.0.113.9"), "two headers are one list");
}

#[test]
fn a_proxy_that_does_not_say_who_or_how_is_not_believed() {
    let from = ("x-forwarded-for", "203.0.113.9");
    for (sent, expected) in [
        (vec![from], Misdirected::NotHttps),
        (vec![from, ("x-forwarded-proto", "http")], Misdirected::NotHttps),
        (vec![from, ("x-forwarded-proto", "")], Misdirected::NotHttps),
        (vec![from, ("x-forwarded-proto", "https, http")], Misdirected::NotHttps),
        (vec![from, ("x-forwarded-proto", "http"), HTTPS], Misdirected::NotHttps),
        (vec![from, ("x-forwarded-proto", "httpsx")], Misdirected::NotHttps),
        (vec![HTTPS], Misdirected::Nobody),
        (vec![HTTPS, ("x-forwarded-for", "")], Misdirected::Nobody),
        (vec![HTTPS, ("x-forwarded-for", "unknown")], Misdirected::Nobody),
        (vec![HTTPS, ("x-forwarded-for", "203.0.113.9, unknown")], Misdirected::Nobody),
        (vec![HTTPS, ("x-forwarded-for", "203.0.113.9, unknown, 10.0.0.2")], Misdirected::Nobody),
        (vec![HTTPS, ("x-forwarded-for", "203.0.113.999")], Misdirected::Nobody),
        (vec![HTTPS, from, ("x-forwarded-host", "a.example, b.example")], Misdirected::TwoHosts),
        (vec![HTTPS, from, ("x-forwarded-host", "a"), ("x-forwarded-host", "a")], Misdirected::TwoHosts),
        // the family that this proxy does not write came from its client
        (vec![("forwarded", "for=203.0.113.9;proto=https")], Misdirected::NotHttps),
    ] {
        assert_eq!(x("10.0.0.1", &sent), Err(expected), "{sent:?}");
    }
    assert_eq!(x("10.0.0.1", &[HTTPS, from, ("forwarded", "for=6.6.6.6")]).as_deref(), Ok("203.0.113.9"));
}

#[test]
fn nobody_else_is_believed_and_only_this_machine_comes_without_a_proxy() {
    let sent = [HTTPS, ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-host", "tools.example")];
    for stranger in ["203.0.113.66", "192.0.2.8", "2001:db8:2::1", "::ffff:203.0.113.66", "11.0.0.1"] {
        assert_eq!(x(stranger, &sent), Err(Misdirected::PastProxy), "{stranger}");
    }
    for local in ["127.0.0.1", "::1", "127.9.9.9"] {
        let came = came(ForwardedBy::XForwarded, local, &sent).unwrap();
        assert_eq!(came, (local.to_owned(), "inner:8080".to_owned()), "its headers count for nothing");
    }
    assert_eq!(x("::ffff:10.0.0.1", &sent).as_deref(), Ok("203.0.113.9"), "a proxy in other words");
}

#[test]
fn the_name_that_the_client_called_takes_the_place_of_the_inner_one() {
    let sent = [HTTPS, ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-host", "tools.example")];
    let (_, host) = came(ForwardedBy::XForwarded, "10.0.0.1", &sent).unwrap();
    assert_eq!(host, "tools.example");
    let sent = [("forwarded", "for=203.0.113.9;host=tools.example;proto=https")];
    assert_eq!(came(ForwardedBy::Forwarded, "10.0.0.1", &sent).unwrap().1, "tools.example");
}

#[test]
fn forwarded_is_read_as_rfc_7239_writes_it() {
    for (value, client) in [
        ("for=203.0.113.9;proto=https", "203.0.113.9"),
        ("For=\"[2001:db8::9]:4711\"; Proto=HTTPS;by=10.0.0.1", "2001:db8::9"),
        ("for=1.1.1.1;proto=http, for=203.0.113.9;proto=https, for=10.0.0.2;proto=http", "203.0.113.9"),
        ("for=\"1.1.1.1, for=6.6.6.6;proto=https\" , for=203.0.113.9;proto=https", "203.0.113.9"),
        ("for=\"203.0.113.\\9\";proto=https", "203.0.113.9"),
        ("for=203.0.113.9;proto=https;secret=\"a;b,c\"", "203.0.113.9"),
    ] {
        assert_eq!(rfc(value).as_deref(), Ok(client), "{value}");
    }
    for (value, expected) in [
        ("", Misdirected::Nobody),
        ("proto=https", Misdirected::Nobody),
        ("for=unknown;proto=https", Misdirected::Nobody),
        ("for=_hidden;proto=https", Misdirected::Nobody),
        ("for=203.0.113.9", Misdirected::NotHttps),
        ("for=203.0.113.9;proto=http", Misdirected::NotHttps),
        ("for=1.1.1.1;proto=https, for=203.0.113.9", Misdirected::NotHttps),
        ("for=203.0.113.9;for=1.1.1.1;proto=https", Misdirected::Nobody),
        ("for=203.0.113.9;proto=http;proto=https", Misdirected::Nobody),
        ("for=\"203.0.113.9;proto=https", Misdirected::Nobody),
        ("for=203.0.113.9 proto=https", Misdirected::Nobody),
        ("for=203.0.113.9;proto=https;", Misdirected::Nobody),
        ("for=203.0.113.9;proto=https,", Misdirected::Nobody),
        (";for=203.0.113.9;proto=https", Misdirected::Nobody),
    ] {
        assert_eq!(rfc(value), Err(expected), "{value}");
    }
    let x_too = [("x-forwarded-for", "203.0.113.9"), HTTPS];
    assert_eq!(came(ForwardedBy::Forwarded, "10.0.0.1", &x_too), Err(Misdirected::Nobody));
}
