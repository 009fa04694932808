//! Grants of one tool that would let the same request through in two ways: with different secrets, or to different ports. A component says
//! neither scheme nor port, so which of the two a request meant nobody could say, neither the admin who reads the manifest nor who reads
//! the log. So one tool may not hold both.

use std::collections::BTreeMap;

use wardkeep_model::{Effect, Method};

use crate::document::Item;

use super::{Grant, GrantKey, HostPattern, HttpGrant, ToolTerms, grant::Placed};

/// Leaves a fault at each tool for each such pair of its grants.
pub(super) fn check<'t>(tools: impl Iterator<Item = (&'t ToolTerms, &'t Item<'t>)>, grants: &Placed<'_>) {
    let http = |key: &GrantKey| match grants.get(key) {
        Some((Grant::Http(http), _)) => Some(http.as_ref()),
        _ => None,
    };
    // Tools share grants: each pair is compared once, or a document of many tools would cost seconds.
    let mut known: BTreeMap<(bool, &str, &str), bool> = BTreeMap::new();
    for (tool, item) in tools {
        let held: Vec<&HttpGrant> = tool.uses.iter().filter_map(http).collect();
        let reading = tool.effect == Effect::Read;
        for (index, one) in held.iter().enumerate() {
            for other in held.iter().take(index) {
                let Some(ways) = ways(one, other) else { continue };
                let pair = (reading, one.name.as_str(), other.name.as_str());
                if *known.entry(pair).or_insert_with(|| meet(reading, one, other)) {
                    let message = format!(
                        "uses `http.{}` and `http.{}`, which would let the same request through {ways}",
                        other.name, one.name
                    );
                    let mend = "narrow the host, methods or paths of one of them, or let two tools use them";
                    item.fault(message, Some(mend));
                }
            }
        }
    }
}

/// How what they let through differs, whatever it is. A request may carry a grant's secret or none, so one that has none is no other way.
fn ways(one: &HttpGrant, other: &HttpGrant) -> Option<&'static str> {
    let both = one.secret.is_some() && other.secret.is_some();
    if (one.scheme, one.port) != (other.scheme, other.port) {
        Some("to different ports")
    } else if both && one.secret != other.secret {
        Some("with different secrets")
    } else {
        None
    }
}

/// Whether some request fits both. What arguments fill a place with is not known here, so a place fits every part.
fn meet(reading: bool, one: &HttpGrant, other: &HttpGrant) -> bool {
    let sends = |grant: &HttpGrant, method: &Method| grant.gives(reading, *method);
    one.host.meets(&other.host)
        && Method::ALL.iter().any(|method| sends(one, method) && sends(other, method))
        && one.paths.iter().any(|path| other.paths.iter().any(|known| path.meets(known)))
}

impl HostPattern {
    /// Whether some host is meant by both.
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => pattern.matches(name),
            // Equal, or one of them lies below the other.
            (Self::Below(one), Self::Below(two)) => one == two || self.matches(two) || other.matches(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(method: &str, host: &str, path: &str) -> HttpGrant {
        HttpGrant {
            name: "x".parse().unwrap(),
            scheme: wardkeep_model::Scheme::Https,
            host: host.parse().unwrap(),
            port: 443,
            methods: vec![method.parse().unwrap()],
            paths: vec![path.parse().unwrap()],
            secret: None,
            read_only: false,
            private: Vec::new(),
        }
    }

    #[test]
    fn grants_meet_where_one_request_fits_both() {
        for (one, other) in [
            (("api.test", "/"), ("api.test", "=/a")),
            (("api.test", "/a/"), ("api.test", "/a/b/")),
            (("api.test", "/repos/{/owner}/"), ("api.test", "=/repos/acme/web")),
            (("api.test", "=/a/{/x}/c"), ("api.test", "=/a/b/{/y}")),
            (("*.api.test", "/"), ("eu.api.test", "/")),
            (("*.api.test", "/"), ("*.eu.api.test", "/")),
        ] {
            let both = [(one, other), (other, one)];
            for ((host, path), (another, known)) in both {
                assert!(meet(true, &grant("GET", host, path), &grant("GET", another, known)), "{host} {path}");
            }
        }
        for (one, other) in [
            (("api.test", "/a/"), ("api.test", "/b/")),
            (("api.test", "/a/"), ("api.test", "=/a")),
            (("api.test", "=/a"), ("api.test", "=/a/")),
            (("api.test", "=/a/{/x}"), ("api.test", "=/a/")),
            (("api.test", "=/a/{/x}"), ("api.test", "=/a/b/c")),
            (("api.test", "=/a"), ("api.test", "=/A")),
            (("*.api.test", "/"), ("api.test", "/")),
            (("*.api.test", "/"), ("*.other.test", "/")),
        ] {
            let both = [(one, other), (other, one)];
            for ((host, path), (another, known)) in both {
                assert!(!meet(true, &grant("GET", host, path), &grant("GET", another, known)), "{host} {path}");
            }
        }
    }

    #[test]
    fn what_a_reading_tool_does_not_get_cannot_meet() {
        let (one, mut other) = (grant("POST", "api.test", "=/a"), grant("POST", "api.test", "=/a"));
        assert!(meet(false, &one, &other) && !meet(true, &one, &other));
        assert!(!meet(false, &one, &grant("PUT", "api.test", "=/a")));
        assert_eq!(ways(&one, &other), None);
        other.secret = Some("a".parse().unwrap());
        assert_eq!(ways(&one, &other), None, "with its secret or without one");
        let another = HttpGrant { secret: Some("b".parse().unwrap()), ..other.clone() };
        assert_eq!(ways(&another, &other), Some("with different secrets"));
        other.port = 8443;
        assert_eq!(ways(&one, &other), Some("to different ports"));
    }
}
