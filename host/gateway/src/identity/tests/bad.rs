//! Tokens that an enemy would try: each with what refuses it. The end-to-end tests send the same ones over HTTP.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::signer::Signer;

/// Whom the host knows: one key of each kind, and whose tokens it takes.
pub struct Known<'k> {
    pub rsa: &'k Signer,
    pub ec: &'k Signer,
    pub ed: &'k Signer,
    pub issuer: &'k str,
    pub audience: &'k str,
    /// Seconds since 1970.
    pub now: i64,
}

/// A bad token: what it tries, the rule that it is recorded under, and itself.
pub struct Bad {
    pub tries: String,
    pub rule: &'static str,
    pub token: Vec<u8>,
}

impl Known<'_> {
    pub fn claims(&self) -> Value {
        json!({
            "iss": self.issuer,
            "sub": "mallory",
            "aud": self.audience,
            "exp": self.now + 600,
            "iat": self.now,
            "scope": "tools:read tools:write tools:destructive",
            "groups": ["tests"],
        })
    }

    /// Good claims with one of them another.
    fn with(&self, key: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[key] = value;
        claims
    }

    fn without(&self, key: &str) -> Value {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(key);
        claims
    }

    /// Everything that must be refused.
    pub fn bad(&self) -> Vec<Bad> {
        let mut all = Vec::new();
        let mut bad = |rule: &'static str, tries: &str, token: &[u8]| {
            all.push(Bad { tries: tries.to_owned(), rule, token: token.to_vec() });
        };
        let claims = self.claims();
        let good = self.ec.token(&claims);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, body) = signed.split_once('.').unwrap();
        let text = |part: &str| BASE64URL.encode(part);

        // another algorithm than the key's
        for (alg, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
        {
            for (of, secret) in [
                ("the RSA key in PEM", self.rsa.public_pem()),
                ("the P-256 key in PEM", self.ec.public_pem()),
                ("the RSA key as JWK", self.rsa.jwk().to_string()),
                ("nothing", String::new()),
            ] {
                let header = json!({ "alg": alg, "kid": self.rsa.kid }).to_string();
                let message = format!("{}.{}", text(&header), text(&claims.to_string()));
                let key = EncodingKey::from_secret(secret.as_bytes());
                let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
                bad(
                    "refused-algorithm",
                    &format!("{alg} with {of} for its secret"),
                    format!("{message}.{signature}").as_bytes(),
                );
            }
        }
        for alg in ["none", "None", "NONE", "nOnE", "", " ES256", "ES256K", "ES384", "PS256", "RS1", "RS512", "Ed448"] {
            let header = text(&json!({ "alg": alg, "kid": self.ec.kid }).to_string());
            let token = format!("{header}.{body}");
            bad(
                "refused-algorithm",
                &format!("alg {alg:?} with a signature"),
                format!("{token}.{signature}").as_bytes(),
            );
        }
        let none = text(r#"{"alg":"none"}"#);
        bad("malformed-token", "alg none without a signature", format!("{none}.{body}.").as_bytes());
        bad("malformed-token", "alg none and two parts", format!("{none}.{body}").as_bytes());
        for (alg, kid) in
            [("RS256", &self.ec.kid), ("EdDSA", &self.ec.kid), ("ES256", &self.rsa.kid), ("ES256", &self.ed.kid)]
        {
            let header = json!({ "alg": alg, "kid": kid }).to_string();
            let tries = format!("{alg} under the id of a key for something else");
            bad("refused-algorithm", &tries, self.ec.signed(&header, &claims.to_string()).as_bytes());
        }
        for header in [json!({ "alg": 7 }), json!({ "alg": null }), json!({ "alg": ["ES256"] }), json!({})] {
            bad(
                "refused-algorithm",
                "no algorithm",
                self.ec.signed(&header.to_string(), &claims.to_string()).as_bytes(),
            );
        }

        // a header that brings its own key, or changes what the rest means; even over a good signature
        let stranger = Signer::p256(&self.ec.kid);
        for (member, value) in [
            ("jwk", stranger.jwk()),
            ("jku", json!("https://evil.example/keys")),
            ("x5u", json!("https://evil.example/chain")),
            ("x5c", json!(["MIIB"])),
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("cty", json!("JWT")),
            ("enc", json!("A256GCM")),
            ("epk", json!({})),
        ] {
            for signer in [&stranger, self.ec] {
                let mut header = signer.header();
                header[member] = value.clone();
                let token = signer.signed(&header.to_string(), &claims.to_string());
                bad("refused-algorithm", &format!("`{member}` in the header"), token.as_bytes());
            }
        }
        for kind in ["dpop+jwt", "logout+jwt", "secevent+jwt", "at+jwt ", "JOSE", ""] {
            let header = json!({ "alg": "ES256", "kid": self.ec.kid, "typ": kind }).to_string();
            bad("unfit-token", &format!("typ {kind:?}"), self.ec.signed(&header, &claims.to_string()).as_bytes());
        }

        // whose key
        let forged = |signer: &Signer| {
            signer.signed(&json!({ "alg": "ES256", "kid": self.ec.kid }).to_string(), &claims.to_string())
        };
        bad("bad-signature", "another's key under a known id", forged(&stranger).as_bytes());
        bad("unknown-signing-key", "a key that nobody knows", Signer::p256("elsewhere").token(&claims).as_bytes());
        for kid in ["", "../../etc/passwd", "' OR 1=1 --", "a\u{0}b", "EC", &"k".repeat(256)] {
            let header = json!({ "alg": "ES256", "kid": kid }).to_string();
            let rule = if kid.is_empty() { "unfit-token" } else { "unknown-signing-key" };
            bad(rule, &format!("kid {kid:?}"), self.ec.signed(&header, &claims.to_string()).as_bytes());
        }
        for kid in [json!(7), json!(null), json!(["ec"]), json!({}), json!("k".repeat(257))] {
            let header = json!({ "alg": "ES256", "kid": kid }).to_string();
            bad("unfit-token", &format!("kid {kid}"), self.ec.signed(&header, &claims.to_string()).as_bytes());
        }
        let header_only = json!({ "alg": "ES256" }).to_string();
        bad(
            "unknown-signing-key",
            "no kid, and several keys",
            self.ec.signed(&header_only, &claims.to_string()).as_bytes(),
        );

        // the signature
        let flipped = |at: usize| {
            let mut bytes = BASE64URL.decode(signature).unwrap();
            bytes[at] ^= 1;
            format!("{signed}.{}", BASE64URL.encode(bytes))
        };
        bad("bad-signature", "one bit of the signature", flipped(0).as_bytes());
        bad("bad-signature", "the last bit of the signature", flipped(63).as_bytes());
        let of = |bytes: &[u8]| format!("{signed}.{}", BASE64URL.encode(bytes));
        let raw = BASE64URL.decode(signature).unwrap();
        bad("bad-signature", "a signature of zeros", of(&[0; 64]).as_bytes());
        bad("bad-signature", "a signature of ones", of(&[0xff; 64]).as_bytes());
        bad("bad-signature", "a signature of one byte", of(&[0]).as_bytes());
        bad("bad-signature", "half a signature", of(&raw[..32]).as_bytes());
        bad("bad-signature", "a signature and a byte", of(&[raw.as_slice(), &[0]].concat()).as_bytes());
        bad("bad-signature", "a signature twice", of(&[raw.as_slice(), &raw].concat()).as_bytes());
        bad(
            "bad-signature",
            "a signature in DER",
            of(&[&[0x30, 0x44, 2, 32][..], &raw[..32], &[2, 32], &raw[32..]].concat()).as_bytes(),
        );
        bad("bad-signature", "another token's signature", format!("{signed}.{}", self.ec.signature("a.b")).as_bytes());
        let other = self.ec.token(&self.with("sub", json!("alice")));
        let (other_signed, _) = other.rsplit_once('.').unwrap();
        bad(
            "bad-signature",
            "another's claims under a good signature",
            format!("{other_signed}.{signature}").as_bytes(),
        );
        for signer in [self.rsa, self.ed] {
            let good = signer.token(&claims);
            let (signed, signature) = good.rsplit_once('.').unwrap();
            let mut bytes = BASE64URL.decode(signature).unwrap();
            bytes[7] ^= 0x80;
            let token = format!("{signed}.{}", BASE64URL.encode(bytes));
            bad("bad-signature", &format!("one bit of {}", signer.alg()), token.as_bytes());
        }

        // the form
        for (tries, token) in [
            ("no signature", format!("{signed}.")),
            ("no signature and no dot", signed.to_owned()),
            ("no claims", format!("{header}..{signature}")),
            ("no header", format!(".{body}.{signature}")),
            ("a dot too many", format!("{good}.")),
            ("a dot before", format!(".{good}")),
            ("dots only", "..".to_owned()),
            ("five parts, as an encrypted one", format!("{header}.{body}.{body}.{body}.{signature}")),
            ("padding", format!("{good}=")),
            ("padding inside", format!("{header}=.{body}.{signature}")),
            ("a blank inside", format!("{header}. {body}.{signature}")),
            ("base64 that is not for URLs", format!("{signed}.+{}", signature.get(1..).unwrap())),
            ("percent encoding", good.replacen('.', "%2e", 1)),
            ("JSON in place of base64", format!("{}.{}.{signature}", json!({ "alg": "ES256" }), json!({}))),
            (
                "the JSON serialization",
                json!({ "payload": body, "protected": header, "signature": signature, "x": "." }).to_string(),
            ),
            ("two tokens", format!("{good},{good}")),
            ("more bytes than a token has", format!("{header}.{}.{signature}", "A".repeat(20_000))),
        ] {
            bad("malformed-token", tries, token.as_bytes());
        }
        bad("malformed-token", "bytes that are no text", &[good.as_bytes(), b"\xff\xfe"].concat());
        for (tries, raw) in [
            ("claims in Latin-1", &b"{\"sub\":\"m\xfcller\"}"[..]),
            ("claims that are an array", b"[]"),
            ("claims that are nothing", b"null"),
            ("claims that break off", b"{\"sub\":"),
            ("claims and more", b"{}{}"),
            ("a byte-order mark", b"\xef\xbb\xbf{}"),
            ("claims as deep as they go", &b"{\"a\":".repeat(2_000)),
            ("arrays as deep as they go", &b"[".repeat(10_000)),
            ("half a surrogate", br#"{"sub":"\ud800"}"#),
        ] {
            let signed = format!("{header}.{}", BASE64URL.encode(raw));
            bad("malformed-token", tries, format!("{signed}.{}", self.ec.signature(&signed)).as_bytes());
        }
        let nested = json!({ "alg": "ES256", "kid": self.ec.kid, "cty": "JWT" }).to_string();
        bad("refused-algorithm", "a token within a token", self.ec.signed(&nested, &format!("\"{good}\"")).as_bytes());

        // said twice, also in another spelling
        let plain = claims.to_string();
        let twice = |more: &str| plain.replacen('{', &format!("{{{more},"), 1);
        for more in [
            r#""sub":"alice""#,
            r#""s\u0075b":"alice""#,
            r#""aud":"https://elsewhere.example""#,
            r#""\u0065xp":1"#,
            r#""iss":"https://evil.example""#,
            r#""scope":"""#,
            r#""act":{"sub":"a","sub":"b"}"#,
        ] {
            let token = self.ec.signed(&self.ec.header().to_string(), &twice(more));
            bad("malformed-token", &format!("{more} said twice"), token.as_bytes());
        }
        let header_twice = self.ec.header().to_string().replacen('{', r#"{"\u0061lg":"none","#, 1);
        bad("malformed-token", "an algorithm said twice", self.ec.signed(&header_twice, &plain).as_bytes());

        // claims, signed as they should be
        let far = self.now + 86_400 * 365;
        let (issuer, audience) = (self.issuer, self.audience);
        for (rule, key, value) in [
            ("unknown-issuer", "iss", json!("https://evil.example")),
            ("unknown-issuer", "iss", json!(format!("{issuer}/"))),
            ("unknown-issuer", "iss", json!(format!("{issuer}/."))),
            ("unknown-issuer", "iss", json!(format!(" {issuer}"))),
            ("unknown-issuer", "iss", json!(issuer.to_uppercase())),
            ("unknown-issuer", "iss", json!(issuer.get(..issuer.len() - 1).unwrap())),
            ("unknown-issuer", "iss", json!([issuer])),
            ("unknown-issuer", "iss", json!(7)),
            ("unknown-issuer", "iss", json!(null)),
            ("wrong-audience", "aud", json!("https://elsewhere.example")),
            ("wrong-audience", "aud", json!(format!("{audience}/"))),
            ("wrong-audience", "aud", json!(format!("{audience}?"))),
            ("wrong-audience", "aud", json!(format!("{audience} "))),
            ("wrong-audience", "aud", json!(format!("{audience},https://elsewhere.example"))),
            ("wrong-audience", "aud", json!(audience.get(..audience.len() - 1).unwrap())),
            ("wrong-audience", "aud", json!(audience.to_uppercase())),
            ("wrong-audience", "aud", json!(["https://elsewhere.example", "account"])),
            ("wrong-audience", "aud", json!("*")),
            ("wrong-audience", "aud", json!("")),
            ("unfit-token", "aud", json!([])),
            ("unfit-token", "aud", json!([audience, null])),
            ("unfit-token", "aud", json!([[audience]])),
            ("unfit-token", "aud", json!({ "url": audience })),
            ("unfit-token", "aud", json!(7)),
            ("unfit-token", "aud", json!(null)),
            ("expired-token", "exp", json!(self.now - 1)),
            ("expired-token", "exp", json!(0)),
            ("unfit-token", "exp", json!(far)),
            ("unfit-token", "exp", json!(253_402_300_799_i64)),
            ("unfit-token", "exp", json!(i64::MAX)),
            ("unfit-token", "exp", json!(u64::MAX)),
            ("unfit-token", "exp", json!(1e300)),
            ("unfit-token", "exp", json!(-1)),
            ("unfit-token", "exp", json!((self.now + 600) as f64 + 0.5)),
            ("unfit-token", "exp", json!((self.now + 600).to_string())),
            ("unfit-token", "exp", json!(true)),
            ("unfit-token", "exp", json!(null)),
            ("unfit-token", "exp", json!([self.now + 600])),
            ("token-not-yet-valid", "nbf", json!(self.now + 120)),
            ("token-not-yet-valid", "nbf", json!(far)),
            ("token-not-yet-valid", "iat", json!(self.now + 120)),
            ("unfit-token", "nbf", json!("now")),
            ("unfit-token", "nbf", json!(null)),
            ("unfit-token", "iat", json!(-5)),
            ("unfit-token", "iat", json!(1e9 + 0.5)),
            ("unfit-token", "sub", json!("")),
            ("unfit-token", "sub", json!(7)),
            ("unfit-token", "sub", json!(null)),
            ("unfit-token", "sub", json!(["mallory"])),
            ("unfit-token", "sub", json!("a\nb")),
            ("unfit-token", "sub", json!("\u{202e}yrollam")),
            ("unfit-token", "sub", json!("m".repeat(4_000))),
            ("unfit-token", "scope", json!({ "tools:read": true })),
            ("unfit-token", "scope", json!(null)),
            ("unfit-token", "groups", json!("tests")),
            ("unfit-token", "groups", json!([["tests"]])),
            ("unfit-token", "groups", json!((0..100).map(|n| format!("g{n}")).collect::<Vec<_>>())),
            ("unfit-token", "act", json!("agent")),
            ("unfit-token", "act", json!(null)),
            ("unfit-token", "act", (0..9).fold(json!({ "sub": "a" }), |act, _| json!({ "sub": "a", "act": act }))),
            ("unfit-token", "cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" })),
        ] {
            let token = self.ec.token(&self.with(key, value.clone()));
            let mut tries = format!("{key} {value}");
            tries.truncate(80);
            bad(rule, &tries, token.as_bytes());
        }
        for (rule, key) in
            [("unknown-issuer", "iss"), ("unfit-token", "sub"), ("unfit-token", "aud"), ("unfit-token", "exp")]
        {
            bad(rule, &format!("no {key}"), self.ec.token(&self.without(key)).as_bytes());
        }
        bad("unknown-issuer", "no claims at all", self.ec.token(&json!({})).as_bytes());
        all
    }
}
