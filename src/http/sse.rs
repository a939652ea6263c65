//! The text of server-sent events, by the protocol of graphql-sse ("distinct connections mode").

/// A comment, which clients ignore.
pub(super) const KEEP_ALIVE: &str = ":\n\n";
/// The event that ends a stream, with an empty `data` line, because browsers ignore an event without one.
pub(super) const COMPLETE: &str = "event: complete\ndata:\n\n";

/// Returns the event with a reply in JSON.
pub(super) fn next(json: &str) -> String {
    format!("event: next\ndata: {json}\n\n")
}
