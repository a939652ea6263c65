//! Every list of the API, and the same list in SQL.

use super::company::{global_id, local_id};
use super::{TestApp, sql};
use sea_orm::{DatabaseConnection, Value as SqlValue};
use serde_json::Value;
use uuid::Uuid;

/// A list of the API, and the same list in SQL.
pub(crate) struct List {
    /// The type with the field, and the field.
    pub(crate) field: (&'static str, &'static str),
    /// Arguments beside those for the page.
    pub(crate) arguments: &'static str,
    /// The type of the rows, and their table.
    pub(crate) rows: (&'static str, &'static str),
    /// Which rows of the table; `$1` is the parent.
    belong: &'static str,
    /// The column that sorts, and the word for it in `orderBy` where there is one.
    pub(crate) order: (&'static str, Option<&'static str>),
    /// The default direction: largest first.
    pub(crate) descending: bool,
}

/// The accounts of the user `$1`.
macro_rules! accounts_of_user {
    ($column:literal) => {
        concat!($column, " IN (SELECT account_id FROM account_members WHERE user_id = $1 AND left_at IS NULL)")
    };
}

macro_rules! lists {
    ($($owner:ident.$field:ident $(($arguments:literal))? -> $name:ident $table:ident
        where $belong:expr, by $direction:ident $column:ident $(as $word:ident)?;)*) => {
        pub(crate) const LISTS: &[List] = &[$(List {
            field: (stringify!($owner), stringify!($field)),
            arguments: concat!("", $($arguments)?),
            rows: (stringify!($name), stringify!($table)),
            belong: $belong,
            order: (stringify!($column), lists!(@word $($word)?)),
            descending: lists!(@$direction),
        }),*];
    };
    (@word) => { None };
    (@word $word:ident) => { Some(stringify!($word)) };
    (@desc) => { true };
    (@asc) => { false };
}

