//! `tollgate inbox`.

use super::drift;
use crate::auth::Viewer;
use crate::config::Config;
use crate::db::Between;
use crate::inbox::{self, EventState, Events};
use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::Subcommand;

/// Work on the events that the payment providers sent.
#[derive(Debug, Subcommand)]
pub(super) enum Inbox {
    /// Apply events again, by a running server or worker: failed and parked ones, or those that you pick.
    Replay {
        /// Apply only the event with this id at its provider, such as evt_…, in any state.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Apply only events of this type, such as invoice.paid.
        #[arg(long, value_name = "TYPE")]
        kind: Option<String>,
        /// Apply only events in this state.
        #[arg(long, value_parser = ["received", "applied", "failed", "parked"])]
        state: Option<String>,
        /// Apply only events received since then: a date, an instant, or a length of time such as 24h.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Print what would change without changing it.
        #[arg(long)]
        dry_run: bool,
    },
    /// Apply the whole inbox again, and correct every mirrored row. Correct rows are not touched, so an interrupted rebuild
    /// may be run again.
    Rebuild {
        /// Print what would change without changing it.
        #[arg(long)]
        dry_run: bool,
    },
}

/// The states of events that can be applied.
const STATES: [EventState; 4] = [EventState::Received, EventState::Applied, EventState::Failed, EventState::Parked];

impl Inbox {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let app = super::app(config).await?;
        let viewer = Viewer::system("inbox");
        match self {
            Inbox::Replay { id, kind, state, since, dry_run } => {
                let states = match state {
                    Some(state) => vec![state.parse()?],
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
                let verb = if dry_run { "would be applied again" } else { "are applied again by the worker" };
                println!("{:>10}  events {verb}", replay.events);
                if replay.more {
                    println!("More events match: run the command again, or narrow it with --since.");
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
                println!("{:>10}  objects wait for something", rebuilt.waiting);
                drift::print(&rebuilt.drift);
            }
        }
        Ok(())
    }
}

/// Reads a date, an instant, or a length of time before `now`.
pub(super) fn when(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    if let Ok(date) = text.parse::<chrono::NaiveDate>() {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    let wrong =
        || format!("`{text}` is not a time: write a date, an instant, or a length of time such as 90m, 24h or 7d.");
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
    fn a_time_is_a_date_an_instant_or_a_length_of_time() {
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
