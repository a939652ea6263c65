//! A Tollgate over the company that `tollgate seed` makes, at the tests' own instant.

use super::{Subject, TestApp, TestDatabase};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::DatabaseConnection;
use std::ops::Deref;
use uuid::Uuid;

/// A Tollgate with so many users, and everything that happened to them.
pub(crate) struct Company<const USERS: u64>(TestApp);

impl<const USERS: u64> Subject for Company<USERS> {
    async fn start(database: &TestDatabase) -> Self {
        let test = TestApp::start(database).await;
        // The tokens of the tests name no issuer.
        let issuer = String::new();
        let plan = seed::Plan { users: USERS, seed: 18, now: test.app.now(), issuer };
        seed::seed(test.app.db.schema(), &plan, |_| {}).await.unwrap();
        Company(test)
    }

    async fn finish(self) {
        self.0.finish().await;
    }
}

impl<const USERS: u64> Deref for Company<USERS> {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.0
    }
}

impl<const USERS: u64> Company<USERS> {
    /// Adds rows of the kinds that a company has few or none of: licences, gifts, disputes, discounts, changes of revenue,
    /// security events and requests to Stripe.
    pub(crate) async fn complete(&self) {
        super::licences::for_some(&self.app).await;
        super::gifts::for_some(&self.app).await;
        super::usage::for_some(&self.app).await;
        super::entitlements::for_some(&self.app).await;
        super::experiments::for_some(&self.app).await;
        super::host_reports::for_some(&self.app).await;
        super::definitions::for_some(&self.app).await;
        super::credits::for_some(&self.app).await;
        super::insert_security_events(&self.app, 40).await;
        super::rows::calls(&self.app, 40).await;
        let disputes = "INSERT INTO disputes (id, account_id, payment_id, provider, external_id, status, currency, \
            amount_minor, created_at) SELECT id, account_id, id, provider, 'dp_' || external_id, 'needs_response', \
            currency, amount_minor, created_at FROM payments WHERE amount_minor > 0 ORDER BY id LIMIT 3";
        super::sql::execute(self.db(), disputes).await;
        let discounts = "INSERT INTO subscription_discounts (id, account_id, subscription_id, external_id, scope, \
            duration, percent_basis_points, per_unit, starts_at, created_at) SELECT id, account_id, id, \
            'di_more_' || external_id, 'subscription', 'forever', 1000, FALSE, created_at, created_at \
            FROM subscriptions ORDER BY id LIMIT 3";
        super::sql::execute(self.db(), discounts).await;
        let changes = "INSERT INTO subscription_arr_changes (id, account_id, subscription_version_id, effective_at, \
            currency, arr_minor, discounted_arr_minor) SELECT id, account_id, id, effective_at, currency, arr_minor, \
            discounted_arr_minor FROM subscription_versions ORDER BY id LIMIT 40";
        super::sql::execute(self.db(), changes).await;
    }

    /// The connection on which the tests look for themselves.
    pub(crate) fn db(&self) -> &DatabaseConnection {
        self.app.db.schema()
    }
}

/// The global id of a row of a type of the API.
pub(crate) fn global_id(name: &str, id: Uuid) -> String {
    STANDARD.encode(format!("{name}:{id}"))
}

/// The id in the table behind a global id.
pub(crate) fn local_id(id: &serde_json::Value) -> Uuid {
    let text = String::from_utf8(STANDARD.decode(id.as_str().unwrap()).unwrap()).unwrap();
    text.split_once(':').unwrap().1.parse().unwrap()
}
