//! The certificate authority of the cluster and the API server's certificate, made once.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use crate::store::write_atomically;

/// What clients and the server need for TLS.
pub struct Certificates {
    /// The authority's certificate, PEM.
    pub authority: String,
    /// The server's side.
    pub acceptor: TlsAcceptor,
}

/// Reads `ca.crt`, `server.crt` and `server.key` in the folder, or makes them. The authority's key is not kept.
pub fn open(data: &Path) -> Result<Certificates> {
    let (authority, certificate, key) = (data.join("ca.crt"), data.join("server.crt"), data.join("server.key"));
    if !(authority.exists() && certificate.exists() && key.exists()) {
        make(&authority, &certificate, &key).context("cannot make the certificates of the Kubernetes API")?;
    }
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let parse = |path: &Path| format!("{} is not a PEM file; remove it to have a new one made", path.display());
    let chain = CertificateDer::pem_slice_iter(&read(&certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| parse(&certificate))?;
    let private = PrivateKeyDer::from_pem_slice(&read(&key)?).with_context(|| parse(&key))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let authority = String::from_utf8(read(&authority)?).context("ca.crt is not text")?;
    Ok(Certificates {
        authority,
        acceptor: TlsAcceptor::from(Arc::new(config)),
    })
}

fn make(authority_path: &Path, certificate_path: &Path, key_path: &Path) -> Result<()> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "sandbox-kubernetes-ca");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let names = ["localhost", "127.0.0.1", "kubernetes", "kubernetes.default.svc"].map(String::from);
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let server_key = KeyPair::generate()?;
    let certificate = server.signed_by(&server_key, &issuer)?;

    write_atomically(key_path, server_key.serialize_pem().as_bytes())?;
    write_atomically(certificate_path, certificate.pem().as_bytes())?;
    write_atomically(authority_path, authority_certificate.pem().as_bytes())
}
