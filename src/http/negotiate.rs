//! Which media type to answer with, and whether a body is in one that is read.

use axum::http::{HeaderMap, header};

/// What a reply can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: the older convention, where a refused document is a success of HTTP.
    Json,
    /// `application/graphql-response+json`, where the status tells what happened.
    GraphqlResponse,
    /// `text/event-stream`: the replies one by one, as they come.
    EventStream,
    /// `text/html`, for people.
    Html,
}

impl Media {
    fn essence(self) -> (&'static str, &'static str) {
        match self {
            Media::Json => ("application", "json"),
            Media::GraphqlResponse => ("application", "graphql-response+json"),
            Media::EventStream => ("text", "event-stream"),
            Media::Html => ("text", "html"),
        }
    }

    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Media::Json => "application/json; charset=utf-8",
            Media::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Media::EventStream => "text/event-stream",
            Media::Html => "text/html; charset=utf-8",
        }
    }
}

/// How much a client wants something: first by its quality, then by how exactly it was named, then by the order.
type Wanted = (u16, u8, std::cmp::Reverse<usize>);

/// The one of `offers` that the client wants most; the first of them where it does not care.
pub(super) fn negotiate(headers: &HeaderMap, offers: &[Media]) -> Option<Media> {
    let values: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = values.join(",");
    if accept.trim().is_empty() {
        return offers.first().copied();
    }
    let mut best: Option<(Wanted, Media)> = None;
    for &offer in offers {
        if let Some(wanted) = wanted(&accept, offer)
            && best.is_none_or(|(most, _)| wanted > most)
        {
            best = Some((wanted, offer));
        }
    }
    best.map(|(_, media)| media)
}

fn wanted(accept: &str, offer: Media) -> Option<Wanted> {
    let (main, sub) = offer.essence();
    let ranges = accept.split(',').enumerate().filter_map(|(order, range)| {
        let mut parts = range.split(';').map(str::trim);
        let (range_main, range_sub) = parts.next()?.split_once('/')?;
        let exactness = match (range_main, range_sub) {
            ("*", "*") => 0,
            (range, "*") if range.eq_ignore_ascii_case(main) => 1,
            (range, named) if range.eq_ignore_ascii_case(main) && named.eq_ignore_ascii_case(sub) => 2,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((exactness, quality.map_or(1000, thousandths), std::cmp::Reverse(order)))
    });
    // The most exact range decides, so that `*/*, text/html;q=0` means anything but HTML.
    let (exactness, quality, order) = ranges.max_by_key(|(exactness, _, order)| (*exactness, *order))?;
    (quality > 0).then_some((quality, exactness, order))
}

/// A quality value of HTTP, which has at most three decimals; what is none counts as not wanted.
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

/// Whether the body is JSON in UTF-8. It has to say so: a page of another site can send any of the media types of
/// HTML forms without asking, but not this one.
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
