//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, request::Parts},
};

use ipnet::IpNet;

/// Proxies whose word is taken for where a request comes from.
#[derive(Debug, Clone)]
pub struct Proxies {
    /// Where they are; empty where clients connect to us directly.
    pub trusted: Vec<IpNet>,
    /// The header in which they say it.
    pub header: HeaderName,
}

impl Default for Proxies {
    fn default() -> Self {
        Proxies { trusted: Vec::new(), header: HeaderName::from_static("x-forwarded-for") }
    }
}

impl Proxies {
    /// The address of the client who sent a request; `None` where the connection is not known.
    pub(super) fn client(&self, request: &Parts) -> Option<IpAddr> {
        let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(self.behind(peer.ip().to_canonical(), &request.headers))
    }

    /// Each proxy adds whom it heard from at the end, so what stands before the last stranger may be made up.
    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let values: Vec<&str> = headers.get_all(&self.header).iter().filter_map(|value| value.to_str().ok()).collect();
        let mut said = values.iter().rev().flat_map(|value| value.rsplit(',')).map(str::trim);
        let mut client = peer;
        while self.trusted.iter().any(|network| network.contains(&client)) {
            match said.next().and_then(address) {
                Some(before) => client = before,
                None => break,
            }
        }
        client
    }
}

/// An address that may have a port with it.
fn address(text: &str) -> Option<IpAddr> {
    let plain = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    plain().or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_what_it_says_itself() {
        let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() };
        for (peer, said, client) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3"], "10.0.0.3"),
        ] {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append("x-forwarded-for", HeaderValue::from_static(value));
            }
            let peer = peer.parse::<IpAddr>().unwrap().to_canonical();
            assert_eq!(proxies.behind(peer, &headers), client.parse::<IpAddr>().unwrap(), "{peer} {said:?}");
            assert_eq!(Proxies::default().behind(peer, &headers), peer, "{said:?}");
        }
    }
}
