//! Hashes of requests that say a secret of few possibilities.

use std::path::Path;

use sha2::{Digest, Sha256};
use tonic::Status;
use vouch_storage::idempotency::RequestKey;

use super::{Caller, keys};
use crate::config::AccessConfig;
use crate::grpc::status;

/// What the key of the hashes is made of, beside the service's own.
const PURPOSE: &[u8] = b"vouch: hashes of requests\0";

/// Hides what a request said from whoever reads the table of requests. The hash of a tax form would tell its number to
/// somebody who knows the rest and tries all numbers; under a key that is not in the database it tells nothing. The key
/// follows from the service's own, which all its replicas have. When that one is replaced, a request that was sent before
/// and is sent again is taken for another one, and refused.
#[derive(Clone, Debug)]
pub struct Seal {
    config: AccessConfig,
    service: Caller,
}

impl Seal {
    /// A seal with the key of this service.
    #[must_use]
    pub fn new(config: &AccessConfig, service: &str) -> Self {
        Self {
            config: config.clone(),
            service: Caller::Service(service.to_owned()),
        }
    }

    /// The same request, known by a hash that nobody can make without the key.
    ///
    /// # Errors
    /// When the service's own key cannot be read.
    pub fn seal(&self, request: RequestKey) -> Result<RequestKey, Status> {
        let path = keys::private_path(Path::new(&self.config.keys), &self.service);
        let own = keys::read_private(&path).map_err(|error| status::internal(&error))?;
        let key = Sha256::new()
            .chain_update(PURPOSE)
            .chain_update(own.as_bytes())
            .finalize();
        // Both parts have always the same length, so that nothing can be added behind them.
        let hash = Sha256::new().chain_update(key).chain_update(request.hash).finalize();
        Ok(RequestKey {
            hash: hash.into(),
            ..request
        })
    }
}
