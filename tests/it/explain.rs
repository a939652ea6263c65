//! Every list has an index that serves its filter and its order, on both engines: no table is read whole, and no page
//! needs a sort of more than its own rows.

use crate::support::lists::{LISTS, root_list};
use crate::support::{
    Company, both_engines, credits, definitions, entitlements, experiments, gifts, host_reports, licences, rows, sql,
    usage,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::json;
use std::mem::take;
use std::sync::{Arc, Mutex};

both_engines!(
    every_list_is_read_by_an_index_in_its_order,
    every_filter_of_one_value_searches_an_index,
    an_external_id_is_searched_by_an_index,
    the_backlog_is_counted_by_an_index,
    rows_that_others_point_to_are_found_by_an_index,
    revenue_is_read_by_an_index,
    figures_of_recurring_revenue_search_indexes,
    a_licence_is_found_by_its_key,
);

/// Explains what a document runs.
struct Explained<'a> {
    test: &'a Company<40>,
    seen: Arc<Mutex<Vec<Statement>>>,
}

/// The plan of one statement, line by line.
struct Plan {
    sql: String,
    lines: Vec<String>,
}

impl<'a> Explained<'a> {
    async fn new(test: &'a Company<40>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        test.app.db.observe(move |statement| kept.lock().unwrap().push(statement.clone()));
        licences::for_some(&test.app).await;
        usage::for_some(&test.app).await;
        entitlements::for_some(&test.app).await;
        experiments::for_some(&test.app).await;
        host_reports::for_some(&test.app).await;
        definitions::for_some(&test.app).await;
        gifts::for_some(&test.app).await;
        credits::for_some(&test.app).await;
        rows::calls(&test.app, 30).await;
        if test.db().get_database_backend() == DbBackend::Postgres {
            sql::execute(test.db(), "ANALYZE").await;
        }
        test.admin().data("{ viewer { role } }", json!({})).await;
        test.user("user_1").data("{ viewer { role } }", json!({})).await;
        Explained { test, seen }
    }

    /// The plans of the statements that `document` runs for an admin.
    async fn plans(&self, document: &str, sorted: bool) -> Vec<Plan> {
        self.seen.lock().unwrap().clear();
        self.test.admin().data(document, json!({})).await;
        self.explain(sorted).await
    }

    async fn explain(&self, sorted: bool) -> Vec<Plan> {
        let statements = take(&mut *self.seen.lock().unwrap());
        assert!(!statements.is_empty());
        let txn = self.test.db().begin().await.unwrap();
        let word = match txn.get_database_backend() {
            DbBackend::Postgres => {
                // So that a plan shows what can be done without, whatever the size of the tables.
                let sorts = if sorted { &[][..] } else { &["enable_sort", "enable_incremental_sort"] };
                for setting in ["enable_seqscan", "enable_bitmapscan", "jit"].iter().chain(sorts) {
                    txn.execute_unprepared(&format!("SET LOCAL {setting} = off")).await.unwrap();
                }
                "EXPLAIN"
            }
            _ => "EXPLAIN QUERY PLAN",
        };
        let mut plans = Vec::new();
        for Statement { sql, values, db_backend } in statements {
            let explain = Statement { sql: format!("{word} {sql}"), values, db_backend };
            let rows = txn.query_all_raw(explain).await.unwrap();
            let line = |row: &sea_orm::QueryResult| match db_backend {
                DbBackend::Postgres => row.try_get_by_index(0).unwrap(),
                _ => row.try_get("", "detail").unwrap(),
            };
            plans.push(Plan { sql, lines: rows.iter().map(line).collect() });
        }
        txn.rollback().await.unwrap();
        self.seen.lock().unwrap().clear();
        plans
    }
}

impl Plan {
    /// Tables that are read whole, row by row.
    fn scans(&self) -> Vec<&str> {
        let whole = |line: &&String| {
            // SQLite scans without an index a table, or the ids of the parents, which are a table of their own.
            let sqlite = line.starts_with("SCAN ") && !line.contains(" USING ") && !line.contains("VIRTUAL TABLE");
            let ours = ["SCAN k", "SCAN CONSTANT ROW", "SCAN state", "SCAN (subquery", "SCAN ranked", "SCAN ends"]
                .iter()
                .any(|ids| line.starts_with(ids));
            // And the marked days, which are few.
            (sqlite && !ours && !["SCAN m", "SCAN marked"].contains(&line.as_str())) || line.contains("Seq Scan on")
        };
        self.lines.iter().filter(whole).map(String::as_str).collect()
    }

    /// Sorts of what the statement reads.
    fn sorts(&self) -> Vec<&str> {
        let sort = |line: &&String| {
            line.contains("USE TEMP B-TREE FOR ORDER BY")
                || line.trim_start_matches(['-', '>', ' ']).starts_with("Sort ")
        };
        self.lines.iter().filter(sort).map(String::as_str).collect()
    }

