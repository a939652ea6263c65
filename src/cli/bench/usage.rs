//! `tollgate bench usage`.

use super::callers::{Measured, run};
use super::common::Common;
use super::scratch::Scratch;
use super::table::Table;
use crate::app::App;
use crate::auth::Viewer;
use crate::credits::Note;
use crate::db::{insert_all, whole_rows};
use crate::entitlements::{NewConsumption, consume};
use crate::plans::{FeatureKind, LimitWindow, NewFeature};
use crate::usage::{MAX_EVENTS, MeterAggregation, NewEvent, NewMeter, create_feature, create_meter, record};
use anyhow::ensure;
use clap::Args;
use entity::entitlement_overrides;
use std::sync::Arc;
use uuid::Uuid;

/// The code of the meter that events are recorded on, and of the feature that is consumed with its own meter.
const METER: &str = "bench_events";
const FEATURE: &str = "bench_uses";
/// Units in each window of the feature, which no measurement uses up.
const LIMIT: i64 = 1_000_000_000_000;

/// The arguments of `tollgate bench usage`.
#[derive(Debug, Args)]
pub(in crate::cli) struct UsageBench {
    #[command(flatten)]
    pub(super) common: Common,
    /// Numbers of accounts whose usage is recorded.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 1_000], value_name = "N,…")]
    accounts: Vec<usize>,
    /// Numbers of events in a call.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100], value_name = "N,…")]
    batches: Vec<usize>,
}

/// A measurement.
#[derive(Debug, Clone, Copy)]
struct Case {
    kind: Kind,
    callers: usize,
    accounts: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Events, so many in a call.
    Events(usize),
    /// Uses of a feature that are checked and counted.
    Uses,
}

impl Case {
    fn name(self) -> String {
        let Case { kind, callers, accounts } = self;
        let kind = match kind {
            Kind::Events(1) => "record".to_owned(),
            Kind::Events(count) => format!("record, batches of {count}"),
            Kind::Uses => "consume".to_owned(),
        };
        let plural = |count| if count == 1 { "" } else { "s" };
        format!("{kind}: {accounts} account{}, {callers} caller{}", plural(accounts), plural(callers))
    }
}

impl UsageBench {
    pub(super) async fn measure(&self, scratch: &Scratch) -> anyhow::Result<()> {
        ensure!(self.accounts.iter().all(|count| (1..=100_000).contains(count)), "--accounts must be 1 to 100000.");
        ensure!(self.batches.iter().all(|count| (1..=MAX_EVENTS).contains(count)), "--batches must be 1 to 1000.");
        let app = Arc::clone(&scratch.app);
        let accounts = create(scratch, self.accounts.iter().copied().max().unwrap_or(1)).await?;
        let cases = self.cases();
        let table = Table::start("operations", cases.len(), self.common.time());
        for case in cases {
            let name = case.name();
            table.begin(&name);
            table.row(&name, &measure(&app, &accounts, case, &self.common).await?);
        }
        table.end();
        Ok(())
    }

    fn cases(&self) -> Vec<Case> {
        let kinds = self.batches.iter().map(|count| Kind::Events(*count)).chain([Kind::Uses]);
        let kinds: Vec<Kind> = kinds.collect();
        let mut cases = Vec::new();
        for &accounts in &self.accounts {
            for &kind in &kinds {
                cases.extend(self.common.callers.iter().map(|&callers| Case { kind, callers, accounts }));
            }
        }
        cases
    }
}

/// Creates accounts with a limit of the feature in each of three windows.
async fn create(scratch: &Scratch, count: usize) -> anyhow::Result<Arc<[Uuid]>> {
    let (app, viewer) = (&scratch.app, Viewer::system("bench"));
    let meter = NewMeter {
        code: METER.to_owned(),
        name: "Bench".to_owned(),
        aggregation: MeterAggregation::Sum,
        value_path: None,
        group_by: None,
    };
    create_meter(app, &viewer, meter).await?;
    let feature =
        NewFeature { code: FEATURE.to_owned(), kind: FeatureKind::Limit, name: "Bench".to_owned(), unit: None };
    let feature_id = create_feature(app, &viewer, feature, None).await?.id;
    let accounts: Arc<[Uuid]> = scratch.create_accounts(count).await?.into();
    let limited = Arc::clone(&accounts);
    let written = app.db.write(move |txn| {
        Box::pin(async move {
            let mut rows = Vec::with_capacity(limited.len() * 3);
            for &account_id in limited.iter() {
                for window in [LimitWindow::Hour, LimitWindow::Day, LimitWindow::Month] {
                    rows.push(entitlement_overrides::Model {
                        id: txn.new_id(),
                        account_id,
                        feature_id,
                        granted: true,
                        value: None,
                        limit_units: Some(LIMIT),
                        limit_window: Some(window.to_string()),
                        reason: "tollgate bench".to_owned(),
                        created_by: "system:bench".to_owned(),
                        created_at: txn.now().fixed_offset(),
                        expires_at: None,
                        revoked_at: None,
                    });
                }
            }
            insert_all::<entitlement_overrides::Entity>(txn, whole_rows(rows)).await
        })
    });
    written.await?;
    // With rows that an index pays for.
    for _ in 0..2 {
        let events = (0..MAX_EVENTS).map(|number| event(app, accounts[number % accounts.len()])).collect();
        record_all(Arc::clone(app), events).await?;
    }
    scratch.analyse().await?;
    Ok(accounts)
}

async fn measure(app: &Arc<App>, accounts: &Arc<[Uuid]>, case: Case, common: &Common) -> anyhow::Result<Measured> {
    let Case { kind, callers, accounts: count } = case;
    let (shared, accounts) = (Arc::clone(app), Arc::clone(accounts));
    // Callers go through the accounts, each from another place.
    let account = move |caller: usize, number: usize| accounts[(caller * count / callers + number) % count];
    match kind {
        Kind::Events(batch) => {
            run(app, callers, common.time(), move |caller, number| {
                let events = (0..batch).map(|each| event(&shared, account(caller, number * batch + each))).collect();
                record_all(Arc::clone(&shared), events)
            })
            .await
        }
        Kind::Uses => {
            run(app, callers, common.time(), move |caller, number| {
                use_one(Arc::clone(&shared), account(caller, number))
            })
            .await
        }
    }
}

fn event(app: &App, account_id: Uuid) -> NewEvent {
    NewEvent {
        account_id,
        meter: METER.to_owned(),
        value: Some(1),
        dimensions: None,
        dedupe_key: app.new_id().to_string(),
        occurred_at: None,
        user_id: None,
        device_id: None,
        ref_type: None,
        ref_id: None,
        verified: false,
        proof: None,
        content_hash: None,
    }
}

async fn record_all(app: Arc<App>, events: Vec<NewEvent>) -> anyhow::Result<u64> {
    let mut count = 0;
    for recorded in record(&app, &Viewer::system("bench"), events.into_iter().map(Ok).collect()).await? {
        recorded?;
        count += 1;
    }
    Ok(count)
}

async fn use_one(app: Arc<App>, account_id: Uuid) -> anyhow::Result<u64> {
    let new = NewConsumption { account_id, feature: FEATURE.to_owned(), amount: 1, note: Note::default() };
    let key = app.new_id().to_string();
    consume(&app, &Viewer::system("bench"), new, &key).await?;
    Ok(1)
}
