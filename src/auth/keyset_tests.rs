use serde_json::{Value, json};

use super::*;
use crate::auth::testing::TestKey;

fn parse(keys: &[Value], algorithms: &[JwtAlgorithm]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), algorithms).unwrap()
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

#[test]
fn unsafe_and_unfit_keys_are_ignored() {
    let rsa = || TestKey::rsa().jwk("a");
    let ec = || TestKey::es256().jwk("a");
    let ed = || TestKey::ed25519().jwk("a");
    let modulus = bytes(rsa()["n"].as_str().unwrap()).unwrap();
    let short = URL_SAFE_NO_PAD.encode([[0, 0, 1].as_slice(), &modulus[1..]].concat());
    for (what, jwk, kept) in [
        ("an RSA key", rsa(), true),
        ("an Ed25519 key by its new name", with(ed(), "alg", "Ed25519".into()), true),
        ("a key for an unknown algorithm", with(ed(), "alg", "Ed448".into()), false),
        ("an EC key", ec(), true),
        ("an Ed25519 key", ed(), true),
        ("a key of unstated use", with(rsa(), "use", Value::Null), true),
        ("a key for verifying", with(rsa(), "key_ops", json!(["verify"])), true),
        (
            "a modulus with a leading zero",
            with(rsa(), "n", URL_SAFE_NO_PAD.encode([&[0], &modulus[..]].concat()).into()),
            true,
        ),
        ("an encryption key", with(rsa(), "use", "enc".into()), false),
        ("a key for wrapping", with(rsa(), "key_ops", json!(["wrapKey"])), false),
        ("an RSA key for another algorithm", with(rsa(), "alg", "RSA-OAEP".into()), false),
        ("an RSA key that says HS256", with(rsa(), "alg", "HS256".into()), false),
        ("a PSS key", with(rsa(), "alg", "PS256".into()), false),
        ("a short RSA key", TestKey::rsa_1024().jwk("a"), false),
        ("an RSA key of 2041 bits behind zeros", with(rsa(), "n", short.into()), false),
        ("an RSA key of 8192 bits", with(rsa(), "n", URL_SAFE_NO_PAD.encode([255; 1024]).into()), false),
        ("an exponent of 1", with(rsa(), "e", "AQ".into()), false),
        ("an even exponent", with(rsa(), "e", "AQAC".into()), false),
        ("an empty exponent", with(rsa(), "e", "".into()), false),
        ("a modulus that is not base64", with(rsa(), "n", "%".into()), false),
        (
            "a symmetric key",
            json!({ "kty": "oct", "kid": "a", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA" }),
            false,
        ),
        ("another curve", with(ec(), "crv", "P-384".into()), false),
        ("a short coordinate", with(ec(), "x", "AQAB".into()), false),
        ("a point without y", with(ec(), "y", Value::Null), false),
        ("a short Ed25519 key", with(ed(), "x", "AQAB".into()), false),
        ("an Ed448 key", with(ed(), "crv", "Ed448".into()), false),
        ("an unknown kind", json!({ "kty": "AKP", "kid": "a" }), false),
        ("no object", json!(7), false),
    ] {
        let all = [JwtAlgorithm::Hs256, JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];
        assert_eq!(!parse(&[jwk, json!({})], &all).is_empty(), kept, "{what}");
    }
    assert!(parse(&[rsa()], &[JwtAlgorithm::Es256]).is_empty());
}

#[test]
fn a_document_that_is_no_key_set_is_refused() {
    for document in ["", "[]", "{}", "{\"keys\": {}}", "<html>"] {
        assert!(KeySet::parse(document.as_bytes(), &[JwtAlgorithm::Rs256]).is_err(), "{document}");
    }
}

#[test]
fn a_token_picks_its_key_by_id_and_algorithm() {
    let algorithms = [JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];
    let set = parse(&[TestKey::rsa().jwk("a"), TestKey::rsa_other().jwk("b"), TestKey::es256().jwk("c")], &algorithms);
    for (algorithm, id, expected) in [
        (JwtAlgorithm::Rs256, Some("a"), Ok(1)),
        (JwtAlgorithm::Es256, Some("c"), Ok(1)),
        (JwtAlgorithm::Es256, None, Ok(1)),
        (JwtAlgorithm::Rs256, None, Err(NoKey::Ambiguous)),
        (JwtAlgorithm::EdDsa, None, Err(NoKey::Unknown)),
        (JwtAlgorithm::Rs256, Some("c"), Err(NoKey::OtherAlgorithm)),
        (JwtAlgorithm::Rs256, Some("z"), Err(NoKey::Unknown)),
        (JwtAlgorithm::Rs256, Some(""), Err(NoKey::Unknown)),
    ] {
        assert_eq!(set.pick(algorithm, id).map(|keys| keys.len()), expected, "{algorithm:?} {id:?}");
    }
}