    /// True if an index is searched for a value, false if it is read from one end.
    fn searches(&self, column: &str) -> bool {
        let sqlite = |line: &String| {
            line.starts_with("SEARCH ")
                && [format!("({column}"), format!("AND {column}")].iter().any(|word| line.contains(word))
        };
        let postgres = |line: &String| line.contains("Index Cond:") && line.contains(column);
        self.lines.iter().any(|line| sqlite(line) || postgres(line))
    }

    fn assert_indexed(&self, sorted: bool, document: &str) {
        assert!(self.scans().is_empty(), "{document}\n{}\n{}", self.sql, self.lines.join("\n"));
        assert!(sorted || self.sorts().is_empty(), "{document}\n{}\n{}", self.sql, self.lines.join("\n"));
    }
}

/// A placeholder for an object with many children.
async fn ids(test: &Company<40>, owner: &str) -> String {
    let table = root_list(owner).unwrap().rows.1;
    let ids = sql::ids(test.db(), &format!("SELECT id FROM {table} ORDER BY id LIMIT 5"), []).await;
    let ids = ids.into_iter().map(|id| format!("\"{}\"", crate::support::company::global_id(owner, id)));
    ids.collect::<Vec<_>>().join(", ")
}

async fn every_list_is_read_by_an_index_in_its_order(test: &Company<40>) {
    let explained = Explained::new(test).await;
    for list in LISTS {
        let (owner, field) = list.field;
        // The rows of all accounts of one person are sorted: several lists become one.
        // And there are few versions of a plan, and few states of a subscription.
        let few = [("Plan", "versions"), ("Subscription", "history")].contains(&list.field);
        let sorted = ["User", "Viewer"].contains(&owner) || few;
        for page in ["first: 10", "last: 10"] {
            let arguments =
                if list.arguments.is_empty() { page.to_owned() } else { format!("{page}, {}", list.arguments) };
            let rows = format!("{field}({arguments}) {{ nodes {{ id }} pageInfo {{ endCursor }} }}");
            let document = match owner {
                "Query" => format!("{{ {rows} }}"),
                "Viewer" => format!("{{ viewer {{ {rows} }} }}"),
                _ => format!("{{ nodes(ids: [{}]) {{ ... on {owner} {{ {rows} }} }} }}", ids(test, owner).await),
            };
            for plan in explained.plans(&document, sorted).await {
                plan.assert_indexed(sorted, &document);
            }
        }
        // And the page behind another.
        if owner == "Query" && !["api_keys", "publishable_keys", "security_events"].contains(&list.rows.1) {
            let document = format!("{{ {field}(first: 2) {{ pageInfo {{ endCursor }} }} }}");
            let end = test.admin().data(&document, json!({})).await[field]["pageInfo"]["endCursor"].take();
            let document = format!("{{ {field}(first: 2, after: {end}) {{ nodes {{ id }} }} }}");
            for plan in explained.plans(&document, false).await {
                plan.assert_indexed(false, &document);
                assert!(plan.searches(list.order.0), "{document}\n{}\n{}", plan.sql, plan.lines.join("\n"));
            }
        }
    }
}