lists! {
    Query.plans("filter: {kind: [PLAN, ADDON, CREDIT_PACK, GIFT]}") -> Plan products where "active", by asc rank as RANK;
    Query.users -> User users where "TRUE", by desc created_at as CREATED_AT;
    Query.accounts -> Account accounts where "TRUE", by desc created_at as CREATED_AT;
    Query.subscriptions -> Subscription subscriptions where "TRUE", by desc created_at as CREATED_AT;
    Query.providerCustomers -> ProviderCustomer provider_customers where "TRUE", by desc created_at as CREATED_AT;
    Query.payments -> Payment payments where "TRUE", by desc created_at as CREATED_AT;
    Query.refunds -> Refund refunds where "TRUE", by desc created_at as CREATED_AT;
    Query.gifts -> Gift gifts where "TRUE", by desc created_at as CREATED_AT;
    Query.invoices -> Invoice invoices where "TRUE", by desc created_at as CREATED_AT;
    Query.coupons -> Coupon coupons where "TRUE", by desc created_at as CREATED_AT;
    Query.webhookEvents -> WebhookEvent inbox_events where "TRUE", by desc received_at as RECEIVED_AT;
    Query.providerCalls -> ProviderCall outbox_calls where "TRUE", by desc created_at as CREATED_AT;
    Query.auditLog -> AuditLogEntry audit_log where "TRUE", by desc at as AT;
    Query.licenseKeys -> LicenseKey license_keys where "TRUE", by desc created_at as ISSUED_AT;
    Query.securityEvents -> SecurityEvent security_events where "TRUE", by desc last_at as LAST_AT;
    Query.meters -> Meter meters where "TRUE", by desc created_at as CREATED_AT;
    Query.rateCards -> RateCard rate_cards where "TRUE", by desc created_at as CREATED_AT;
    Query.apiKeys -> ApiKey api_keys where "TRUE", by desc created_at;
    Query.publishableKeys -> PublishableKey publishable_keys where "TRUE", by desc created_at;
    Query.experiments -> Experiment experiments where "TRUE", by desc created_at;
    Query.emailCampaigns -> EmailCampaign email_campaigns where "TRUE", by desc sent_at;
    Query.errorGroups -> ErrorGroup error_groups where "TRUE", by desc last_seen_at;
    ErrorGroup.errors -> LoggedError error_events where "error_group_id = $1", by desc occurred_at;
    Query.funnels -> Funnel funnels where "TRUE", by desc created_at;
    Query.engagementScores -> EngagementScore engagement_scores where "TRUE", by desc created_at;
    Query.rateLimits -> RateLimit rate_limit_rules where "TRUE", by desc created_at;
    Account.entitlementOverrides -> EntitlementOverride entitlement_overrides
        where "account_id = $1", by desc created_at;
    Account.members -> AccountMember account_members where "account_id = $1 AND left_at IS NULL", by asc joined_at;
    Account.subscriptions -> Subscription subscriptions where "account_id = $1", by desc created_at as CREATED_AT;
    Account.payments -> Payment payments where "account_id = $1", by desc created_at as CREATED_AT;
    Account.invoices -> Invoice invoices where "account_id = $1", by desc created_at as CREATED_AT;
    Account.refunds -> Refund refunds where "account_id = $1", by desc created_at as CREATED_AT;
    Account.gifts -> Gift gifts where "account_id = $1", by desc created_at as CREATED_AT;
    Account.redeemedGifts -> Gift gifts where "redeemed_account_id = $1", by desc created_at as CREATED_AT;
    Account.providerCustomers -> ProviderCustomer provider_customers
        where "account_id = $1", by desc created_at as CREATED_AT;
    Account.discountRedemptions -> DiscountRedemption discount_redemptions
        where "account_id = $1", by desc redeemed_at;
    Account.licenseKeys -> LicenseKey license_keys where "account_id = $1", by desc created_at as ISSUED_AT;
    Account.creditGrants -> CreditGrant credit_grants where "account_id = $1", by desc created_at as CREATED_AT;
    Account.creditHolds -> CreditHold credit_holds where "account_id = $1", by desc created_at as CREATED_AT;
    Account.ledgerEntries("unit: \"credit\"") -> LedgerEntry ledger_entries where "account_id = $1 \
        AND credit_unit_id = (SELECT id FROM credit_units WHERE code = 'credit') AND bucket = 'available'", by desc seq;
    Account.usageEvents -> UsageEvent usage_events where "account_id = $1", by desc occurred_at as OCCURRED_AT;
    Coupon.redemptions -> DiscountRedemption discount_redemptions where "coupon_id = $1", by desc redeemed_at;
    Invoice.payments -> Payment payments where "invoice_id = $1", by desc created_at as CREATED_AT;
    LicenseKey.devices -> Device devices where "license_key_id = $1 AND revoked_at IS NULL", by asc first_seen_at;
    Payment.refunds -> Refund refunds where "payment_id = $1", by desc created_at as CREATED_AT;
    Plan.versions -> PlanVersion product_versions where "product_id = $1", by desc number;
    Subscription.history -> SubscriptionVersion subscription_versions
        where "subscription_id = $1", by desc effective_at as EFFECTIVE_AT;
    Subscription.payments -> Payment payments where "subscription_id = $1", by desc created_at as CREATED_AT;
    Subscription.invoices -> Invoice invoices where "subscription_id = $1", by desc created_at as CREATED_AT;
    User.accounts -> Account accounts where accounts_of_user!("id"), by desc created_at as CREATED_AT;
    User.subscriptions -> Subscription subscriptions
        where accounts_of_user!("account_id"), by desc created_at as CREATED_AT;
    User.payments -> Payment payments where accounts_of_user!("account_id"), by desc created_at as CREATED_AT;
    Viewer.accounts -> Account accounts where accounts_of_user!("id"), by desc created_at as CREATED_AT;
}

/// Returns the root of the API that lists the objects of a type.
pub(crate) fn root_list(ty: &str) -> Option<&'static List> {
    LISTS.iter().find(|list| list.field.0 == "Query" && list.rows.0 == ty)
}

impl List {
    /// Returns the document for a page, in the default order or in the given direction.
    pub(crate) fn document(&self, descending: Option<bool>) -> String {
        let order = match (descending, self.order.1) {
            (Some(true), Some(word)) => format!("orderBy: {{field: {word}, direction: DESC}}"),
            (Some(false), Some(word)) => format!("orderBy: {{field: {word}, direction: ASC}}"),
            _ => String::new(),
        };
        self.asked(&format!("{} {order}", self.arguments))
    }

    /// Returns the document for a page of the filtered list.
    pub(crate) fn filtered(&self, filter: &str) -> String {
        self.asked(&format!("filter: {filter}"))
    }

    /// Returns the document for a page of the filtered list in a direction.
    pub(crate) fn filtered_by(&self, filter: &str, descending: Option<bool>) -> String {
        let direction = descending.map(|descending| if descending { "DESC" } else { "ASC" });
        let order =
            direction.zip(self.order.1).map(|(way, word)| format!("orderBy: {{field: {word}, direction: {way}}}"));
        self.asked(&format!("filter: {filter} {}", order.unwrap_or_default()))
    }

