//! Tokens: EdDSA JWTs with a key id, a subject, an audience and an end.

use std::sync::Once;

use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// How far two clocks may be apart, in seconds.
const LEEWAY: u64 = 30;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) aud: String,
    /// When it was signed, in seconds since 1970; not every issuer says so.
    #[serde(default)]
    pub(super) iat: u64,
    /// When it ends, in seconds since 1970.
    pub(super) exp: u64,
}

pub(super) fn sign(key: &SigningKey, kid: &str, claims: &Claims) -> Result<String, Error> {
    install_provider();
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(key.as_bytes()))
}

/// The key id that a token names; it may be anything, as nothing is checked yet.
pub(super) fn kid(token: &str) -> Option<String> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    header.kid.filter(|_| header.alg == Algorithm::EdDSA)
}

pub(super) fn verify(token: &str, key: &VerifyingKey, audience: &str) -> Result<Claims, Error> {
    install_provider();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = LEEWAY;
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "aud", "sub"]);
    let key = DecodingKey::from_ed_der(key.as_bytes());
    Ok(jsonwebtoken::decode(token, &key, &validation)?.claims)
}

/// Whether the token was good once.
pub(super) fn is_expired(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ExpiredSignature)
}

struct Ed25519Signer(SigningKey);
struct Ed25519Verifier(VerifyingKey);

impl Signer<Vec<u8>> for Ed25519Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let signature: Signature = self.0.try_sign(message)?;
        Ok(signature.to_bytes().to_vec())
    }
}

impl JwtSigner for Ed25519Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

impl Verifier<Vec<u8>> for Ed25519Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.verify_strict(message, &Signature::from_slice(signature)?)
    }
}

impl JwtVerifier for Ed25519Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

/// One algorithm and nothing else, so that no token can talk its reader into another one. The library's own providers
/// bring RSA and the NIST curves along.
fn install_provider() {
    static ED25519: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| {
            let bytes = <&[u8; 32]>::try_from(key.as_bytes());
            match (algorithm, bytes) {
                (Algorithm::EdDSA, Ok(bytes)) => Ok(Box::new(Ed25519Signer(SigningKey::from_bytes(bytes)))),
                _ => Err(new_error(ErrorKind::InvalidEddsaKey)),
            }
        },
        verifier_factory: |algorithm, key| {
            let bytes = <&[u8; 32]>::try_from(key.try_get_as_bytes()?);
            match (algorithm, bytes.map(VerifyingKey::from_bytes)) {
                (Algorithm::EdDSA, Ok(Ok(key))) => Ok(Box::new(Ed25519Verifier(key))),
                _ => Err(new_error(ErrorKind::InvalidEddsaKey)),
            }
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    // Somebody else in this process may have been first with a provider of their own, which then serves as well.
    ONCE.call_once(|| {
        let _ = ED25519.install_default();
    });
}
