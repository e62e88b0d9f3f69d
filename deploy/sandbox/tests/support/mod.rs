//! A sandbox of its own for a test, and clients for it.

use std::time::Duration;

use portico_sandbox::{Options, Sandbox};

/// A sandbox on free ports; the folder must outlive it.
pub async fn sandbox() -> (tempfile::TempDir, Sandbox) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = Options::new(folder.path(), "http://localhost:7007");
    options.forge_aliases = vec!["cnoe.localtest.me:8443".into()];
    let sandbox = Sandbox::start(options).await.expect("a sandbox starts");
    (folder, sandbox)
}

/// A client made from the kubeconfig that the sandbox writes.
pub async fn client(sandbox: &Sandbox) -> kube::Client {
    let kubeconfig = kube::config::Kubeconfig::read_from(sandbox.kubeconfig()).expect("a kubeconfig");
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .expect("a usable kubeconfig");
    kube::Client::try_from(config).expect("a client")
}

/// Waits until a condition holds; a minute is far more than anything here takes.
pub async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not come to pass");
}
