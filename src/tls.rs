//! TLS as a profile asks for it: its options in, one rustls client configuration out, for the load and for scraping.
//!
//! Everything that can be wrong with certificates on this side is found here, before the window starts; what is
//! wrong on the other side shows where the connection is used. The invariant: certificates are verified unless the
//! profile says `insecure`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::profile::model::{HttpVersion, Tls};

/// Why there is no TLS configuration: a sentence that names the file and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// The client configuration for a scenario or a scraped target, and the protocols that it offers.
pub fn client_config(tls: &Tls, version: HttpVersion) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(format!("TLS cannot be set up: {error}")))?;
    let builder = match &tls.ca {
        _ if tls.insecure => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider))),
        Some(ca) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OwnCa::read(ca, provider)?)),
        None => {
            let public: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
            builder.with_root_certificates(public)
        }
    };
    let mut config = match (&tls.cert, &tls.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| {
                TlsError(format!(
                    "the client certificate {} and the key {} cannot be used together: {error}",
                    cert.display(),
                    key.display()
                ))
            })?,
        (Some(_), None) => {
            return Err(TlsError(
                "tls has a client certificate (cert) but no key".into(),
            ));
        }
        (None, Some(_)) => {
            return Err(TlsError(
                "tls has a client key but no certificate (cert)".into(),
            ));
        }
    };
    config.alpn_protocols = match version {
        HttpVersion::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpVersion::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersion::Http2 => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError(format!("{} is not PEM: {error}", path.display())))?;
    if certificates.is_empty() {
        return Err(TlsError(format!(
            "{} holds no certificate (PEM, `BEGIN CERTIFICATE`)",
            path.display()
        )));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| {
        TlsError(format!(
            "{} holds no private key (PEM, unencrypted): {error}",
            path.display()
        ))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path)
        .map_err(|error| TlsError(format!("{} cannot be read: {error}", path.display())))
}

/// Trusts the authorities of a `ca` file, and the certificates in it themselves: a server that signs for itself shows
/// the very certificate that the file holds, and webpki refuses one that may sign (as `openssl req -x509` makes them)
/// when a server shows it. Nothing else about such a certificate is forgiven.
#[derive(Debug)]
struct OwnCa {
    authorities: Arc<WebPkiServerVerifier>,
    /// As they stand in the file.
    own: Vec<CertificateDer<'static>>,
}

impl OwnCa {
    fn read(path: &Path, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let refuse = |error: &dyn std::fmt::Display| {
            TlsError(format!(
                "a certificate in {} cannot be trusted: {error}",
                path.display()
            ))
        };
        let own = certificates(path)?;
        let mut roots = RootCertStore::empty();
        for certificate in &own {
            roots
                .add(certificate.clone())
                .map_err(|error| refuse(&error))?;
        }
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self {
            authorities: authorities.map_err(|error| refuse(&error))?,
            own,
        })
    }
}

/// Whether all that is wrong is where the certificate's trust comes from. webpki looks at the dates before either, so
/// an expired certificate is refused as expired.
fn lacks_only_an_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => matches!(
            other.0.downcast_ref(),
            Some(webpki::Error::CaUsedAsEndEntity)
        ),
        _ => false,
    }
}

impl ServerCertVerifier for OwnCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.authorities
                .verify_server_cert(end_entity, intermediates, server_name, ocsp, now);
        match verified {
            Err(error) if lacks_only_an_issuer(&error) && self.own.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Takes any certificate; the handshake's signatures are still checked, so a broken server still shows.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
