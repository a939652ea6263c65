//! `tollgate inbox`.

use super::{drift, since};
use crate::auth::Viewer;
use crate::config::Config;
use crate::db::Between;
use crate::inbox::{self, EventState, Events};
use clap::Subcommand;

/// Work on the events that the payment providers sent.
#[derive(Debug, Subcommand)]
pub(super) enum Inbox {
    /// Apply failed and parked events again, or those you pick. A server or worker has to run.
    Replay {
        /// Apply only the event with this id at its provider, such as evt_…, in any state.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Apply only events of this type, such as invoice.paid.
        #[arg(long, value_name = "TYPE")]
        kind: Option<String>,
        /// Apply only events in this state; of ignored ones those whose type an update made known.
        #[arg(long, value_parser = ["received", "applied", "failed", "parked", "ignored"])]
        state: Option<String>,
        /// Apply only events received since then: a date, an instant, or a length of time such as 24h.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Print what would change without changing it.
        #[arg(long)]
        dry_run: bool,
    },
    /// Apply the whole inbox again, and correct every mirrored row.
    ///
    /// Correct rows are not touched, so an interrupted rebuild may be run again.
    Rebuild {
        /// Print what would change without changing it.
        #[arg(long)]
        dry_run: bool,
    },
}

/// The states of events that can be applied; ignored ones only if an update made their type known.
const STATES: [EventState; 5] =
    [EventState::Received, EventState::Applied, EventState::Failed, EventState::Parked, EventState::Ignored];

impl Inbox {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let app = super::open::app(config).await?;
        let viewer = Viewer::system("inbox");
        match self {
            Inbox::Replay { id, kind, state, since, dry_run } => {
                let states = match state {
                    Some(state) => vec![state.parse()?],
                    None if id.is_some() => STATES.to_vec(),
                    None => Vec::new(),
                };
                let from = since.map(|text| since::parse(&text, app.now())).transpose()?;
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
