//! Encrypted connections: reading the certificate and its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// A PEM file with the certificate, and those that vouch for it after it.
    pub certificate: PathBuf,
    /// A PEM file with the certificate's private key, without a password.
    pub key: PathBuf,
}

/// Why connections cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM file with what is looked for.
    #[error("expected {wanted} in PEM format in {}: {source}", path.display())]
    File {
        /// What is looked for.
        wanted: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// The certificate and the key do not go together, or are of an unknown kind.
    #[error("the certificate {} cannot be used with the key {}: {source}", files.certificate.display(), files.key.display())]
    Unfit {
        /// The files.
        files: TlsFiles,
        /// What is wrong.
        source: rustls::Error,
    },
}

impl TlsFiles {
    /// Reads the files.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let failure = |wanted, path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File {
                wanted,
                path,
                source,
            }
        };
        let in_certificate = || failure("a certificate", &self.certificate);
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(&self.certificate)
                .map_err(in_certificate())?
                .collect::<Result<_, _>>()
                .map_err(in_certificate())?;
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(failure("a private key", &self.key))?;
        // The protocols are chosen by name, since a second provider in the same program would make the default ambiguous.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(certificates, key)
            })
            .map_err(|source| TlsError::Unfit {
                files: self.clone(),
                source,
            })?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
