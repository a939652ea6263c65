//! The requests that are measured.

use crate::support::client::{Request, Source};
use crate::support::{Bench, server};
use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{EntityTrait, QueryOrder, QuerySelect};
use std::sync::Arc;
use std::time::Duration;
use tollgate::auth::{MintRequest, Permissions, Role, Viewer};
use tollgate::credits::{NewGrant, Note, Request as Change, change_all};
use tollgate::plans::FeatureKind;
use tollgate::usage::{MeterAggregation, NewMeter, create_feature, create_meter};
use uuid::Uuid;

/// The credits of each wallet, which no case spends.
const CREDITS: i64 = 1_000_000_000_000;
/// The operations in a request of a batch.
const BATCH: usize = 100;
/// The most operations in one request.
const MAX_BATCH: usize = 1_000;

/// A kind of request to measure.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) connections: usize,
    /// Operations in a request.
    pub(crate) operations: f64,
    pub(crate) source: Source,
}

/// Everything that the requests need.
pub(crate) struct Cases {
    accounts: Arc<[Uuid]>,
    admin: String,
    user: String,
}

impl Cases {
    /// Gives credits to accounts, and creates a meter and a feature.
    pub(crate) async fn prepare(bench: &Bench, count: u64) -> anyhow::Result<Cases> {
        let app = &bench.app;
        let viewer = Viewer::system("bench");
        let accounts: Vec<Uuid> = {
            use entity::accounts::{Column, Entity};
            let ids = Entity::find().select_only().column(Column::Id).order_by_asc(Column::Id).limit(count);
            ids.into_tuple().all(app.db.read()).await?
        };
        ensure!(!accounts.is_empty(), "There are no accounts.");
        for some in accounts.chunks(MAX_BATCH) {
            let grant = |account_id: &Uuid| {
                let new = NewGrant {
                    account_id: *account_id,
                    unit: "credit".to_owned(),
                    amount: CREDITS,
                    reason: None,
                    starts_at: None,
                    expires_at: None,
                    priority: 0,
                };
                (Change::Grant(new), Note::default(), format!("bench:{account_id}"))
            };
            for granted in change_all(app, &viewer, some.iter().map(grant).map(Ok).collect()).await? {
                granted?;
            }
        }
        let meter = NewMeter {
            code: "bench".to_owned(),
            name: "Bench".to_owned(),
            aggregation: MeterAggregation::Sum,
            value_path: None,
            group_by: None,
        };
        // Both are there in a database that is used again.
        let _ = create_meter(app, &viewer, meter).await;
        let feature = tollgate::plans::NewFeature {
            code: "bench_switch".to_owned(),
            kind: FeatureKind::Switch,
            name: "Bench".to_owned(),
            unit: None,
        };
        let _ = create_feature(app, &viewer, feature, None).await;
        Ok(Cases { accounts: accounts.into(), admin: server::admin_token(app)?, user: user_token(bench).await? })
    }

    /// Returns all cases, in the order in which they are compared.
    pub(crate) fn all(&self, address: &str, connections: &[usize], batch_connections: usize) -> Vec<Case> {
        const BARE: &str = r#"{"query":"mutation { __typename }"}"#;
        const PLAN: &str = r#"{"query":"{ viewer { plan { plan { code } } } }"}"#;
        const ENTITLEMENT: &str = r#"{"query":"{ entitlement(feature: \"bench_switch\") { allowed reason } }"}"#;
        let fixed = |name: &str, token: &str, body: &'static str, expected: &'static str, connections| {
            let request = Request::post(address, token, body, expected);
            let source: Source = Arc::new(move |_, _| request.clone());
            Case { name: name.to_owned(), connections, operations: 1.0, source }
        };
        let most = connections.iter().copied().filter(|count| *count <= 64).max().unwrap_or(64);
        let mut cases = vec![
            fixed("a mutation that does nothing", &self.admin, BARE, "Mutation", most),
            fixed("viewer.plan", &self.user, PLAN, "\"viewer\"", most),
            fixed("entitlement", &self.user, ENTITLEMENT, "\"entitlement\"", most),
        ];
        for wallets in [1, self.accounts.len()] {
            for &connections in connections {
                let name = format!("spendCredits, {wallets} wallets");
                cases.push(self.single(&name, address, (SPEND, spend, "transaction"), wallets, connections));
            }
            let name = format!("changeCredits of {BATCH} spends, {wallets} wallets");
            cases.push(self.batch(&name, address, (CHANGE, change, "results"), wallets, batch_connections));
            let name = format!("grantCredits, {wallets} wallets");
            cases.push(self.single(&name, address, (GRANT, spend, "creditGrant"), wallets, most));
            let name = format!("recordUsage of {BATCH} events, {wallets} accounts");
            cases.push(self.batch(&name, address, (RECORD, event, "results"), wallets, batch_connections));
        }
        cases
    }