async fn every_filter_of_one_value_searches_an_index(test: &Company<40>) {
    let explained = Explained::new(test).await;
    let some = "0AAAAAAA-0000-7000-8000-000000000000";
    let user = crate::support::company::global_id("User", some.parse().unwrap());
    let user = format!("{{entityId: \"{user}\"}}");
    const SPAN: &str = "{from: \"2025-12-01T00:00:00Z\", to: \"2025-12-03T00:00:00Z\"}";
    for (field, filter, column) in [
        ("users", "{email: \"a@example.com\"}", "email_normalized"),
        ("users", "{role: ADMIN}", "role"),
        ("users", "{createdAt: SPAN}", "created_at"),
        ("accounts", "{kind: TEAM}", "kind"),
        ("accounts", "{reference: {refType: \"a\", refId: \"b\"}}", "ref_id"),
        ("accounts", "{createdAt: SPAN}", "created_at"),
        ("subscriptions", "{status: PAST_DUE}", "status"),
        ("subscriptions", "{createdAt: SPAN}", "created_at"),
        ("providerCustomers", "{provider: PADDLE}", "provider"),
        ("providerCustomers", "{delinquent: true}", "delinquent"),
        ("payments", "{status: FAILED}", "status"),
        ("payments", "{stream: GIFT}", "stream"),
        ("payments", "{createdAt: SPAN}", "created_at"),
        ("refunds", "{status: DENIED}", "status"),
        ("refunds", "{createdAt: SPAN}", "created_at"),
        ("providerCalls", "{state: REFUSED}", "state"),
        ("providerCalls", "{createdAt: SPAN}", "created_at"),
        ("gifts", "{status: REFUNDED}", "status"),
        ("gifts", "{createdAt: SPAN}", "created_at"),
        ("invoices", "{status: OPEN}", "status"),
        ("invoices", "{createdAt: SPAN}", "created_at"),
        ("licenseKeys", "{status: REVOKED}", "status"),
        ("licenseKeys", "{source: PURCHASE}", "source"),
        ("licenseKeys", "{issuedAt: SPAN}", "created_at"),
        ("webhookEvents", "{state: PARKED}", "state"),
        ("webhookEvents", "{eventType: \"nothing.known\"}", "kind"),
        ("webhookEvents", "{provider: PADDLE}", "provider"),
        ("webhookEvents", "{receivedAt: SPAN}", "received_at"),
        ("securityEvents", "{severity: HIGH}", "severity"),
        ("securityEvents", "{suspicion: WEBHOOK_FORGED}", "kind"),
        ("securityEvents", "{lastAt: SPAN}", "last_at"),
        ("auditLog", "{actor: \"user:x\"}", "actor"),
        ("auditLog", "{action: \"plans.create\"}", "action"),
        ("auditLog", &user, "entity_id"),
        ("auditLog", "{at: SPAN}", "at"),
    ] {
        let filter = filter.replace("SPAN", SPAN);
        let document = format!("{{ {field}(first: 10, filter: {filter}) {{ nodes {{ id }} }} }}");
        for plan in explained.plans(&document, false).await {
            plan.assert_indexed(false, &document);
            assert!(plan.searches(column), "{document}\n{}\n{}", plan.sql, plan.lines.join("\n"));
        }
        let document = format!("{{ {field}(first: 0, filter: {filter}) {{ totalCount }} }}");
        for plan in explained.plans(&document, true).await {
            plan.assert_indexed(true, &document);
            assert!(plan.searches(column), "{document}\n{}\n{}", plan.sql, plan.lines.join("\n"));
        }
    }
}

async fn an_external_id_is_searched_by_an_index(test: &Company<40>) {
    let explained = Explained::new(test).await;
    // The result is one row, or the few events of one object: these can be sorted.
    for (field, filter, column) in [
        ("subscriptions", "{externalId: \"sub_1\"}", "external_id"),
        ("payments", "{externalId: \"pi_1\"}", "external_id"),
        ("invoices", "{externalId: \"in_1\"}", "external_id"),
        ("providerCustomers", "{externalId: \"cus_1\"}", "external_id"),
        ("webhookEvents", "{externalId: \"evt_1\"}", "external_id"),
        ("webhookEvents", "{objectId: \"sub_1\"}", "object_id"),
    ] {
        for asked in ["first: 10", "last: 10"] {
            let document = format!("{{ {field}({asked}, filter: {filter}) {{ totalCount nodes {{ id }} }} }}");
            for plan in explained.plans(&document, true).await {
                plan.assert_indexed(true, &document);
                assert!(plan.searches(column), "{document}\n{}\n{}", plan.sql, plan.lines.join("\n"));
            }
        }
    }
}

async fn the_backlog_is_counted_by_an_index(test: &Company<40>) {
    let explained = Explained::new(test).await;
    for document in [
        "{ inbox { received failed parked waiting oldestUnappliedAt } }",
        "{ webhookEvents(first: 10, filter: {waiting: true}) { totalCount nodes { id } } }",
    ] {
        for plan in explained.plans(document, false).await {
            plan.assert_indexed(false, document);
            // The events that wait have an index of their own.
            let text = plan.lines.join("\n");
            assert!(text.contains("ixp_inbox_events_"), "{document}\n{}\n{text}", plan.sql);
        }
    }
}