    /// Returns the condition for the rows of a parent, `$1`; the lists at the root hold every row.
    pub(crate) fn scope(&self) -> &'static str {
        if self.field.0 == "Query" { "TRUE" } else { self.belong }
    }

    fn asked(&self, arguments: &str) -> String {
        let (owner, field) = self.field;
        let list = format!(
            "list: {field}(first: $first, after: $after, last: $last, before: $before, {arguments}) {{ \
             nodes {{ id }} edges {{ cursor node {{ id }} }} totalCount \
             pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"
        );
        let page = "$first: Int, $after: String, $last: Int, $before: String";
        match owner {
            "Query" => format!("query({page}) {{ {list} }}"),
            "Viewer" => format!("query({page}) {{ viewer {{ {list} }} }}"),
            _ => format!("query({page}, $id: ID!) {{ node(id: $id) {{ ... on {owner} {{ {list} }} }} }}"),
        }
    }

    /// The ids of the rows, in order.
    pub(crate) async fn expected(&self, db: &DatabaseConnection, parent: Option<Uuid>, descending: bool) -> Vec<Uuid> {
        self.select(db, parent, self.belong, descending).await
    }

    /// Returns the ids of the rows that a condition keeps, in a direction.
    pub(crate) async fn select(
        &self,
        db: &DatabaseConnection,
        parent: Option<Uuid>,
        condition: &str,
        descending: bool,
    ) -> Vec<Uuid> {
        let ((_, table), (column, _)) = (self.rows, self.order);
        let way = if descending { "DESC" } else { "ASC" };
        let sql = format!("SELECT id FROM {table} WHERE {condition} ORDER BY {column} {way}, id {way}");
        sql::ids(db, &sql, parent.map(SqlValue::from)).await
    }

    /// Returns every object that has the list, those with most rows first.
    pub(crate) async fn all_parents(&self, db: &DatabaseConnection) -> Vec<Uuid> {
        let owner = self.field.0;
        let table = root_list(owner).unwrap_or_else(|| panic!("no root lists {owner}")).rows.1;
        let belong = self.belong.replace("$1", "parent.id");
        let count = format!("SELECT COUNT(*) FROM {} WHERE {belong}", self.rows.1);
        let sql = format!("SELECT parent.id FROM {table} AS parent ORDER BY ({count}) DESC, parent.id");
        sql::ids(db, &sql, []).await
    }

    /// Parents with many rows, with few, and with none.
    pub(crate) async fn parents(&self, db: &DatabaseConnection) -> Vec<Option<Uuid>> {
        match self.field.0 {
            "Query" => return vec![None],
            "Viewer" => {
                let user = "SELECT user_id FROM user_identities WHERE subject = 'user_1'";
                return sql::ids(db, user, []).await.into_iter().map(Some).collect();
            }
            _ => {}
        }
        let all = self.all_parents(db).await;
        let mut picked: Vec<_> = all.iter().take(2).chain(all.last()).copied().map(Some).collect();
        picked.dedup();
        picked
    }

    pub(crate) async fn page(&self, test: &TestApp, document: &str, parent: Option<Uuid>, page: Value) -> Value {
        let mut variables = page;
        if let Some(parent) = parent {
            variables["id"] = global_id(self.field.0, parent).into();
        }
        let mut data = match self.field.0 {
            "Viewer" => test.user("user_1").data(document, variables).await["viewer"].take(),
            "Query" => test.admin().data(document, variables).await,
            _ => test.admin().data(document, variables).await["node"].take(),
        };
        data["list"].take()
    }
}

/// The ids of a page's rows, which its nodes, edges and cursors agree on.
pub(crate) fn ids(page: &Value) -> Vec<Uuid> {
    let nodes: Vec<Uuid> = page["nodes"].as_array().unwrap().iter().map(|node| local_id(&node["id"])).collect();
    let edges = page["edges"].as_array().unwrap();
    assert_eq!(nodes, edges.iter().map(|edge| local_id(&edge["node"]["id"])).collect::<Vec<_>>());
    let ends = [edges.first(), edges.last()].map(|edge| edge.map_or(Value::Null, |edge| edge["cursor"].clone()));
    assert_eq!([&page["pageInfo"]["startCursor"], &page["pageInfo"]["endCursor"]], [&ends[0], &ends[1]]);
    nodes
}
