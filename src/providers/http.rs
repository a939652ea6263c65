//! The HTTP client for requests to other machines: Stripe and identity providers.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context as _, ensure};
use reqwest::{Client, NoProxy, Proxy, Response, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore, crypto};

use crate::config::OutgoingConfig;

/// The certificate authorities of the operating system, or those of Mozilla if it has none, as in a bare container.
static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        tracing::debug!(errors = ?loaded.errors, "no certificate authorities found on this system; using Mozilla's");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
});

/// Creates a client that uses the configured proxy for https and trusts the configured certificate authorities. It
/// follows no redirects, so that no server can send a request, with its credentials, elsewhere.
pub fn client(config: &OutgoingConfig) -> anyhow::Result<Client> {
    let provider = crypto::ring::default_provider().into();
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(config.ca_file.as_deref())?)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    // `no_proxy` keeps the library from reading the environment, which src/config has done.
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .redirect(redirect::Policy::none())
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .no_proxy();
    if let Some(url) = &config.https_proxy {
        let proxy = Proxy::https(url.expose()).context("https_proxy is not the URL of a proxy")?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&config.no_proxy.join(","))));
    }
    Ok(builder.build()?)
}

/// Reads the body of a response; fails if the connection breaks or the body exceeds `max_bytes`.
pub async fn read_body(mut response: Response, max_bytes: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        ensure!(body.len() + chunk.len() <= max_bytes, "the body exceeds {max_bytes} bytes");
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn roots(ca_file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = SYSTEM_ROOTS.clone();
    if let Some(path) = ca_file {
        add_certificates(&mut roots, path).with_context(|| {
            let path = path.display();
            format!("ca_file (TOLLGATE_CA_FILE) {path} cannot be used. Give a file of certificates in PEM format")
        })?;
    }
    Ok(roots)
}

fn add_certificates(roots: &mut RootCertStore, path: &Path) -> anyhow::Result<()> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    ensure!(roots.len() > before, "it contains no certificate");
    Ok(())
}

#[cfg(test)]
mod tests;
