use wardkeep_model::Scheme;
use wardkeep_policy::manifest::CanonicalPath;

use super::*;

fn endpoint(path: &str) -> Endpoint {
    let path: CanonicalPath = path.parse().unwrap();
    Endpoint { scheme: Scheme::Https, host: "auth.example.com".into(), port: 443, path }
}

fn answer(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap()
}

async fn body(request: Request<Full<Bytes>>) -> String {
    let bytes = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_is_authenticated_as_rfc_6749_wants_it() {
    let scopes = ["read".to_owned(), "write:all".to_owned()];
    let request =
        client_request(&endpoint("/oauth/token"), "my client", "s/cret+%", &scopes, Some("https://api.example.com/"))
            .unwrap();
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/oauth/token"));
    let authorization = &request.headers()[header::AUTHORIZATION];
    assert!(authorization.is_sensitive());
    // both halves are encoded as a form before they are put together (2.3.1)
    assert_eq!(authorization.to_str().unwrap(), format!("Basic {}", BASE64.encode("my+client:s%2Fcret%2B%25")));
    assert_eq!(
        body(request).await,
        "grant_type=client_credentials&scope=read+write%3Aall&resource=https%3A%2F%2Fapi.example.com%2F"
    );
}

#[test]
fn an_answer_without_a_usable_token_is_none() {
    let good = r#"{"access_token":"abcdefgh","token_type":"bearer","expires_in":60}"#;
    assert_eq!(client_token(&answer(200, good)).ok().unwrap().life, Duration::from_secs(60));
    let unsaid = r#"{"access_token":"abcdefgh","token_type":"Bearer"}"#;
    assert_eq!(client_token(&answer(200, unsaid)).ok().unwrap().life, UNSAID);
    for bad in [
        "",
        "<html>",
        r#"{"token_type":"bearer"}"#,
        r#"{"access_token":"abcdefgh","token_type":"mac"}"#,
        r#"{"access_token":"short","token_type":"bearer"}"#,
        r#"{"access_token":"abcdefgh\r\nx: y","token_type":"bearer"}"#,
        r#"{"access_token":"abcdefgh","token_type":"bearer","expires_in":-1}"#,
    ] {
        assert!(matches!(client_token(&answer(200, bad)), Err(ExchangeError::NoToken)), "{bad}");
    }
}

#[test]
fn of_a_refusal_only_known_words_are_kept() {
    for (status, body, told) in [
        (401, r#"{"error":"invalid_client","error_description":"the secret s3cr3t is wrong"}"#, "invalid_client"),
        (400, r#"{"error":"s3cr3t"}"#, "without a word"),
        (500, "s3cr3t", "without a word"),
        (302, "", "without a word"),
    ] {
        let error = client_token(&answer(status, body)).err().unwrap().to_string();
        assert!(error.contains(told) && error.contains(&status.to_string()) && !error.contains("s3cr3t"), "{error}");
    }
}

/// Made for this test, and known to nobody.
fn key() -> (String, jsonwebtoken::DecodingKey) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let public = jsonwebtoken::DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap();
    (pair.serialize_pem(), public)
}

#[test]
fn an_app_signs_for_its_installation_and_for_ten_minutes_at_most() {
    let (key, public) = key();
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let request = installation_request(&endpoint("/api/v3/"), "12345", 678, key.as_bytes(), now).unwrap();
    assert_eq!(request.uri().path(), "/api/v3/app/installations/678/access_tokens");
    let bearer = request.headers()[header::AUTHORIZATION].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    let mut rules = jsonwebtoken::Validation::new(Algorithm::RS256);
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<serde_json::Value>(&bearer, &public, &rules).unwrap().claims;
    assert_eq!(claims, serde_json::json!({"iat": now.as_second() - 60, "exp": now.as_second() + 540, "iss": "12345"}));
    assert!(installation_request(&endpoint("/"), "1", 1, b"no key at all", now).is_err());
}

#[test]
fn an_installation_s_token_lives_as_long_as_its_answer_says() {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let good = r#"{"token":"ghs_0123456789","expires_at":"2026-11-23T13:00:00Z","permissions":{}}"#;
    assert_eq!(installation_token(&answer(201, good), now).ok().unwrap().life, Duration::from_secs(3600));
    let past = r#"{"token":"ghs_0123456789","expires_at":"2026-11-23T11:00:00Z"}"#;
    assert!(installation_token(&answer(201, past), now).is_err());
    assert!(matches!(installation_token(&answer(404, "{}"), now), Err(ExchangeError::Refused { .. })));
}
