//! `tollgate bench ledger`.

use super::callers::{Measured, run};
use super::common::Common;
use super::scratch::Scratch;
use super::store::{self, PlainWallet};
use super::table::Table;
use crate::app::App;
use crate::auth::Viewer;
use crate::credits::{self, NewGrant, Note, Request};
use crate::plans::{self, NewCreditUnit};
use anyhow::ensure;
use clap::Args;
use std::sync::Arc;
use tokio::sync::Mutex;
use uuid::Uuid;

/// The code of the credit unit.
const UNIT: &str = "bench";
/// Credits of each wallet, which no measurement spends.
const CREDITS: i64 = 1_000_000_000_000;
/// The least number of wallets that exist, so that the tables are not so small that an index would not pay.
const MIN_WALLETS: usize = 1_000;
/// The most operations in one request.
const MAX_BATCH: usize = 1_000;
/// The operations of a request in the measurement of batches.
const BATCH: usize = 100;

/// The arguments of `tollgate bench ledger`.
#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerBench {
    #[command(flatten)]
    pub(super) common: Common,
    /// Numbers of wallets that the callers spend from.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10_000], value_name = "N,…")]
    wallets: Vec<usize>,
}

/// A measurement.
#[derive(Debug, Clone, Copy)]
struct Case {
    kind: Kind,
    callers: usize,
    wallets: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Spends, each a call.
    Spends,
    /// Spends, each of which waits for the commit of the one before it.
    OneCommitEach,
    /// Spends in batches.
    Batches,
    /// Grants, each a call.
    Grants,
    /// The rows of a spend by plain SQL, each in a transaction.
    PlainSql,
}

impl Case {
    fn name(self) -> String {
        let Case { kind, callers, wallets } = self;
        let kind = match kind {
            Kind::Spends => "spend".to_owned(),
            Kind::OneCommitEach => "spend, one commit each".to_owned(),
            Kind::Batches => format!("spend, batches of {BATCH}"),
            Kind::Grants => "grant".to_owned(),
            Kind::PlainSql => "plain SQL".to_owned(),
        };
        let plural = |count| if count == 1 { "" } else { "s" };
        format!("{kind}: {wallets} wallet{}, {callers} caller{}", plural(wallets), plural(callers))
    }
}

impl LedgerBench {
    pub(super) async fn measure(&self, scratch: &Scratch) -> anyhow::Result<()> {
        ensure!(self.wallets.iter().all(|count| (1..=1_000_000).contains(count)), "--wallets must be 1 to 1000000.");
        let most = self.wallets.iter().copied().max().unwrap_or(1);
        let wallets = Wallets::create(scratch, most.max(MIN_WALLETS)).await?;
        let cases = self.cases();
        let table = Table::start("operations", cases.len(), self.common.time());
        for case in cases {
            let name = case.name();
            table.begin(&name);
            table.row(&name, &wallets.run(case, &self.common).await?);
        }
        table.end();
        Ok(())
    }

    fn cases(&self) -> Vec<Case> {
        let callers = || self.common.callers.iter().copied();
        let most = callers().filter(|count| *count <= 64).max().or(callers().min()).unwrap_or(1);
        let mut cases = Vec::new();
        for &wallets in &self.wallets {
            cases.extend(callers().map(|callers| Case { kind: Kind::Spends, callers, wallets }));
            let kinds = [Kind::Batches, Kind::Grants, Kind::OneCommitEach, Kind::PlainSql];
            cases.extend(kinds.map(|kind| Case { kind, callers: most, wallets }));
        }
        cases
    }
}

/// Wallets with credits.
struct Wallets {
    app: Arc<App>,
    accounts: Arc<[Uuid]>,
    plain: Arc<[PlainWallet]>,
}

