//! Rows as CSV and as JSON.

use chrono::NaiveDate;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::io::{self, Write};

/// The format of a report. Both have the same columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ReportFormat {
    /// A header and a line for each row (RFC 4180). A value that does not exist is empty.
    Csv,
    /// An array with an object for each row. Amounts and rates are strings, as in the API.
    Json,
}

impl ReportFormat {
    /// Both formats.
    pub const ALL: [ReportFormat; 2] = [ReportFormat::Csv, ReportFormat::Json];

    /// Returns the media type.
    pub fn content_type(self) -> &'static str {
        match self {
            ReportFormat::Csv => "text/csv; charset=utf-8",
            ReportFormat::Json => "application/json",
        }
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell<'r> {
    Day(NaiveDate),
    Text(Cow<'r, str>),
    Count(i64),
    /// An amount in minor units.
    Amount(i64),
    /// A decimal number; `None` without a denominator.
    Rate(Option<String>),
}

impl<'r> Cell<'r> {
    pub(super) fn text(text: &'r str) -> Cell<'r> {
        Cell::Text(text.into())
    }

    /// Returns the field of a CSV file. The one kind of value that can hold any text is kept from being a formula: programs
    /// for tables run what begins with one of these characters.
    fn field(self) -> Cow<'r, str> {
        match self {
            Cell::Day(day) => day.to_string().into(),
            Cell::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) => format!("'{text}").into(),
            Cell::Text(text) => text,
            Cell::Count(number) | Cell::Amount(number) => number.to_string().into(),
            Cell::Rate(rate) => rate.unwrap_or_default().into(),
        }
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Day(day) => day.serialize(serializer),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Count(number) => serializer.serialize_i64(*number),
            Cell::Amount(minor) => serializer.collect_str(minor),
            Cell::Rate(rate) => rate.serialize(serializer),
        }
    }
}

/// A row as a JSON object.
struct Object<'r, const N: usize>([&'static str; N], [Cell<'r>; N]);

impl<const N: usize> Serialize for Object<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(&self.1))
    }
}

/// Writes each row as soon as it comes.
pub(super) fn write<'r, const N: usize>(
    format: ReportFormat,
    columns: [&'static str; N],
    rows: impl Iterator<Item = [Cell<'r>; N]>,
    out: impl Write,
) -> io::Result<()> {
    match format {
        ReportFormat::Csv => write_csv(columns, rows, out),
        ReportFormat::Json => write_json(columns, rows, out),
    }
}

fn write_csv<'r, const N: usize>(
    columns: [&'static str; N],
    rows: impl Iterator<Item = [Cell<'r>; N]>,
    out: impl Write,
) -> io::Result<()> {
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    out.write_record(columns)?;
    for row in rows {
        out.write_record(row.map(|cell| cell.field().into_owned()))?;
    }
    out.flush()
}

fn write_json<'r, const N: usize>(
    columns: [&'static str; N],
    rows: impl Iterator<Item = [Cell<'r>; N]>,
    out: impl Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    out.write_all(b"[")?;
    for (number, row) in rows.enumerate() {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut out, &Object(columns, row))?;
    }
    out.write_all(b"\n]\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[Cell<'static>; 3]> {
        let texts = [
            "plain",
            "a,b",
            "say \"x\"",
            "two\r\nlines",
            "=HYPERLINK(\"http://x\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "",
            "é🎉",
        ];
        let row = |text: &'static str| [Cell::text(text), Cell::Amount(-9_007_199_254_740_993), Cell::Rate(None)];
        texts.map(row).into()
    }

    fn written(format: ReportFormat, rows: Vec<[Cell<'static>; 3]>) -> String {
        let mut out = Vec::new();
        write(format, ["text", "amount_minor", "rate"], rows.into_iter(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn odd_texts_stay_one_field_and_are_no_formulas() {
        let text = written(ReportFormat::Csv, rows());
        let mut lines = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let read: Vec<Vec<String>> =
            lines.records().map(|line| line.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(read[0], ["text", "amount_minor", "rate"]);
        for (line, [cell, ..]) in read[1..].iter().zip(rows()) {
            let Cell::Text(text) = cell else { unreachable!("the first cells are texts") };
            let guarded = line[0].strip_prefix('\'').unwrap_or(&line[0]);
            assert_eq!((guarded, &*line[1], &*line[2]), (&*text, "-9007199254740993", ""));
            assert!(!line[0].starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{line:?}");
        }
        assert_eq!(read.len(), rows().len() + 1);
        assert!(text.starts_with("text,amount_minor,rate\r\nplain,-9007199254740993,\r\n\"a,b\","), "{text}");
    }

    #[test]
    fn json_has_the_texts_as_they_are() {
        let read: serde_json::Value = serde_json::from_str(&written(ReportFormat::Json, rows())).unwrap();
        let read = read.as_array().unwrap();
        assert_eq!(read.len(), rows().len());
        for (object, [cell, ..]) in read.iter().zip(rows()) {
            let Cell::Text(text) = cell else { unreachable!("the first cells are texts") };
            assert_eq!(*object, serde_json::json!({"text": text, "amount_minor": "-9007199254740993", "rate": null}));
        }
    }

    #[test]
    fn a_report_without_rows_is_still_a_file() {
        assert_eq!(written(ReportFormat::Csv, Vec::new()), "text,amount_minor,rate\r\n");
        assert_eq!(written(ReportFormat::Json, Vec::new()), "[\n]\n");
    }
}
