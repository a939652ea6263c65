//! Values that are wrong for every field of a type.

use crate::support::global_id;
use serde_json::{Value, json};
use uuid::Uuid;

/// Stands for half a pair of UTF-16 surrogates, which only a raw body can hold.
pub(super) const LONE_SURROGATE: &str = "@lone@";

/// Instants that there are not, and the last ones that there are.
pub(super) const INSTANTS: [&str; 13] = [
    "2026-02-30T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "9999-12-31T23:59:59-23:59",
    "2026-01-01",
    "",
    "2026-01-01T24:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-01-01T00:00:00+99:99",
    "\0",
];

pub(super) fn bad(ty: &str) -> Vec<Value> {
    let long = "x".repeat(10_000);
    match ty {
        "String" | "ID" => {
            let other = global_id("Price", Uuid::nil());
            let texts = ["\0", "a\0b", "", " ", &long, LONE_SURROGATE, "\u{202e}\u{feff}💥%_\\'\";--", &other];
            texts.iter().map(|text| json!(text)).chain([json!(7), json!([]), json!({})]).collect()
        }
        "BigInt" => {
            let texts = [
                "9223372036854775807",
                "-9223372036854775808",
                "9223372036854775808",
                "-1",
                "0",
                "+1",
                "1.0",
                "",
                "\0",
                "１",
                "1e3",
                " 1",
                "00000000000000000000001",
                &long,
            ];
            let numbers = [json!(-1), json!(1.5), json!(1e300), json!(u64::MAX), json!(i64::MAX)];
            texts.iter().map(|text| json!(text)).chain(numbers).collect()
        }
        "Int" => vec![
            json!(-1),
            json!(0),
            json!(i32::MAX),
            json!(i32::MIN),
            json!(2_147_483_648_i64),
            json!(1.5),
            json!("1"),
        ],
        "DateTime" => INSTANTS.iter().map(|text| json!(text)).chain([json!(long), json!(1_700_000_000)]).collect(),
        "Date" => [
            "2026-02-30",
            "0000-01-01",
            "+999-01-01",
            "-001-01-01",
            "10000-01-01",
            "1969-12-31",
            "9999-12-31",
            "",
            "2026-1-1",
            "\0",
            &long,
        ]
        .iter()
        .map(|text| json!(text))
        .collect(),
        "Currency" => ["usd", "US", "USDX", "", "U\0D", "ÄÖÜ", &long].iter().map(|text| json!(text)).collect(),
        "Boolean" => vec![json!("true"), json!(1)],
        "JSON" => vec![json!("\0"), json!([1]), json!({"tokens": "\0"}), json!({"\0": {"tokens": 1e300}}), json!(long)],
        _ => vec![json!("NO_SUCH_VALUE"), json!(""), json!("\0"), json!(1)],
    }
}
