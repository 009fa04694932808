//! Whether a person stands behind a token. Programs get tokens too, and each issuer says so in another way; where its way does not tell, the
//! operator names a claim that does. What is not shown to be a person is none: then the operator is asked, and not the program itself.

use serde_json::{Map, Value};

use super::IssuerTerms;

/// What names the client that a token was given to: RFC 9068; OpenID Connect; Entra ID, version 1; Okta.
const CLIENTS: [&str; 4] = ["client_id", "azp", "appid", "cid"];

pub(super) fn stands_behind(claims: &Map<String, Value>, subject: &str, terms: &IssuerTerms) -> bool {
    terms.human
        // who acts for a person is not that person, and must not say yes to what it asks for itself
        && !claims.contains_key("act")
        && is_of_another(claims, subject)
        && !is_a_program_s(claims, subject)
        && terms.human_claims.iter().all(|(claim, value)| says(claims.get(claim), value))
}

/// Whether the token names its client, and the client is not its subject.
fn is_of_another(claims: &Map<String, Value>, subject: &str) -> bool {
    let mut clients = CLIENTS.iter().filter_map(|claim| claims.get(*claim)).peekable();
    let other = |client: &Value| {
        client.as_str().is_some_and(|client| !client.is_empty() && !client.eq_ignore_ascii_case(subject))
    };
    clients.peek().is_some() && clients.all(other)
}

/// What only tokens of programs say, at issuers that do not name the client as their subject.
fn is_a_program_s(claims: &Map<String, Value>, subject: &str) -> bool {
    let text = |claim| claims.get(claim).and_then(Value::as_str);
    // Auth0
    subject.ends_with("@clients")
        || ["client-credentials", "client_credentials"].iter().any(|grant| says(claims.get("gty"), grant))
        // Entra ID, whose people have a subject of their own at each application
        || claims.get("idtyp").is_some_and(|kind| kind != "user")
        || text("oid") == Some(subject)
        // Keycloak
        || text("preferred_username").is_some_and(|name| name.starts_with("service-account-"))
        || claims.contains_key("clientHost")
        || claims.contains_key("clientAddress")
}

/// A text, or one of an array.
fn says(claim: Option<&Value>, value: &str) -> bool {
    match claim {
        Some(Value::Array(several)) => several.iter().any(|one| one == value),
        claim => claim.is_some_and(|one| one == value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::claims::tests::terms;

    fn is_shown(terms: &IssuerTerms, claims: Value) -> bool {
        let claims = claims.as_object().unwrap();
        stands_behind(claims, claims["sub"].as_str().unwrap(), terms)
    }

    #[test]
    fn a_person_is_who_came_by_a_client_and_is_not_one() {
        let terms = terms();
        for client in CLIENTS {
            assert!(is_shown(&terms, json!({ "sub": "alice", client: "desktop" })), "{client}");
            assert!(!is_shown(&terms, json!({ "sub": "desktop", client: "desktop" })), "{client}");
            assert!(!is_shown(&terms, json!({ "sub": "B7-desktop", client: "b7-DESKTOP" })), "{client}");
            for odd in [json!(""), json!(7), json!(null), json!(["desktop"])] {
                assert!(!is_shown(&terms, json!({ "sub": "alice", client: odd })), "{client}");
            }
            // none of them may be the subject, whichever else is there
            for other in CLIENTS.into_iter().filter(|other| *other != client) {
                assert!(
                    !is_shown(&terms, json!({ "sub": "bot", client: "bot", other: "desktop" })),
                    "{client} {other}"
                );
            }
        }
        assert!(!is_shown(&terms, json!({ "sub": "alice" })), "nobody says by which client it came");
        let never = IssuerTerms { human: false, ..terms };
        assert!(!is_shown(&never, json!({ "sub": "alice", "azp": "desktop" })));
    }

    #[test]
    fn who_acts_for_a_person_is_none() {
        let terms = terms();
        for act in [json!({ "sub": "agent-7" }), json!({}), json!(null)] {
            assert!(!is_shown(&terms, json!({ "sub": "alice", "client_id": "desktop", "act": act })), "{act}");
        }
    }

    #[test]
    fn a_program_s_token_of_each_common_issuer_is_no_person_s() {
        let terms = terms();
        for (issuer, program, person) in [
            (
                "Auth0",
                json!({ "sub": "C1d@clients", "azp": "C1d", "gty": "client-credentials" }),
                json!({ "sub": "auth0|5f7c", "azp": "C1d" }),
            ),
            (
                "Auth0, RFC 9068 profile",
                json!({ "sub": "C1d@clients", "client_id": "C1d" }),
                json!({ "sub": "auth0|5f7c", "client_id": "C1d" }),
            ),
            (
                "Entra ID, version 2",
                json!({ "sub": "9f-sp", "oid": "9f-sp", "azp": "1a-app" }),
                json!({ "sub": "pairwise", "oid": "7c-alice", "azp": "1a-app", "scp": "tools:read" }),
            ),
            (
                "Entra ID, version 1, with idtyp",
                json!({ "sub": "9f-sp", "appid": "1a-app", "idtyp": "app" }),
                json!({ "sub": "pairwise", "oid": "7c-alice", "appid": "1a-app", "idtyp": "user" }),
            ),
            (
                "Okta",
                json!({ "sub": "0oa1", "cid": "0oa1" }),
                json!({ "sub": "alice@example.com", "cid": "0oa1", "uid": "00u1" }),
            ),
            (
                "Keycloak, client scope profile",
                json!({ "sub": "d952", "azp": "svc", "preferred_username": "service-account-svc" }),
                json!({ "sub": "7c1e", "azp": "desktop", "preferred_username": "alice" }),
            ),
            (
                "Keycloak, client scope service_account",
                json!({ "sub": "d952", "azp": "svc", "client_id": "svc", "clientHost": "10.0.0.1" }),
                json!({ "sub": "7c1e", "azp": "desktop", "sid": "f0" }),
            ),
        ] {
            assert!(!is_shown(&terms, program.clone()), "{issuer}: {program}");
            assert!(is_shown(&terms, person.clone()), "{issuer}: {person}");
        }
    }

    #[test]
    fn where_the_operator_names_claims_a_person_s_token_says_each_of_them() {
        let claims = |claims: &[(&str, &str)]| IssuerTerms {
            human_claims: claims.iter().map(|(claim, value)| ((*claim).into(), (*value).into())).collect(),
            ..terms()
        };
        let with = |more: Value| {
            let mut token = json!({ "sub": "7c1e", "azp": "desktop" });
            token.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            token
        };
        let one = claims(&[("amr", "mfa")]);
        for good in [json!({ "amr": "mfa" }), json!({ "amr": ["pwd", "mfa"] })] {
            assert!(is_shown(&one, with(good.clone())), "{good}");
        }
        for bad in [
            json!({}),
            json!({ "amr": "MFA" }),
            json!({ "amr": "pwd mfa" }),
            json!({ "amr": ["pwd"] }),
            json!({ "amr": [["mfa"]] }),
            json!({ "amr": { "mfa": "mfa" } }),
            json!({ "amr": true }),
            json!({ "azp": "7c1e", "amr": "mfa" }),
            json!({ "act": { "sub": "agent-7" }, "amr": "mfa" }),
        ] {
            assert!(!is_shown(&one, with(bad.clone())), "{bad}");
        }
        let both = claims(&[("amr", "mfa"), ("idtyp", "user")]);
        assert!(is_shown(&both, with(json!({ "amr": "mfa", "idtyp": "user" }))));
        assert!(!is_shown(&both, with(json!({ "amr": "mfa" }))));
    }
}
