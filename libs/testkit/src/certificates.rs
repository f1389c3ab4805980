//! Certificates for tests of TLS, made on the spot.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority of its own, with the files of all that it issues.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// Paths of PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate_file: String,
    /// Its private key.
    pub key_file: String,
}

impl Authority {
    /// A new authority, whose certificates nobody trusts who was not told to.
    ///
    /// # Panics
    /// If the files cannot be written.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "An authority for tests");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, directory }
    }

    /// Path of the PEM file with the authority's own certificate.
    #[must_use]
    pub fn ca_file(&self) -> String {
        text(&self.directory.path().join("ca.pem"))
    }

    /// A certificate for 127.0.0.1, good for servers and clients; `name` names its files.
    ///
    /// # Panics
    /// If the files cannot be written.
    #[must_use]
    pub fn issue(&self, name: &str) -> Certificate {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let path = |ending| self.directory.path().join(format!("{name}.{ending}"));
        fs::write(path("pem"), certificate.pem()).expect("written");
        fs::write(path("key"), key.serialize_pem()).expect("written");
        Certificate {
            certificate_file: text(&path("pem")),
            key_file: text(&path("key")),
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