impl Wallets {
    async fn create(scratch: &Scratch, count: usize) -> anyhow::Result<Wallets> {
        let app = Arc::clone(&scratch.app);
        let viewer = viewer();
        let unit = NewCreditUnit { code: UNIT.to_owned(), name: "Bench".to_owned(), decimals: 0 };
        plans::create_credit_unit(&app, &viewer, unit).await?;
        let accounts = scratch.create_accounts(count).await?;
        for some in accounts.chunks(MAX_BATCH) {
            let grants = some.iter().map(|id| request(&app, grant(*id, CREDITS)));
            for granted in credits::change_all(&app, &viewer, grants.map(Ok).collect()).await? {
                granted?;
            }
        }
        scratch.analyse().await?;
        let plain = store::plain_wallets(&app.db).await?.into();
        Ok(Wallets { app, accounts: accounts.into(), plain })
    }

    async fn run(&self, case: Case, common: &Common) -> anyhow::Result<Measured> {
        let Case { kind, callers, wallets } = case;
        let (app, time) = (&self.app, common.time());
        let accounts = Arc::clone(&self.accounts);
        let shared = Arc::clone(app);
        // Callers go through the wallets, each from another place.
        let place = move |caller: usize, number: usize| (caller * wallets / callers + number) % wallets;
        match kind {
            Kind::Spends => {
                run(app, callers, time, move |caller, number| {
                    spend(Arc::clone(&shared), accounts[place(caller, number)])
                })
                .await
            }
            Kind::OneCommitEach => {
                let turn = Arc::new(Mutex::new(()));
                run(app, callers, time, move |caller, number| {
                    let (turn, app, account_id) =
                        (Arc::clone(&turn), Arc::clone(&shared), accounts[place(caller, number)]);
                    async move {
                        let _turn = turn.lock().await;
                        spend(app, account_id).await
                    }
                })
                .await
            }
            Kind::Batches => {
                run(app, callers, time, move |caller, number| {
                    let some: Vec<Uuid> =
                        (0..BATCH).map(|each| accounts[place(caller, number * BATCH + each)]).collect();
                    spend_all(Arc::clone(&shared), some)
                })
                .await
            }
            Kind::Grants => {
                run(app, callers, time, move |caller, number| {
                    let (app, account_id) = (Arc::clone(&shared), accounts[place(caller, number)]);
                    async move { change(&app, grant(account_id, 1)).await }
                })
                .await
            }
            Kind::PlainSql => {
                let plain = Arc::clone(&self.plain);
                run(app, callers, time, move |caller, number| {
                    let (app, wallet) = (Arc::clone(&shared), plain[place(caller, number)]);
                    async move {
                        app.db.write(move |txn| Box::pin(store::plain_spend(txn, wallet))).await?;
                        Ok(1)
                    }
                })
                .await
            }
        }
    }
}

fn viewer() -> Viewer {
    Viewer::system("bench")
}

fn grant(account_id: Uuid, amount: i64) -> Request {
    Request::Grant(NewGrant {
        account_id,
        unit: UNIT.to_owned(),
        amount,
        reason: None,
        starts_at: None,
        expires_at: None,
        priority: 0,
    })
}

fn request(app: &App, request: Request) -> (Request, Note, String) {
    (request, Note::default(), app.new_id().to_string())
}

async fn spend(app: Arc<App>, account_id: Uuid) -> anyhow::Result<u64> {
    change(&app, Request::Spend { account_id, unit: UNIT.to_owned(), amount: 1 }).await
}

async fn change(app: &App, change: Request) -> anyhow::Result<u64> {
    let (request, note, key) = request(app, change);
    credits::change(app, &viewer(), request, note, &key).await?;
    Ok(1)
}

async fn spend_all(app: Arc<App>, accounts: Vec<Uuid>) -> anyhow::Result<u64> {
    let spends = accounts.into_iter().map(|account_id| Request::Spend { account_id, unit: UNIT.to_owned(), amount: 1 });
    let spends = spends.map(|spend| Ok(request(&app, spend))).collect();
    let mut count = 0;
    for spent in credits::change_all(&app, &viewer(), spends).await? {
        spent?;
        count += 1;
    }
    Ok(count)
}
