//! Addresses to which customers return from Stripe.

use crate::error::{Error, Result};
use url::{Host, Url};

/// The longest address that Stripe accepts, in bytes.
const MAX_URL_BYTES: usize = 2_000;

/// Refuses an address that is not a page over https. On this machine, http is allowed too.
pub(super) fn check_return_url(url: &str, field: &'static [&'static str]) -> Result<()> {
    let is_local = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_safe = |url: Url| url.scheme() == "https" || (url.scheme() == "http" && is_local(&url));
    if url.len() <= MAX_URL_BYTES && Url::parse(url).is_ok_and(is_safe) {
        return Ok(());
    }
    let name = field.last().unwrap_or(&"url");
    let message = format!("`{name}` must be an address of at most 2,000 bytes that begins with https://.");
    Err(Error::refused("URL_INVALID", field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_return_only_to_safe_pages() {
        for url in ["https://app.example.com/paid?s={CHECKOUT_SESSION_ID}", "http://localhost:3000/", "http://[::1]/a"]
        {
            assert!(check_return_url(url, &[]).is_ok(), "{url}");
        }
        for url in
            ["", "app.example.com", "http://app.example.com", "javascript:alert(1)", "http://127.0.0.1.example.com"]
        {
            assert!(check_return_url(url, &[]).is_err(), "{url}");
        }
    }
}
