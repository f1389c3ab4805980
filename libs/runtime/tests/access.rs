//! Who gets in: tokens made by hand, so that nothing is proved by the code that it checks.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer as _, SigningKey};
use http::HeaderMap;
use serde_json::{Value, json};
use support::access_in;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_primitives::{Clock, SystemClock, Timestamp};
use vouch_runtime::access::{Caller, Gate, Signer, issue};
use vouch_testkit::eventually;

/// Operators alone may call it.
const CLOCK: &str = "/vouch.operations.v1.OperationsService/SetTestClock";
/// A client may, for what is theirs, and onboarding.
const INVITATION: &str = "/vouch.invitation.v1.InvitationService/GetInvitation";
/// Anybody may.
const REGISTER: &str = "/vouch.onboarding.v1.AccountService/RegisterAccount";
const CLIENT: &str = "client:01939f4e-0000-7000-8000-000000000001";

fn now() -> u64 {
    SystemClock.now().since(Timestamp::EPOCH).as_secs()
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn read_key(directory: &Path, name: &str) -> SigningKey {
    let pem = fs::read_to_string(directory.join(format!("{name}.key"))).expect("a key");
    SigningKey::from_pkcs8_pem(&pem).expect("PKCS#8")
}

fn kid_of(directory: &Path, name: &str) -> String {
    let text = fs::read_to_string(directory.join(format!("{name}.json"))).expect("a JWK");
    let jwk: Value = serde_json::from_str(&text).expect("JSON");
    jwk["kid"].as_str().expect("a key id").to_owned()
}

fn jwt(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).to_bytes());
    format!("{message}.{signature}")
}

fn with(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().expect("a value"));
    headers
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.expect_err("refused");
    let reason = status.get_details_error_info().expect("a reason").reason;
    (status.code(), reason)
}

#[test]
fn a_good_token_names_its_caller_and_the_policy_decides() {
    let home = tempfile::tempdir().expect("a directory");
    let config = access_in(home.path());
    let gate = Gate::open(&config, "payments").expect("a gate");
    let key = read_key(home.path(), "identity");
    let header = json!({"alg": "EdDSA", "kid": kid_of(home.path(), "identity")});
    let token = |sub: &str| jwt(&key, &header, &json!({"sub": sub, "aud": "vouch", "exp": now() + 60}));
    let client: Caller = CLIENT.parse().expect("a subject");
    for _again in 0..2 {
        assert_eq!(
            gate.admit(INVITATION, &with(&token(CLIENT))).expect("admitted").0,
            client
        );
    }
    assert_eq!(
        gate.admit(CLOCK, &with(&token("operator:jo"))).expect("admitted").0,
        Caller::Operator("jo".to_owned())
    );
    assert_eq!(
        gate.admit(REGISTER, &HeaderMap::new()).expect("admitted").0,
        Caller::Anybody
    );
    for (path, sub) in [(CLOCK, CLIENT), (INVITATION, &CLIENT.replace("client", "person"))] {
        let refused = refusal(gate.admit(path, &with(&token(sub))));
        assert_eq!(
            refused,
            (Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned()),
            "{path}"
        );
    }
    let unknown = refusal(gate.admit("/vouch.payments.v1.LedgerService/Drop", &with(&token("operator:jo"))));
    assert_eq!(unknown, (Code::Unimplemented, "METHOD_UNKNOWN".to_owned()));
}

/// Tokens that are wrong, each in its own way, with the reason that their bearer is given.
fn wrong_tokens(home: &Path, good: &Value) -> Vec<(&'static str, String, &'static str)> {
    let (identity, service) = (read_key(home, "identity"), read_key(home, "service-payments"));
    let stranger = SigningKey::from_bytes(&[7; 32]);
    let kid = kid_of(home, "identity");
    let by = |kid: &str| json!({"alg": "EdDSA", "kid": kid});
    let but = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        jwt(&identity, &by(&kid), &claims)
    };
    let signed = jwt(&identity, &by(&kid), good);
    let unsigned = signed.rsplit_once('.').expect("three parts").0;
    let none = format!("{}.{}.", encode(&json!({"alg": "none", "kid": kid})), encode(good));
    let other_algorithm = jwt(&identity, &json!({"alg": "HS256", "kid": kid}), good);
    let of_service = by(&kid_of(home, "service-payments"));
    let for_another = json!({"sub": "service:onboarding", "aud": "vouch", "exp": now() + 60});
    vec![
        ("nothing signed it", format!("{unsigned}."), "TOKEN_INVALID"),
        ("it says that nothing has to", none, "TOKEN_INVALID"),
        ("it asks for another algorithm", other_algorithm, "TOKEN_INVALID"),
        ("a stranger signed it", jwt(&stranger, &by(&kid), good), "TOKEN_INVALID"),
        ("its key is unknown", jwt(&stranger, &by("new"), good), "TOKEN_INVALID"),
        (
            "it names no key",
            jwt(&identity, &json!({"alg": "EdDSA"}), good),
            "TOKEN_INVALID",
        ),
        ("it is for others", but("aud", json!("elsewhere")), "TOKEN_INVALID"),
        ("it never ends", but("exp", Value::Null), "TOKEN_INVALID"),
        ("it has ended", but("exp", json!(now() - 60)), "TOKEN_EXPIRED"),
        ("it names nobody", but("sub", json!("root")), "TOKEN_INVALID"),
        (
            "a service speaks for an operator",
            jwt(&service, &of_service, good),
            "TOKEN_INVALID",
        ),
        (
            "a service speaks for another",
            jwt(&service, &of_service, &for_another),
            "TOKEN_INVALID",
        ),
        ("it is none", "x".to_owned(), "TOKEN_INVALID"),
    ]
}

