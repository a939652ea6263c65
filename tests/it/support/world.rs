//! People with rows of every kind, each labelled with whose it is.

use super::TestApp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, FixedOffset};
use entity::*;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The global id of a row.
pub(crate) fn global_id(ty: &str, id: Uuid) -> String {
    STANDARD.encode(format!("{ty}:{id}"))
}

/// The type and the id in the table behind a global id.
pub(crate) fn local_id(id: &str) -> (String, Uuid) {
    let text = String::from_utf8(STANDARD.decode(id).unwrap()).unwrap();
    let (ty, id) = text.split_once(':').unwrap();
    (ty.to_owned(), id.parse().unwrap())
}

/// Alice and Bob share an account, which Carol has left; Eve is nobody to them.
///
/// Labels: `alice` and so on for what hangs on someone's own account, `shared` for the shared one, `user alice` for the
/// people, `public` and `draft` for the catalogue, `office` for what belongs to nobody.
pub(crate) struct World {
    labels: BTreeMap<String, String>,
    pub(crate) shared: Uuid,
}

/// Returns the labels that `test.user(name)` can see: no other may appear in a response.
pub(crate) fn theirs(name: &str) -> BTreeSet<&str> {
    match name {
        "alice" | "bob" => BTreeSet::from(["public", "user alice", "user bob", "shared", name]),
        "carol" => BTreeSet::from(["public", "user carol", name]),
        "eve" => BTreeSet::from(["public", "user eve", name]),
        _ => BTreeSet::from(["public"]),
    }
}

impl World {
    /// Makes it.
    pub(crate) async fn make(test: &TestApp) -> World {
        let mut world = World { labels: BTreeMap::new(), shared: test.app.new_id() };
        world.catalogue(test).await;
        let db = test.app.db.schema();
        let at = test.app.now().fixed_offset();
        let mut people = BTreeMap::new();
        for name in ["alice", "bob", "carol", "eve"] {
            let query = "{ viewer { user { id } account { id members { nodes { id } } } } }";
            let viewer = test.user(name).data(query, json!({})).await["viewer"].take();
            world.label("user ", name, &viewer["user"]["id"]);
            world.label("", name, &viewer["account"]["id"]);
            world.label("", name, &viewer["account"]["members"]["nodes"][0]["id"]);
            let (_, user) = local_id(viewer["user"]["id"].as_str().unwrap());
            let email = users::ActiveModel {
                id: Set(user),
                email: Set(Some(format!("{name}@example.com"))),
                email_normalized: Set(Some(format!("{name}@example.com"))),
                ..Default::default()
            };
            users::Entity::update(email).exec(db).await.unwrap();
            people.insert(name, (user, local_id(viewer["account"]["id"].as_str().unwrap()).1));
        }
        world.share(db, at, &people).await;
        for (label, account) in [("alice", people["alice"].1), ("shared", world.shared), ("eve", people["eve"].1)] {
            world.bill(test, label, account).await;
        }
        world.office(test).await;
        world
    }

