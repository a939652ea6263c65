//! `tollgate inbox`.

use super::drift;
use crate::auth::Viewer;
use crate::config::Config;
use crate::db::Between;
use crate::inbox::{self, Events};
use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::Subcommand;

/// What the payment providers sent.
#[derive(Debug, Subcommand)]
pub(super) enum Inbox {
    /// Have events applied again, by a server or worker that runs: those that failed or are parked, or those picked.
    Replay {
        /// The event with this id at its provider alone, evt_…; whatever its state.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Events of this type alone, e.g. invoice.paid.
        #[arg(long, value_name = "TYPE")]
        kind: Option<String>,
        /// Events in this state alone.
        #[arg(long, value_parser = ["received", "applied", "failed", "parked"])]
        state: Option<String>,
        /// Received since then: a date, an instant, or how long ago, e.g. 24h.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Say what would change, and do nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Apply the whole inbox again, and make every mirrored row what it says. Rows that are right are not touched, so
    /// that broken off it may be run again.
    Rebuild {
        /// Say what would change, and do nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

const STATES: [&str; 4] = ["received", "applied", "failed", "parked"];

impl Inbox {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let app = super::app(config).await?;
        let viewer = Viewer::system("inbox");
        match self {
            Inbox::Replay { id, kind, state, since, dry_run } => {
                let states = match state {
                    Some(state) => STATES.into_iter().filter(|known| *known == state).collect(),
                    None if id.is_some() => STATES.to_vec(),
                    None => Vec::new(),
                };
                let from = since.map(|since| when(&since, app.now())).transpose()?;
                let list = Events {
                    states,
                    kind,
                    provider: None,
                    external_id: id,
                    object_id: None,
                    waiting: None,
                    received: Between { from, to: None },
                    descending: false,
                };
                let replay = inbox::replay_events(&app, &viewer, list, dry_run).await?;
                let verb = if dry_run { "would be applied again" } else { "are applied again by the background work" };
                println!("{:>10}  events {verb}", replay.events);
                if replay.more {
                    println!("There are more; run it again, or narrow it with --since.");
                }
                if dry_run {
                    drift::print(&replay.drift);
                }
            }
            Inbox::Rebuild { dry_run } => {
                let bar = drift::bar("objects");
                let show = |done: usize, total: usize| {
                    bar.set_length(u64::try_from(total).unwrap_or(0));
                    bar.set_position(u64::try_from(done).unwrap_or(0));
                };
                let rebuilt = inbox::rebuild(&app, &viewer, dry_run, show).await;
                bar.finish_and_clear();
                let rebuilt = rebuilt?;
                println!("{:>10}  objects", rebuilt.objects);
                println!("{:>10}  wait for something that is not here", rebuilt.waiting);
                drift::print(&rebuilt.drift);
            }
        }
        Ok(())
    }
}

/// A date, an instant, or how long before `now`.
pub(super) fn when(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    if let Ok(date) = text.parse::<chrono::NaiveDate>() {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    let wrong = || format!("{text} is neither a date, nor an instant, nor a time such as 90m, 24h or 7d");
    let (unit, number) = match text.char_indices().next_back() {
        Some((at, unit)) => (unit, &text[..at]),
        None => anyhow::bail!(wrong()),
    };
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => anyhow::bail!(wrong()),
    };
    let number: i64 = number.parse().with_context(wrong)?;
    ensure!((0..=36_500).contains(&number), wrong());
    Ok(now - chrono::TimeDelta::seconds(number * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_an_instant_or_a_length() {
        let now: DateTime<Utc> = "2026-01-15T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2026-01-01T06:00:00+01:00", "2026-01-01T05:00:00Z"),
            ("90m", "2026-01-15T10:30:00Z"),
            ("24h", "2026-01-14T12:00:00Z"),
            ("7d", "2026-01-08T12:00:00Z"),
        ] {
            assert_eq!(when(text, now).unwrap(), expected.parse::<DateTime<Utc>>().unwrap(), "{text}");
        }
        for text in ["", "d", "7", "7w", "-1d", "yesterday", "99999999999d", "7é"] {
            assert!(when(text, now).is_err(), "{text}");
        }
    }
}
