//! The platform's certificate authority, what it signs, and the key of Kubernetes's service accounts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use portico_local::folder::write_private;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::addresses::HOST;

/// Files in the data folder.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority, which people and programs trust.
    pub authority: PathBuf,
    pub front: Pair,
    pub kubernetes: Pair,
    /// Signs the tokens of service accounts.
    pub accounts_private: PathBuf,
    pub accounts_public: PathBuf,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Makes everything in `data` that is not there. The authority's key is not kept: nothing more can be signed with it.
///
/// # Errors
/// When a file cannot be written.
pub fn open(data: &Path) -> Result<Certificates> {
    let folder = data.join("certificates");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pair = |name: &str| Pair {
        certificate: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    let certificates = Certificates {
        authority: data.join("ca.crt"),
        front: pair("front"),
        kubernetes: pair("kube-apiserver"),
        accounts_private: folder.join("service-accounts.key"),
        accounts_public: folder.join("service-accounts.pub"),
    };
    // The authority is written last: where it is, everything is.
    if !certificates.authority.exists() {
        make(&certificates).context("cannot make the platform's certificates")?;
    }
    Ok(certificates)
}

fn make(certificates: &Certificates) -> Result<()> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "Portico test platform");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    sign(&issuer, &[HOST, "localhost", "127.0.0.1"], &certificates.front)?;
    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"];
    sign(&issuer, &names, &certificates.kubernetes)?;

    let accounts = KeyPair::generate()?;
    write_private(&certificates.accounts_private, &accounts.serialize_pem())?;
    write_private(&certificates.accounts_public, &public_pem(&accounts))?;

    write_private(&certificates.authority, &authority_certificate.pem())?;
    readable(&certificates.authority)
}

fn sign(issuer: &Issuer<'_, KeyPair>, names: &[&str], pair: &Pair) -> Result<()> {
    let mut leaf = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    leaf.distinguished_name
        .push(DnType::CommonName, names.first().copied().unwrap_or_default());
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, issuer)?;
    write_private(&pair.key, &key.serialize_pem())?;
    write_private(&pair.certificate, &certificate.pem())
}

fn public_pem(key: &KeyPair) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(key.subject_public_key_info());
    let lines: Vec<String> = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

fn readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
        .with_context(|| format!("cannot make {} readable", path.display()))
}

impl Pair {
    /// What a TLS server needs, HTTP/2 offered first.
    pub fn server(&self) -> Result<ServerConfig> {
        let damaged = |path: &Path| format!("{} is damaged; start anew in another data folder", path.display());
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| damaged(&self.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).with_context(|| damaged(&self.key))?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .with_context(|| damaged(&self.certificate))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}