    /// Returns the labels of the rows in a response.
    pub(crate) fn seen(&self, answer: &Value) -> BTreeSet<&str> {
        match answer {
            Value::String(text) => self.labels.get(text).map(String::as_str).into_iter().collect(),
            Value::Array(values) => values.iter().flat_map(|value| self.seen(value)).collect(),
            Value::Object(fields) => fields.values().flat_map(|value| self.seen(value)).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// The global ids of every row of a type.
    pub(crate) fn ids(&self, ty: &str) -> Vec<&str> {
        self.labels.keys().filter(|id| local_id(id).0 == ty).map(String::as_str).collect()
    }

    /// The global id of the row of a type with this label, the oldest of several.
    pub(crate) fn id(&self, ty: &str, label: &str) -> &str {
        let of_type = self.ids(ty).into_iter().filter(|id| self.labels[*id] == label);
        of_type.min_by_key(|id| local_id(id).1).unwrap_or_else(|| panic!("no {ty} is {label}"))
    }

    fn label(&mut self, prefix: &str, name: &str, id: &Value) {
        self.labels.insert(id.as_str().unwrap().to_owned(), format!("{prefix}{name}"));
    }

    fn put(&mut self, label: &str, ty: &str, id: Uuid) {
        self.labels.insert(global_id(ty, id), label.to_owned());
    }

    async fn catalogue(&mut self, test: &TestApp) {
        let admin = test.admin();
        let unit = "mutation { createCreditUnit(input: {code: \"credit\", name: \"Credits\"}) { creditUnit { id } } }";
        let unit = admin.data(unit, json!({})).await;
        self.label("", "public", &unit["createCreditUnit"]["creditUnit"]["id"]);
        let feature =
            "mutation { createFeature(input: {code: \"export\", kind: SWITCH, name: \"E\"}) { feature { id } } }";
        let feature = admin.data(feature, json!({})).await;
        self.label("", "public", &feature["createFeature"]["feature"]["id"]);
        let meter = super::usage::meter_row(&test.app, "tokens").await;
        self.put("public", "Meter", meter);
        let (_, unit) = local_id(self.id("CreditUnit", "public"));
        self.put("public", "RateCard", super::usage::card_row(&test.app, meter, unit, "a").await);
        for (code, label) in [("sold", "public"), ("hidden", "draft")] {
            let plan = "mutation($code: String!) {
                createPlan(input: {code: $code, kind: PLAN, name: \"P\", rank: 1}) { plan { id } } }";
            let plan = admin.data(plan, json!({"code": code})).await["createPlan"]["plan"]["id"].take();
            self.label("", label, &plan);
            if label == "public" {
                self.version(test, &plan, true).await;
            }
            self.version(test, &plan, false).await;
        }
    }

    async fn version(&mut self, test: &TestApp, plan: &Value, publish: bool) {
        const CREATE: &str = "mutation($plan: ID!) { createPlanVersion(input: {planId: $plan,
            prices: [{currency: \"USD\", unitAmount: 900, interval: MONTH}], features: [{feature: \"export\"}],
            creditAllowances: [{unit: \"credit\", amount: 5, cadence: MONTH}]}) {
                planVersion { id prices { id } features { id } creditAllowances { id } } userErrors { message } } }";
        const PUBLISH: &str =
            "mutation($id: ID!) { publishPlanVersion(input: {planVersionId: $id}) { userErrors { message } } }";
        let label = if publish { "public" } else { "draft" };
        let version = test.admin().data(CREATE, json!({"plan": plan})).await["createPlanVersion"]["planVersion"].take();
        self.label("", label, &version["id"]);
        for part in ["prices", "features", "creditAllowances"] {
            self.label("", label, &version[part][0]["id"]);
        }
        if publish {
            test.admin().data(PUBLISH, json!({"id": version["id"]})).await;
        }
    }

    async fn share(
        &mut self,
        db: &DatabaseConnection,
        at: DateTime<FixedOffset>,
        people: &BTreeMap<&str, (Uuid, Uuid)>,
    ) {
        let account = accounts::ActiveModel {
            id: Set(self.shared),
            kind: Set("couple".to_owned()),
            owner_id: Set(people["alice"].0),
            ref_type: Set(Some("household".to_owned())),
            ref_id: Set(Some("7".to_owned())),
            created_at: Set(at),
            ..Default::default()
        };
        accounts::Entity::insert(account).exec_without_returning(db).await.unwrap();
        self.put("shared", "Account", self.shared);
        for (name, role, left) in [("alice", "owner", None), ("bob", "member", None), ("carol", "member", Some(at))] {
            let id = Uuid::from_u128(people[name].0.as_u128() ^ 1);
            let member = account_members::ActiveModel {
                id: Set(id),
                account_id: Set(self.shared),
                user_id: Set(people[name].0),
                role: Set(role.to_owned()),
                joined_at: Set(at),
                left_at: Set(left),
            };
            account_members::Entity::insert(member).exec_without_returning(db).await.unwrap();
            self.put("shared", "AccountMember", id);
        }
    }

    /// One row of everything that an account can have.
    async fn bill(&mut self, test: &TestApp, label: &str, account: Uuid) {
        let db = test.app.db.schema();
        let event = super::rows::event(&test.app).await;
        self.put("office", "WebhookEvent", event);
        let (_, version) = local_id(self.id("PlanVersion", "public"));
        let (_, price) = local_id(self.id("Price", "public"));
        for (ty, id) in super::rows::billing(&test.app, account, (version, price), event).await {
            let label = match ty {
                // Anyone who may see codes might use them.
                "PromoCode" => "office",
                // Products and their prices at the provider are public.
                "ProviderPrice" => "public",
                _ => label,
            };
            self.put(label, ty, id);
        }
        let (licence, _) = super::licences::issued(&test.app, account).await;
        self.put(label, "LicenseKey", licence);
        self.put(label, "Device", super::licences::device(&test.app, account, licence).await);
        let grant = "mutation($account: ID!, $key: String!) {
            grantCredits(input: {accountId: $account, unit: \"credit\", amount: 5, idempotencyKey: $key}) {
                userErrors { message } } }";
        test.admin().data(grant, json!({"account": global_id("Account", account), "key": label})).await;
        let hold = "mutation($account: ID!, $key: String!) {
            holdCredits(input: {accountId: $account, unit: \"credit\", amount: 1, expiresAt: \"2026-12-01T00:00:00Z\",
                idempotencyKey: $key}) { creditHold { id } } }";
        let key = format!("hold {label}");
        let held = test.admin().data(hold, json!({"account": global_id("Account", account), "key": key})).await;
        self.label("", label, &held["holdCredits"]["creditHold"]["id"]);
        let (_, meter) = local_id(self.id("Meter", "public"));
        let (_, feature) = local_id(self.id("Feature", "public"));
        let given = super::entitlements::override_row(&test.app, account, feature).await;
        self.put(label, "EntitlementOverride", given);
        for (ty, id) in super::usage::rows(&test.app, account, meter).await {
            self.put(label, ty, id);
        }
        macro_rules! label {
            ($($ty:literal $table:ident,)*) => {$(
                let rows = $table::Entity::find().filter($table::Column::AccountId.eq(account)).all(db).await.unwrap();
                rows.iter().for_each(|row| self.put(label, $ty, row.id));
            )*};
        }
        label! {
            "CreditBalance" balances,
            "CreditGrant" credit_grants,
            "LedgerEntry" ledger_entries,
            "LedgerTransaction" ledger_txns,
        }
    }

    /// Creates rows without an owner: a security event, an API key, and the audit log of all the above.
    async fn office(&mut self, test: &TestApp) {
        let key = "mutation { createApiKey(input: {name: \"k\", scopes: [\"audit:read\"]}) { apiKey { id } } }";
        let key = test.admin().data(key, json!({})).await;
        self.label("", "office", &key["createApiKey"]["apiKey"]["id"]);
        self.label("", "office", &super::pages::publishable_key(test, &["https://a.example"]).await["id"]);
        for event in super::insert_security_events(&test.app, 1).await {
            self.put("office", "SecurityEvent", event);
        }
        self.put("office", "RateLimit", super::entitlements::rate_limit_row(&test.app, "logins").await);
        self.put("office", "Experiment", super::experiments::row(&test.app, "checkout").await);
        let (group, error) = super::host_reports::group(&test.app, 1, &[None]).await;
        self.put("office", "ErrorGroup", group);
        self.put("office", "LoggedError", error);
        self.put("office", "EmailCampaign", super::host_reports::campaign(&test.app, 1).await);
        self.put("office", "Funnel", super::definitions::funnel(&test.app, "checkout").await);
        self.put("office", "EngagementScore", super::definitions::score(&test.app, "checkout").await);
        for call in super::rows::calls(&test.app, 1).await {
            self.put("office", "ProviderCall", call);
        }
        for entry in audit_log::Entity::find().all(test.app.db.schema()).await.unwrap() {
            self.put("office", "AuditLogEntry", entry.id);
        }
    }
}