async fn rows_that_others_point_to_are_found_by_an_index(test: &Company<40>) {
    let explained = Explained::new(test).await;
    for document in [
        "{ users(first: 5) { nodes { ownAccount { id } subscription { plan { code } price { id } items { price { id } } } } } }",
        "{ accounts(first: 5) { nodes { owner { id } subscription { id } creditBalances { unit { code } }
            creditBalance(unit: \"credit\") { id } creditGrants(first: 2) { nodes { unit { code } purchase { id } } }
            ledgerEntries(unit: \"credit\", first: 2) { nodes { transaction { id } grant { id } unit { id } } } } } }",
        "{ payments(first: 5) { nodes { account { id } subscription { id } invoice { id } disputes { id } } } }",
        "{ subscriptions(first: 5) { nodes { items { providerPrice { price { id } version { id } } }
            scheduledChanges { plan { id } price { id } } } } }",
        "{ plans(first: 5) { nodes { currentVersion { providerPrices { id } prices { providerPrices { id } } } } } }",
        "{ subscriptions(first: 5) { nodes { history { nodes { event { id } planVersion { versionOf { id } } } } } } }",
        "{ plans(first: 5) { nodes { currentVersion { prices { id } features { feature { id } }
            creditAllowances { unit { id } } } } } }",
        "{ coupons(first: 5) { nodes { promoCodes { coupon { id } } redemptions { nodes { account { id } } } } } }",
        "{ licenseKeys(first: 5) { nodes { account { id } purchase { id } devices { totalCount nodes { licenseKey { id }
            account { id } } } } } }",
        "{ accounts(first: 5) { nodes { payments { totalCount } members { totalCount nodes { user { id } } } } } }",
    ] {
        for plan in explained.plans(document, true).await {
            plan.assert_indexed(true, document);
        }
    }
    // And what one user sees of it, by way of their accounts.
    for field in [
        "users",
        "accounts",
        "subscriptions",
        "payments",
        "refunds",
        "invoices",
        "coupons",
        "providerCustomers",
        "licenseKeys",
    ] {
        let document = format!("{{ {field}(first: 5) {{ nodes {{ id }} totalCount }} }}");
        explained.seen.lock().unwrap().clear();
        test.user("user_1").data(&document, json!({})).await;
        for plan in explained.explain(true).await {
            plan.assert_indexed(true, &document);
        }
    }
}

async fn revenue_is_read_by_an_index(test: &Company<40>) {
    let explained = Explained::new(test).await;
    let document = "{ analytics { revenue(from: \"2025-11-01\", to: \"2025-12-01\") { startsOn } } }";
    let plans = explained.plans(document, true).await;
    assert_eq!(plans.len(), 1);
    plans[0].assert_indexed(true, document);
    // On PostgreSQL any index serves for a table of one dispute.
    let is_sqlite = test.db().get_database_backend() == DbBackend::Sqlite;
    for column in ["day", "paid_at", "processed_at"].into_iter().chain(is_sqlite.then_some("closed_at")) {
        assert!(plans[0].searches(column), "{column} {}\n{}", plans[0].sql, plans[0].lines.join("\n"));
    }
}

async fn figures_of_recurring_revenue_search_indexes(test: &Company<40>) {
    let explained = Explained::new(test).await;
    let account = ids(test, "Account").await.split(", ").next().unwrap().to_owned();
    let range = "from: \"2025-11-01\", to: \"2025-12-01\"";
    for (figure, columns) in [
        (format!("movements({range}) {{ startsOn }}"), &["discounts"][..]),
        (format!("rates({range}) {{ netRetention }}"), &["discounts"]),
        (format!("cohorts({range}) {{ startsOn }}"), &["discounts"]),
        (format!("cohorts({range}, period: WEEK) {{ startsOn }}"), &["discounts", "account_id"]),
        (format!("customerMovements(accountId: {account}) {{ day }}"), &["account_id"]),
        (format!("trialCohorts({range}) {{ startsOn }}"), &["trial_start"]),
    ] {
        let plans = explained.plans(&format!("{{ analytics {{ {figure} }} }}"), true).await;
        plans.iter().for_each(|plan| plan.assert_indexed(true, &figure));
        for column in columns {
            assert!(plans.iter().any(|plan| plan.searches(column)), "{column} {figure}");
        }
    }
    // It goes through the days of the range, and looks up the plan of each payment.
    let plans = explained.plans(&format!("{{ analytics {{ revenueByPlan({range}) {{ startsOn }} }} }}"), true).await;
    for column in ["paid_at", "subscription_id"] {
        assert!(plans.iter().any(|plan| plan.searches(column)), "{column}");
    }
    // It sums all balances, and goes back from there.
    let credits = format!("{{ analytics {{ creditSummaries({range}) {{ sold }} }} }}");
    let plans = explained.plans(&credits, true).await;
    for column in ["effective_at", "next_due_at"] {
        assert!(plans.iter().any(|plan| plan.searches(column)), "{column}");
    }
}

async fn a_licence_is_found_by_its_key(test: &Company<40>) {
    let explained = Explained::new(test).await;
    let prefix = sql::column::<String>(test.db(), "SELECT prefix FROM license_keys", []).await.remove(0);
    // There is one at most, whose place in an order needs no index.
    let document = format!("{{ licenseKeys(filter: {{keyPrefix: \"{prefix}\"}}) {{ nodes {{ id }} }} }}");
    let plans = explained.plans(&document, true).await;
    assert_eq!(plans.len(), 1);
    assert!(plans[0].searches("prefix"), "{}\n{}", plans[0].sql, plans[0].lines.join("\n"));
}