    fn single(
        &self,
        name: &str,
        address: &str,
        (document, input, expected): (&'static str, Input, &'static str),
        wallets: usize,
        connections: usize,
    ) -> Case {
        let (accounts, token, address) = (Arc::clone(&self.accounts), self.admin.clone(), address.to_owned());
        let source: Source = Arc::new(move |connection, number| {
            let account_id = accounts[(connection * wallets / connections + number) % wallets];
            let input = input(account_id);
            let body = format!("{{\"query\":\"{document}\",\"variables\":{{\"input\":{input}}}}}");
            Request::post(&address, &token, &body, expected)
        });
        Case { name: name.to_owned(), connections, operations: 1.0, source }
    }

    fn batch(
        &self,
        name: &str,
        address: &str,
        (document, input, expected): (&'static str, Input, &'static str),
        wallets: usize,
        connections: usize,
    ) -> Case {
        let (accounts, token, address) = (Arc::clone(&self.accounts), self.admin.clone(), address.to_owned());
        let source: Source = Arc::new(move |connection, number| {
            let first = connection * wallets / connections + number * BATCH;
            let inputs: Vec<String> = (0..BATCH).map(|each| input(accounts[(first + each) % wallets])).collect();
            let inputs = inputs.join(",");
            let body = format!("{{\"query\":\"{document}\",\"variables\":{{\"inputs\":[{inputs}]}}}}");
            Request::post(&address, &token, &body, expected)
        });
        let operations = f64::from(u32::try_from(BATCH).unwrap_or(u32::MAX));
        Case { name: name.to_owned(), connections, operations, source }
    }
}

/// Returns the input of one operation on an account.
type Input = fn(Uuid) -> String;

const SPEND: &str = "mutation($input: SpendCreditsInput!) { spendCredits(input: $input) { transaction { id } available \
    userErrors { code } } }";
const GRANT: &str = "mutation($input: GrantCreditsInput!) { grantCredits(input: $input) { creditGrant { id } \
    userErrors { code } } }";
const CHANGE: &str = "mutation($inputs: [CreditChangeInput!]!) { changeCredits(input: { changes: $inputs }) { \
    results { available userErrors { code } } } }";
const RECORD: &str = "mutation($inputs: [UsageEventInput!]!) { recordUsage(input: { events: $inputs }) { \
    results { outcome } } }";

fn spend(account_id: Uuid) -> String {
    let key = key();
    format!(r#"{{"accountId":"{}","unit":"credit","amount":"1","idempotencyKey":"{key}"}}"#, id(account_id))
}

fn change(account_id: Uuid) -> String {
    format!(r#"{{"spend":{}}}"#, spend(account_id))
}

fn event(account_id: Uuid) -> String {
    let key = key();
    format!(r#"{{"accountId":"{}","meter":"bench","value":"1","dedupeKey":"{key}"}}"#, id(account_id))
}

/// Returns a new key.
fn key() -> Uuid {
    tollgate::clock::Clock::System.new_id()
}

/// Returns the id of an account in the API.
fn id(account_id: Uuid) -> String {
    STANDARD.encode(format!("Account:{account_id}"))
}

/// Returns a token of a user.
async fn user_token(bench: &Bench) -> anyhow::Result<String> {
    use entity::user_identities::{Column, Entity};
    let subject = Entity::find().select_only().column(Column::Subject).order_by_asc(Column::Subject);
    let subject: String = subject.into_tuple().one(bench.app.db.read()).await?.context("There are no users.")?;
    let request = MintRequest {
        subject,
        role: Role::User,
        permissions: Permissions::NONE,
        ttl: Duration::from_secs(24 * 60 * 60),
        now: bench.app.now(),
    };
    Ok(bench.app.tokens.mint(&request)?)
}
