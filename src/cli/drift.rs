//! How commands show what differed.

use crate::inbox::Drift;
use indicatif::{ProgressBar, ProgressStyle};

/// How many differences are printed.
const PRINTED: usize = 50;
/// The longest value that is printed, in characters.
const LONGEST: usize = 60;

/// A bar that fills as `what` are done.
pub(super) fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = format!("{what} {{wide_bar}} {{human_pos}}/{{human_len}}, {{eta}} left");
    bar.set_style(ProgressStyle::with_template(&style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Prints how many rows differed by table, and the first of them column by column.
pub(super) fn print(drift: &Drift) {
    println!("{:>10}  rows differ", drift.total());
    for (table, [missing, different, extra]) in &drift.tables {
        println!(
            "{:>10}  {table}: {missing} missing, {different} different, {extra} too many",
            missing + different + extra
        );
    }
    for one in drift.differences.iter().take(PRINTED) {
        let name = format!("{} {}", one.table, one.external_id);
        match (&one.before, &one.after) {
            (Some(before), Some(after)) => {
                for (column, is) in before {
                    println!("{name}  {column}: {} -> {}", short(is), after.get(column).map(short).unwrap_or_default());
                }
            }
            (None, _) => println!("{name}  is missing"),
            (Some(_), None) => println!("{name}  is too many"),
        }
    }
    if drift.differences.len() > PRINTED {
        println!("…");
    }
    for failure in &drift.failures {
        println!("not applied: {failure}");
    }
}

fn short(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
