//! TLS between services. A service has one certificate, which it shows to its callers and to those it calls, and one
//! bundle of authorities, by which it knows both.

use std::fmt;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, Server, ServerTlsConfig};
use vouch_storage::describe;

use crate::config::TlsConfig;
use crate::server::HANDSHAKE;

/// A file of `[tls]` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key} {path}: {reason}")]
pub struct TlsError {
    key: &'static str,
    path: String,
    reason: String,
}

/// What the files of `[tls]` hold. They are read once: a new certificate takes a restart.
#[derive(Clone, Default)]
pub struct Tls {
    identity: Option<Identity>,
    authorities: Option<Certificate>,
    needs_client: bool,
}

impl Tls {
    /// Reads the files and checks that each holds what it should.
    ///
    /// # Errors
    /// When one does not; the error begins with the key of the setting.
    pub fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let certificate = File::read("tls.certificate_file", &config.certificate_file)?;
        let key = File::read("tls.key_file", &config.key_file)?;
        let authorities = File::read("tls.ca_file", &config.ca_file)?;
        if let Some(file) = &certificate {
            file.certificates()?;
        }
        if let Some(file) = &key {
            PrivateKeyDer::from_pem_slice(&file.pem).map_err(|error| file.error(error.to_string()))?;
        }
        if let Some(file) = &authorities {
            for certificate in file.certificates()? {
                webpki::anchor_from_trusted_cert(&certificate).map_err(|error| file.error(error.to_string()))?;
            }
        }
        let identity = match (&certificate, &key) {
            (Some(certificate), Some(key)) => {
                let identity = Identity::from_pem(&certificate.pem, &key.pem);
                let both = ServerTlsConfig::new().identity(identity.clone());
                let fits = Server::builder().tls_config(both);
                fits.map_err(|error| key.error(format!("does not fit tls.certificate_file: {}", describe(&error))))?;
                Some(identity)
            }
            _ => None,
        };
        Ok(Self {
            identity,
            authorities: authorities.map(|file| Certificate::from_pem(file.pem)),
            needs_client: config.require_client_certificate,
        })
    }

    /// How the server listens; `None` for plaintext.
    pub(crate) fn server(&self) -> Option<ServerTlsConfig> {
        let shown = ServerTlsConfig::new()
            .identity(self.identity.clone()?)
            .timeout(HANDSHAKE);
        Some(match &self.authorities {
            Some(authorities) => shown
                .client_ca_root(authorities.clone())
                .client_auth_optional(!self.needs_client),
            None => shown,
        })
    }

    /// How a peer at an `https://` address is called; `None` when no authority could vouch for it.
    pub(crate) fn client(&self) -> Option<ClientTlsConfig> {
        let known = ClientTlsConfig::new().ca_certificate(self.authorities.clone()?);
        Some(match &self.identity {
            Some(identity) => known.identity(identity.clone()),
            None => known,
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The identity holds the private key.
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

struct File {
    key: &'static str,
    path: String,
    pem: Vec<u8>,
}

impl File {
    fn read(key: &'static str, path: &str) -> Result<Option<Self>, TlsError> {
        if path.is_empty() {
            return Ok(None);
        }
        let mut file = Self {
            key,
            path: path.to_owned(),
            pem: Vec::new(),
        };
        file.pem = std::fs::read(path).map_err(|error| file.error(error.to_string()))?;
        Ok(Some(file))
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.pem).collect();
        match found {
            Ok(certificates) if certificates.is_empty() => Err(self.error("no certificate in it".to_owned())),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(self.error(error.to_string())),
        }
    }

    fn error(&self, reason: String) -> TlsError {
        TlsError {
            key: self.key,
            path: self.path.clone(),
            reason,
        }
    }
}
