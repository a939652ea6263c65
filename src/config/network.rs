//! The settings of the network: the address of the server, web origins, proxies in front of it, and requests to other
//! machines.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use url::{Host, Url};

use super::read::Reader;
use super::values::Secret;

/// The web origins that may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// All origins.
    Any,
    /// These origins, each as browsers write it (`https://app.example.com`); empty allows none.
    Listed(Vec<String>),
}

/// The trusted proxies in front of Tollgate.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Their networks; empty if clients connect directly.
    pub trusted: Vec<IpNet>,
    /// The header in which they pass on the client's address.
    pub client_ip_header: String,
}

/// Requests to other machines: Stripe and identity providers.
#[derive(Debug, Clone)]
pub struct OutgoingConfig {
    /// The URL of the proxy for https; secret, because it may hold a password. `None` connects directly.
    pub https_proxy: Option<Secret>,
    /// Hosts, domains and networks that are connected directly.
    pub no_proxy: Vec<String>,
    /// A file with certificate authorities that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
}

/// Returns whether the host of a URL is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Reads the address of the server.
pub(super) fn listen(reader: &mut Reader) -> SocketAddr {
    let text = reader.text("listen").unwrap_or_default();
    text.parse().unwrap_or_else(|_| {
        reader.mistake("listen", Some(&text), "It must be an IP address and a port, such as 127.0.0.1:8080.");
        ([127, 0, 0, 1], 0).into()
    })
}

/// Reads the web origins.
pub(super) fn cors_origins(reader: &mut Reader) -> CorsOrigins {
    let entries = reader.list("cors_origins");
    if entries == ["*"] {
        return CorsOrigins::Any;
    }
    let mut origins = Vec::new();
    for entry in entries {
        match Url::parse(&entry) {
            Ok(url) if is_origin(&url) => origins.push(url.origin().ascii_serialization()),
            _ => {
                let rule = "Each must be an origin such as https://app.example.com, without a path, or `*` alone.";
                reader.mistake("cors_origins", Some(&entry), rule);
            }
        }
    }
    CorsOrigins::Listed(origins)
}

/// Returns whether a URL consists of a scheme, a host and an optional port.
fn is_origin(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// Reads the trusted proxies.
pub(super) fn proxies(reader: &mut Reader) -> ProxyConfig {
    let mut trusted = Vec::new();
    for entry in reader.list("trusted_proxies") {
        match network(&entry) {
            Some(network) => trusted.push(network),
            None => {
                let rule = "Each must be an address or a network, such as 10.0.0.0/8 or fd00::/8.";
                reader.mistake("trusted_proxies", Some(&entry), rule);
            }
        }
    }
    let header = reader.text("client_ip_header").unwrap_or_default();
    if header.is_empty() || !header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        reader.mistake("client_ip_header", Some(&header), "It must be the name of a header, such as x-forwarded-for.");
    }
    ProxyConfig { trusted, client_ip_header: header }
}

/// Reads the settings of requests to other machines.
pub(super) fn outgoing(reader: &mut Reader) -> OutgoingConfig {
    let https_proxy = reader.text("https_proxy").map(|text| proxy_url(&text));
    if https_proxy.as_ref().is_some_and(Option::is_none) {
        reader.mistake(
            "https_proxy",
            None,
            "It must be the URL of an HTTP proxy, such as http://proxy.example.com:3128.",
        );
    }
    let ca_file = reader.text("ca_file").map(PathBuf::from);
    if let Some(path) = ca_file.as_ref().filter(|path| !path.is_file()) {
        reader.mistake("ca_file", path.to_str(), "It must be a file of certificates in PEM format.");
    }
    OutgoingConfig { https_proxy: https_proxy.flatten().map(Secret::new), no_proxy: reader.list("no_proxy"), ca_file }
}

/// Parses the URL of a proxy. The scheme may be missing, as is usual in `HTTPS_PROXY`.
fn proxy_url(text: &str) -> Option<Url> {
    let url = if text.contains("://") { text.parse() } else { format!("http://{text}").parse() };
    url.ok().filter(|url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Parses a network, or an address as a network of one.
fn network(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        for (text, address, contained) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.1.2.3/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::1", true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(network(text).unwrap().contains(&address), contained, "{text} {address}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "proxy", "10.0.0/8"] {
            assert!(network(text).is_none(), "{text}");
        }
    }
}
