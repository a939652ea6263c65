//! The scalars of the API.

use crate::money;
use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, SecondsFormat, Utc};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A 64-bit integer as a decimal string, because JSON numbers lose digits past 2^53. As input, a JSON integer is
/// accepted too.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-6")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = match &value {
            Value::String(digits) if is_decimal(digits) => digits.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        parsed.map(BigInt).ok_or_else(|| invalid("a 64-bit integer as a decimal string"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant(pub DateTime<Utc>);

/// An instant in UTC, in the format of RFC 3339, to the microsecond. As input, any offset is accepted.
#[Scalar(name = "DateTime", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for Instant {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = match &value {
            Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
            _ => None,
        };
        let stored = parsed.filter(|at| (1970..=9999).contains(&at.year()));
        let whole = stored.and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()));
        whole
            .map(Instant)
            .ok_or_else(|| invalid("an instant in the format of RFC 3339 from 1970 on, such as 2026-01-31T12:00:00Z"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<DateTime<FixedOffset>> for Instant {
    fn from(at: DateTime<FixedOffset>) -> Self {
        Instant(at.to_utc())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A day in UTC, as YYYY-MM-DD.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = match &value {
            Value::String(text) if text.len() == 10 => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
            _ => None,
        };
        parsed.map(Date).ok_or_else(|| invalid("a day such as 2026-01-31"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency(pub String);

/// A currency code of ISO 4217: three letters in upper case, such as USD.
#[Scalar(specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html")]
impl ScalarType for Currency {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(code) if money::is_currency(&code) => Ok(Currency(code)),
            _ => Err(invalid("a currency code of ISO 4217 in upper case, such as USD")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

fn invalid<T>(expected: &str) -> InputValueError<T>
where
    T: async_graphql::InputType,
{
    InputValueError::custom(format!("Expected {expected}.")).with_extension("code", "BAD_USER_INPUT")
}

/// An amount of money in one currency. Amounts in different currencies are never added.
#[derive(Debug, Clone, SimpleObject)]
pub struct Money {
    /// The amount in minor units: cents for USD, yen for JPY.
    pub amount: BigInt,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// Builds an amount from columns.
    pub fn new(amount_minor: i64, currency: &str) -> Self {
        Money { amount: BigInt(amount_minor), currency: Currency(currency.to_owned()) }
    }

    /// Returns an amount, or `None` if it or its currency is not known.
    pub fn known(amount_minor: Option<i64>, currency: Option<&str>) -> Option<Self> {
        Some(Money::new(amount_minor?, currency?))
    }
}
