//! Why Stripe says no, as far as it can be told without quoting it: its messages may name people, cards and keys.

use serde_json::Value;

/// A refusal of Stripe, in its own words for the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refused {
    /// The status of HTTP; 0 where nothing was sent.
    pub status: u16,
    /// `code`, else `type`: e.g. `card_declined`, `resource_missing`; or empty.
    pub code: String,
    /// Why the card's bank declined, e.g. `insufficient_funds`; `None` where no card was.
    pub decline_code: Option<String>,
    /// The parameter at fault, e.g. `discounts[0][promotion_code]`; `None` where no single one is.
    pub param: Option<String>,
}

impl Refused {
    /// Reads the body of an answer that is an error.
    pub(super) fn read(status: u16, body: &[u8]) -> Refused {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &body["error"];
        let named = |name: &str| error[name].as_str().filter(|word| is_word(word)).map(str::to_owned);
        let param = error["param"].as_str().filter(|path| is_path(path)).map(str::to_owned);
        Refused {
            status,
            code: named("code").or_else(|| named("type")).unwrap_or_default(),
            decline_code: named("decline_code"),
            param,
        }
    }

    /// Whether it is an answer to the parameters and would be the same again; not one to who asks, or how often.
    pub fn is_final(&self) -> bool {
        !matches!(self.status, 0 | 401 | 403 | 409 | 429)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

fn is_word(word: &str) -> bool {
    word.len() <= 60 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_path(path: &str) -> bool {
    path.len() <= 100 && path.bytes().all(|byte| byte.is_ascii_lowercase() || b"_[]0123456789".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_what_stripe_wrote_but_its_words() {
        for body in ["{\"error\":{\"code\":\"No such person: jo@example.com\"}}", "jo@example.com"] {
            assert_eq!(Refused::read(400, body.as_bytes()), Refused { status: 400, ..Refused::default() });
        }
        let body = br#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds",
            "param":"items[0][price]","message":"4242 was declined"}}"#;
        let read = Refused::read(402, body);
        assert_eq!((read.code.as_str(), read.decline_code.as_deref()), ("card_declined", Some("insufficient_funds")));
        assert_eq!(read.param.as_deref(), Some("items[0][price]"));
        assert!(!format!("{read:?}").contains("4242"));
        assert_eq!(Refused::read(400, b"{\"error\":{\"type\":\"api_error\"}}").code, "api_error");
    }
}
