//! The text of Apollo's multipart protocol for subscriptions over HTTP (`subscriptionSpec=1.0`).
//!
//! Each part is followed by its delimiter at once: clients read a part when they see the next delimiter.

/// The delimiter before the first part.
pub(super) const OPENING: &str = "\r\n--graphql";
/// A part without content, which clients ignore.
pub(super) const HEARTBEAT: &str = "\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql";
/// The end of the last delimiter.
pub(super) const COMPLETE: &str = "--\r\n";

/// Returns the part with a reply in JSON.
pub(super) fn next(json: &str) -> String {
    part(&format!("{{\"payload\":{json}}}"))
}

/// Returns the part for errors of the transport: `json` is a reply that consists of errors, and they end the subscription.
pub(super) fn interruption(json: &str) -> String {
    let errors = json.strip_prefix('{').unwrap_or(json);
    part(&format!("{{\"payload\":null,{errors}"))
}

fn part(json: &str) -> String {
    format!("\r\ncontent-type: application/json\r\n\r\n{json}\r\n--graphql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_has_its_errors_beside_the_payload() {
        let part = interruption(r#"{"errors":[{"message":"m"}]}"#);
        let (head, rest) = part.split_once("\r\n\r\n").unwrap();
        assert_eq!(head, "\r\ncontent-type: application/json");
        assert_eq!(rest, "{\"payload\":null,\"errors\":[{\"message\":\"m\"}]}\r\n--graphql");
    }
}
