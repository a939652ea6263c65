//! Negotiation of the media type of responses, and validation of that of bodies.

use axum::http::{HeaderMap, header};

/// The media type of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: the older convention, in which a refused document has the status 200.
    Json,
    /// `application/graphql-response+json`, in which the status reflects the outcome.
    GraphqlResponse,
    /// `text/event-stream`: a stream of replies.
    EventStream,
    /// `multipart/mixed;subscriptionSpec=1.0`: a stream of replies by Apollo's protocol.
    Multipart,
    /// `text/html`, for browsers.
    Html,
}

impl Media {
    fn essence(self) -> (&'static str, &'static str) {
        match self {
            Media::Json => ("application", "json"),
            Media::GraphqlResponse => ("application", "graphql-response+json"),
            Media::EventStream => ("text", "event-stream"),
            Media::Multipart => ("multipart", "mixed"),
            Media::Html => ("text", "html"),
        }
    }

    /// Returns the value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Media::Json => "application/json; charset=utf-8",
            Media::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Media::EventStream => "text/event-stream",
            Media::Multipart => "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0",
            Media::Html => "text/html; charset=utf-8",
        }
    }
}

/// The preference of a client: quality, then specificity, then order.
type Preference = (u16, u8, std::cmp::Reverse<usize>);

/// Returns the offer that the client prefers; the first one if it has no preference, `None` if it accepts none.
pub(super) fn negotiate(headers: &HeaderMap, offers: &[Media]) -> Option<Media> {
    let values: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = values.join(",");
    if accept.trim().is_empty() {
        return offers.first().copied();
    }
    let mut best: Option<(Preference, Media)> = None;
    for &offer in offers {
        if let Some(preference) = preference(&accept, offer)
            && best.is_none_or(|(highest, _)| preference > highest)
        {
            best = Some((preference, offer));
        }
    }
    best.map(|(_, media)| media)
}

fn preference(accept: &str, offer: Media) -> Option<Preference> {
    let (main, sub) = offer.essence();
    let ranges = accept.split(',').enumerate().filter_map(|(order, range)| {
        let mut parts = range.split(';').map(str::trim);
        let (range_main, range_sub) = parts.next()?.split_once('/')?;
        // Other protocols with parts, such as that of `@defer`, have another parameter.
        if offer == Media::Multipart && !parts.clone().any(is_subscription_spec) {
            return None;
        }
        let specificity = match (range_main, range_sub) {
            ("*", "*") => 0,
            (range, "*") if range.eq_ignore_ascii_case(main) => 1,
            (range, named) if range.eq_ignore_ascii_case(main) && named.eq_ignore_ascii_case(sub) => 2,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((specificity, quality.map_or(1000, thousandths), std::cmp::Reverse(order)))
    });
    // The most specific range decides, so that `*/*, text/html;q=0` means anything but HTML.
    let (specificity, quality, order) = ranges.max_by_key(|(specificity, _, order)| (*specificity, *order))?;
    (quality > 0).then_some((quality, specificity, order))
}

/// Returns whether a parameter of a media range asks for Apollo's protocol of subscriptions.
fn is_subscription_spec(parameter: &str) -> bool {
    let named = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("subscriptionSpec"));
    named.is_some_and(|(_, version)| version.trim().trim_matches('"') == "1.0")
}

/// Parses a quality value of HTTP, which has at most three decimals. Malformed values count as 0.
fn thousandths(quality: &str) -> u16 {
    match quality.split_once('.') {
        None => {
            if quality == "1" {
                1000
            } else {
                0
            }
        }
        Some(("1", _)) => 1000,
        Some(("0", decimals)) => format!("{decimals:0<3}").get(..3).and_then(|it| it.parse().ok()).unwrap_or(0),
        Some(_) => 0,
    }
}

/// Returns whether the body is declared as JSON in UTF-8. The declaration is required because pages of other sites can send
/// the media types of HTML forms without a preflight, but not this one.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let utf_8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = charset.trim().trim_matches('"');
            charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
        }
        _ => true,
    });
    json && utf_8
}
