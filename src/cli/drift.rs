//! Prints the rows that differed.

use crate::inbox::Drift;
use indicatif::{ProgressBar, ProgressStyle};

/// The most differences that are printed.
const MAX_DIFFERENCES: usize = 50;
/// The longest value that is printed, in characters.
const MAX_VALUE_CHARS: usize = 60;

/// Returns a progress bar for `things`.
pub(super) fn bar(things: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = format!("{things} {{wide_bar}} {{human_pos}}/{{human_len}}, {{eta}} left");
    bar.set_style(ProgressStyle::with_template(&style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Prints the number of rows that differed, by table, and the first of them column by column.
pub(super) fn print(drift: &Drift) {
    println!("{:>10}  rows differ", drift.total());
    for (name, table) in &drift.tables {
        let (missing, different, extra) = (table.missing, table.different, table.extra);
        println!("{:>10}  {name}: {missing} missing, {different} different, {extra} extra", table.total());
    }
    for one in drift.differences.iter().take(MAX_DIFFERENCES) {
        let name = format!("{} {}", one.table, one.external_id);
        match (&one.before, &one.after) {
            (Some(before), Some(after)) => {
                for (column, is) in before {
                    println!("{name}  {column}: {} -> {}", short(is), after.get(column).map(short).unwrap_or_default());
                }
            }
            (None, _) => println!("{name}  is missing"),
            (Some(_), None) => println!("{name}  is extra"),
        }
    }
    if drift.differences.len() > MAX_DIFFERENCES {
        println!("…");
    }
    for failure in &drift.failures {
        println!("not applied: {failure}");
    }
}

fn short(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_VALUE_CHARS {
        return text;
    }
    text.chars().take(MAX_VALUE_CHARS).chain(['…']).collect()
}
