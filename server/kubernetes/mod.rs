//! Kubernetes clients from configuration. TLS is always verified: where a cluster's certificate is not
//! signed by a public authority, its CA is configured.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::client::ClientBuilder;
use kube::config::AuthInfo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

mod apply;
mod rights;

pub use apply::{Applied, ApplyError};
pub use rights::{Right, RightsError};

/// An entry of `kubernetes.clusterLocatorMethods[].clusters` (type `config`), or the whole of a cluster file.
#[derive(Clone, Default)]
pub struct ClusterSettings {
    pub name: String,
    /// Address of the API server.
    pub url: String,
    /// `serviceAccount` is what is understood; other providers are refused.
    pub auth_provider: Option<String>,
    /// Bearer token.
    pub service_account_token: Option<String>,
    /// File with the token, read again when it is rotated; wins over the token itself.
    pub service_account_token_file: Option<PathBuf>,
    /// Certificates of the CA: PEM, or PEM in base64 as kubeconfig has it.
    pub ca_data: Option<String>,
    /// File with the CA's certificates, read again when it is rotated.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for ClusterSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSettings")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("auth_provider", &self.auth_provider)
            .field(
                "service_account_token",
                &self.service_account_token.as_ref().map(|_| "…"),
            )
            .field("service_account_token_file", &self.service_account_token_file)
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    pub name: String,
    pub client: kube::Client,
}

/// The settings of a cluster cannot work; the text names the cluster and the key.
#[derive(Debug, thiserror::Error)]
#[error("kubernetes cluster {cluster}: {reason}")]
pub struct ClusterError {
    pub cluster: String,
    pub reason: String,
}

impl Cluster {
    /// A client for a configured cluster. Nothing is sent yet. Needs a tokio runtime.
    pub fn new(settings: &ClusterSettings) -> Result<Self, ClusterError> {
        let fail = |reason: String| ClusterError {
            cluster: settings.name.clone(),
            reason,
        };
        if let Some(provider) = settings.auth_provider.as_deref().filter(|p| *p != "serviceAccount") {
            return Err(fail(format!(
                "authProvider {provider:?} is not supported; use serviceAccount"
            )));
        }
        let url = settings
            .url
            .parse()
            .map_err(|error| fail(format!("url {:?} is not a URL: {error}", settings.url)))?;
        let mut config = kube::Config::new(url);
        config.root_cert = roots(settings).map_err(fail)?;
        config.root_cert_file.clone_from(&settings.ca_file);
        config.auth_info = AuthInfo {
            token: settings
                .service_account_token
                .as_deref()
                .map(|token| token.trim().to_owned().into()),
            token_file: settings
                .service_account_token_file
                .as_ref()
                .map(|file| file.display().to_string()),
            ..AuthInfo::default()
        };
        Self::build(&settings.name, config)
    }

    /// The cluster that this process runs in, by its service account; `None` outside of one.
    pub fn in_cluster() -> Result<Option<Self>, ClusterError> {
        const NAME: &str = "in-cluster";
        if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
            return Ok(None);
        }
        let config = kube::Config::incluster().map_err(|error| ClusterError {
            cluster: NAME.to_owned(),
            reason: format!("the service account of this pod cannot be read: {error}"),
        })?;
        Self::build(NAME, config).map(Some)
    }

    fn build(name: &str, mut config: kube::Config) -> Result<Self, ClusterError> {
        // Callers know better whether and when to try again, and say so on pages.
        config.default_retry = false;
        let builder = ClientBuilder::try_from(config).map_err(|error| ClusterError {
            cluster: name.to_owned(),
            reason: format!("no client can be made: {error}"),
        })?;
        Ok(Self {
            name: name.to_owned(),
            client: builder.build(),
        })
    }
}

/// All configured clusters, in order; the one that this process runs in where none is configured.
pub fn clusters(settings: &[ClusterSettings]) -> Result<Vec<Cluster>, ClusterError> {
    if settings.is_empty() {
        return Ok(Cluster::in_cluster()?.into_iter().collect());
    }
    settings.iter().map(Cluster::new).collect()
}

/// The authority's certificates in DER; none where the machine's own roots are meant, or what is configured is wrong.
pub fn authorities(settings: &ClusterSettings) -> Vec<Vec<u8>> {
    roots(settings).ok().flatten().unwrap_or_default()
}

/// The CA's certificates in DER; `None` where the machine's own roots are meant.
fn roots(settings: &ClusterSettings) -> Result<Option<Vec<Vec<u8>>>, String> {
    let (key, pem) = if let Some(file) = &settings.ca_file {
        let pem = std::fs::read(file).map_err(|error| format!("caFile {} cannot be read: {error}", file.display()))?;
        ("caFile", pem)
    } else if let Some(data) = &settings.ca_data {
        let data = data.trim();
        if data.starts_with("-----BEGIN") {
            ("caData", data.as_bytes().to_vec())
        } else {
            let packed: String = data.split_whitespace().collect();
            let pem = STANDARD
                .decode(packed)
                .map_err(|error| format!("caData is neither PEM nor base64: {error}"))?;
            ("caData", pem)
        }
    } else {
        return Ok(None);
    };
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&pem)
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{key} has no readable certificates: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("{key} has no certificate in PEM form"));
    }
    Ok(Some(certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ClusterSettings {
        ClusterSettings {
            name: "local".to_owned(),
            url: "https://127.0.0.1:6443".to_owned(),
            auth_provider: Some("serviceAccount".to_owned()),
            service_account_token: Some("t0ken".to_owned()),
            ..ClusterSettings::default()
        }
    }

    #[tokio::test]
    async fn settings_that_cannot_work_name_their_key() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let table: [(&str, ClusterSettings); 5] = [
            (
                "url",
                ClusterSettings {
                    url: "not a url".to_owned(),
                    ..settings()
                },
            ),
            (
                "authProvider",
                ClusterSettings {
                    auth_provider: Some("google".to_owned()),
                    ..settings()
                },
            ),
            (
                "caData",
                ClusterSettings {
                    ca_data: Some("%%%".to_owned()),
                    ..settings()
                },
            ),
            (
                "caData",
                ClusterSettings {
                    ca_data: Some(STANDARD.encode("hello")),
                    ..settings()
                },
            ),
            (
                "caFile",
                ClusterSettings {
                    ca_file: Some("/nowhere/ca.crt".into()),
                    ..settings()
                },
            ),
        ];
        for (key, settings) in table {
            let error = Cluster::new(&settings)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(error.contains(key) && error.contains("local"), "{key}: {error}");
        }
        assert!(Cluster::new(&settings()).is_ok());
    }

    #[test]
    fn the_token_is_not_shown() {
        assert!(!format!("{:?}", settings()).contains("t0ken"));
    }
}
