//! The key with which a service signs what people keep.

use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer as _, SigningKey};

use super::{AccessError, keys};
use crate::config::AccessConfig;

/// Signs texts with an Ed25519 key that signs nothing else, so that no signature of one kind passes for another.
#[derive(Clone)]
pub struct Notary {
    key: SigningKey,
    key_id: String,
}

impl Notary {
    /// The notary with this private key (PKCS#8, PEM), or with that in the file `<name>.key` beside the keys of the
    /// services, which is made there if keys may be made. `None` where there is neither.
    ///
    /// # Errors
    /// When a key cannot be read or made.
    pub fn open(config: &AccessConfig, name: &str, private_key: &str) -> Result<Option<Self>, AccessError> {
        let path = Path::new(&config.keys).join(format!("{name}.key"));
        let key = if private_key.is_empty() {
            if config.make_keys {
                keys::make_private(&path)?;
            } else if !path.exists() {
                return Ok(None);
            }
            keys::read_private(&path)?
        } else {
            SigningKey::from_pkcs8_pem(private_key).map_err(|error| AccessError::PrivateKey(error.to_string()))?
        };
        let key_id = keys::kid(&key.verifying_key());
        Ok(Some(Self { key, key_id }))
    }

    /// The id of the key, which follows from its public half.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public half of the key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The signature of a text, in base64url without padding.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes())
    }
}

impl std::fmt::Debug for Notary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notary")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A public Ed25519 key as a JWK (RFC 8037).
#[must_use]
pub fn jwk(key_id: &str, public_key: &[u8]) -> serde_json::Value {
    serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": key_id, "x": URL_SAFE_NO_PAD.encode(public_key)})
}
