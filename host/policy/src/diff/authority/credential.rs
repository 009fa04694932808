//! What a manifest says of a credential, but for what is for people only: that is in `rest`.

use wardkeep_model::Scheme;

use crate::{
    document::basic_string,
    manifest::{Credential, Inject, SecretTerms},
};

use super::Authority;

pub(super) fn of(terms: &SecretTerms) -> Authority {
    let SecretTerms { name, source, credential, inject, rotated_by: _, every: _, if_it_fails: _ } = terms;
    let (secret, source, made) = (name.clone(), source.to_string(), made(credential));
    let header = |name: &str, format: String| format!("the header `{}` as {}", name, basic_string(&format));
    let place = match inject {
        Inject::Header { name, before, after } => header(name, format!("{before}{{}}{after}")),
        Inject::Basic { user } => header("authorization", format!("Basic {user}:{{}}")),
        Inject::Query { name } => return Authority::SecretInQuery { secret, source, made, parameter: name.clone() },
    };
    Authority::Secret { secret, source, made, place }
}

/// The endpoint that is sent the value itself without TLS, or answers with a token.
pub(super) fn exchanged_in_the_clear(terms: &SecretTerms) -> Option<Authority> {
    let endpoint = match &terms.credential {
        Credential::Static => return None,
        Credential::OAuthClient { token_url, .. } => token_url,
        Credential::GithubApp { api, .. } => api,
    };
    let clear = endpoint.scheme == Scheme::Http;
    clear.then(|| Authority::SecretInTheClear { secret: terms.name.clone(), to: endpoint.to_string() })
}

/// What is made of the value before it is used.
fn made(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Static => None,
        Credential::OAuthClient { token_url, client_id, scopes, audience } => {
            let scopes = scopes.iter().map(|scope| basic_string(scope)).collect::<Vec<_>>().join(", ");
            let audience = audience.as_deref().map_or_else(|| "any".to_owned(), basic_string);
            let client = basic_string(client_id);
            Some(format!("tokens of {token_url} for the client {client}, scopes [{scopes}], audience {audience}"))
        }
        Credential::GithubApp { api, app, installation } => {
            Some(format!("tokens of {api} for the GitHub App {}, installation {installation}", basic_string(app)))
        }
    }
}
