//! What tells a client without a good token where to get one: the challenges of refusals, and the document that they point to (RFC 9728;
//! MCP 2026-07-28, Authorization). It tells nobody's name, no tool, and nothing of why a token was refused.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use wardkeep_model::{Effect, Scopes};

use crate::{Host, identity::OAuth};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// Without access tokens: RFC 6750, section 3, and no more to tell.
const PLAIN: &str = "Bearer realm=\"wardkeep\"";

/// Where the document is served: for the whole host, and for the path by which clients reach it (RFC 9728, section 3.1).
pub(super) fn paths(public_url: Option<&str>) -> Vec<String> {
    let own = public_url.and_then(|url| url.parse::<Uri>().ok()).map_or(String::new(), |url| below(url.path()));
    let mut paths = vec![WELL_KNOWN.to_owned()];
    // a router's own pattern signs are none here
    if !own.is_empty() && !own.contains(['{', '}', '*']) {
        paths.push(format!("{WELL_KNOWN}{own}"));
    }
    paths
}

fn below(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

/// The document. Where no issuer is named, there is none.
pub(super) async fn metadata(State(host): State<Arc<Host>>) -> Response {
    let moment = host.moment();
    match moment.callers.oauth.metadata() {
        Some(metadata) => super::json_response(StatusCode::OK, &metadata),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// For a 401. `presented`: something was there, and was not good (RFC 6750, section 3.1: who brought nothing is told of no error).
pub(super) fn unauthenticated(oauth: &OAuth, presented: bool) -> HeaderValue {
    let error = if presented { ", error=\"invalid_token\"" } else { "" };
    challenge(oauth, &format!("{error}, scope=\"{}\"", Scopes::name(Effect::Read)))
}

/// For a 403: a tool of this effect would be served to a token with one scope more. Those that it has are named too, so that a client that
/// asks for what it reads here loses none.
pub(super) fn insufficient(oauth: &OAuth, held: Scopes, lacking: Effect) -> HeaderValue {
    let wanted = [Effect::Read, Effect::Write, Effect::Destructive]
        .into_iter()
        .filter(|effect| *effect == lacking || held.allows(*effect))
        .map(Scopes::name)
        .collect::<Vec<_>>();
    challenge(oauth, &format!(", error=\"insufficient_scope\", scope=\"{}\"", wanted.join(" ")))
}

fn challenge(oauth: &OAuth, more: &str) -> HeaderValue {
    let mut text = PLAIN.to_owned();
    if let Some(metadata) = location(oauth.resource()).filter(|_| oauth.is_open()) {
        // Writing into a String cannot fail.
        let _ = write!(text, ", resource_metadata=\"{metadata}\"{more}");
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(PLAIN))
}

/// RFC 9728, section 3.1: the well-known part stands between host and path.
fn location(resource: &str) -> Option<String> {
    let url = resource.parse::<Uri>().ok()?;
    Some(format!("{}://{}{WELL_KNOWN}{}", url.scheme_str()?, url.authority()?, below(url.path())))
}

/// What a challenge comes with.
pub(super) fn with_challenge(status: StatusCode, challenge: HeaderValue, body: Response) -> Response {
    let mut response = body;
    *response.status_mut() = status;
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_between_host_and_path() {
        for (resource, expected, second) in [
            ("https://t.example/mcp", "https://t.example/.well-known/oauth-protected-resource/mcp", Some("/mcp")),
            (
                "https://t.example/a/mcp/",
                "https://t.example/.well-known/oauth-protected-resource/a/mcp",
                Some("/a/mcp"),
            ),
            ("https://t.example:8443", "https://t.example:8443/.well-known/oauth-protected-resource", None),
            ("https://t.example/", "https://t.example/.well-known/oauth-protected-resource", None),
        ] {
            assert_eq!(location(resource).as_deref(), Some(expected), "{resource}");
            let own = second.map(|path| format!("{WELL_KNOWN}{path}"));
            let served: Vec<_> = [WELL_KNOWN.to_owned()].into_iter().chain(own).collect();
            assert_eq!(paths(Some(resource)), served, "{resource}");
        }
        assert_eq!(paths(None), [WELL_KNOWN]);
        assert_eq!(paths(Some("https://t.example/{a}/*")), [WELL_KNOWN]);
    }

    #[test]
    fn a_challenge_names_what_is_needed_and_what_is_there_already() {
        let oauth = OAuth::for_tests("https://t.example/mcp");
        let at = "resource_metadata=\"https://t.example/.well-known/oauth-protected-resource/mcp\"";
        let first = format!("Bearer realm=\"wardkeep\", {at}, scope=\"tools:read\"");
        assert_eq!(unauthenticated(&oauth, false), first);
        let again = format!("Bearer realm=\"wardkeep\", {at}, error=\"invalid_token\", scope=\"tools:read\"");
        assert_eq!(unauthenticated(&oauth, true), again);
        let reader = Scopes { read: true, ..Scopes::default() };
        let more =
            |scope: &str| format!("Bearer realm=\"wardkeep\", {at}, error=\"insufficient_scope\", scope=\"{scope}\"");
        assert_eq!(insufficient(&oauth, reader, Effect::Write), more("tools:read tools:write"));
        assert_eq!(insufficient(&oauth, Scopes::default(), Effect::Destructive), more("tools:destructive"));
        assert_eq!(unauthenticated(&OAuth::default(), true), PLAIN, "without issuers there is nothing to tell");
    }
}