#[test]
fn what_is_wrong_with_a_token_keeps_its_bearer_out() {
    let home = tempfile::tempdir().expect("a directory");
    let gate = Gate::open(&access_in(home.path()), "payments").expect("a gate");
    let good = json!({"sub": "operator:jo", "aud": "vouch", "exp": now() + 60});
    for (what, token, reason) in wrong_tokens(home.path(), &good) {
        let refused = refusal(gate.admit(INVITATION, &with(&token)));
        assert_eq!(refused, (Code::Unauthenticated, reason.to_owned()), "{what}");
    }
    let missing = refusal(gate.admit(INVITATION, &HeaderMap::new()));
    assert_eq!(missing, (Code::Unauthenticated, "TOKEN_MISSING".to_owned()));
    let header = json!({"alg": "EdDSA", "kid": kid_of(home.path(), "identity")});
    let signed = jwt(&read_key(home.path(), "identity"), &header, &good);
    let mut two = with(&signed);
    two.append("authorization", format!("Bearer {signed}").parse().expect("a value"));
    assert_eq!(refusal(gate.admit(INVITATION, &two)).1, "TOKEN_INVALID");
    gate.admit(INVITATION, &with(&signed)).expect("the good one is good");
}

#[tokio::test]
async fn keys_come_and_go_without_a_restart() {
    let home = tempfile::tempdir().expect("a directory");
    let config = access_in(home.path());
    let gate = Gate::open(&config, "payments").expect("a gate");
    let client: Caller = CLIENT.parse().expect("a subject");
    let before = issue(&config, &client, Duration::from_secs(60)).expect("a token");
    gate.admit(INVITATION, &with(&before)).expect("admitted");
    // A provider's JWK Set says nothing of `signs`, and has keys of other kinds.
    let next = SigningKey::from_bytes(&[9; 32]);
    let x = URL_SAFE_NO_PAD.encode(next.verifying_key().as_bytes());
    let set = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "next", "x": x},
        {"kty": "RSA", "kid": "old", "n": "AQAB", "e": "AQAB"},
    ]});
    fs::write(home.path().join("provider.json"), set.to_string()).expect("written");
    fs::remove_file(home.path().join("identity.json")).expect("removed");
    let header = json!({"alg": "EdDSA", "kid": "next"});
    let token = |sub: &str| jwt(&next, &header, &json!({"sub": sub, "aud": "vouch", "exp": now() + 60}));
    eventually("the new key is taken", support::PATIENCE, async || {
        let admitted = gate.admit(INVITATION, &with(&token(CLIENT)));
        admitted.map(drop).map_err(|status| status.to_string())
    })
    .await;
    assert_eq!(refusal(gate.admit(INVITATION, &with(&before))).1, "TOKEN_INVALID");
    // Whoever runs the provider is no operator of Vouch for that.
    assert_eq!(
        refusal(gate.admit(CLOCK, &with(&token("operator:jo")))).1,
        "TOKEN_INVALID"
    );
}

#[test]
fn services_that_start_together_share_the_keys_that_they_make() {
    let home = tempfile::tempdir().expect("a directory");
    let config = &access_in(&home.path().join("keys"));
    let gates: Vec<Gate> = std::thread::scope(|scope| {
        let names = ["invitation", "onboarding", "payments", "referral"];
        let starting: Vec<_> = (0..8)
            .map(|nth| scope.spawn(move || Gate::open(config, names[nth % 4]).expect("a gate")))
            .collect();
        starting
            .into_iter()
            .map(|gate| gate.join().expect("no panic"))
            .collect()
    });
    drop(gates);
    let gate = Gate::open(config, "payments").expect("a gate");
    for caller in [CLIENT, "service:onboarding", "operator:jo"] {
        let caller: Caller = caller.parse().expect("a subject");
        let value = Signer::new(config, caller.clone()).authorization().expect("signed");
        let mut headers = HeaderMap::new();
        headers.insert("authorization", value);
        assert_eq!(gate.admit(INVITATION, &headers).expect("admitted").0, caller);
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(home.path().join("keys/identity.key"))
            .expect("there")
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}
