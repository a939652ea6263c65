//! Stories of single customers, each with the movements, rates and cohort that the definitions give it, worked out by hand:
//! at the ends of months and of a leap February, in currencies without decimals, with several subscriptions and currencies.

use crate::support::{TestApp, both_engines, global_id, local_id, sql};
use chrono::{DateTime, FixedOffset, TimeDelta};
use entity::{subscription_versions, subscriptions};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use uuid::Uuid;

both_engines!(
    changes_within_a_day_are_one_movement,
    an_instant_on_a_boundary_belongs_to_the_later_day,
    who_never_paid_never_moves,
    pauses_failures_and_free_plans_are_churn_with_their_causes,
    two_subscriptions_are_one_customer_in_each_currency,
    each_account_has_what_was_its_own_at_the_time,
    late_and_repeated_versions_leave_the_figures_alike,
    rates_of_a_month_are_those_worked_out_by_hand,
);

fn instant(text: &str) -> DateTime<FixedOffset> {
    let text = if text.len() == 10 { format!("{text}T12:00:00Z") } else { text.to_owned() };
    text.parse().unwrap()
}

/// A customer of a test.
struct Customer<'t> {
    test: &'t TestApp,
    account: Uuid,
}

impl<'t> Customer<'t> {
    async fn new(test: &'t TestApp, subject: &str) -> Customer<'t> {
        let me = test.user(subject).data("{ viewer { account { id } } }", json!({})).await;
        let account = local_id(me["viewer"]["account"]["id"].as_str().unwrap()).1;
        Customer { test, account }
    }

    /// A subscription that was paid first at `paid`, with its states: the time, the status, the yearly revenue and the
    /// currency.
    async fn subscribe(&self, paid: Option<&str>, states: &[(&str, &str, i64, &str)]) -> Uuid {
        let id = self.test.app.new_id();
        let began = instant(states[0].0);
        let row = subscriptions::ActiveModel {
            id: Set(id),
            account_id: Set(self.account),
            provider: Set("stripe".to_owned()),
            external_id: Set(id.to_string()),
            status: Set("active".to_owned()),
            started_at: Set(began),
            first_paid_at: Set(paid.map(instant)),
            created_at: Set(began),
            updated_at: Set(began),
            ..Default::default()
        };
        subscriptions::Entity::insert(row).exec_without_returning(self.test.app.db.schema()).await.unwrap();
        for state in states {
            self.state(id, *state).await;
        }
        id
    }

    async fn state(&self, subscription: Uuid, (at, status, arr, currency): (&str, &str, i64, &str)) {
        let (status, paused) = status.strip_suffix(" but paused").map_or((status, false), |status| (status, true));
        let row = subscription_versions::ActiveModel {
            id: Set(self.test.app.new_id()),
            account_id: Set(self.account),
            subscription_id: Set(subscription),
            effective_at: Set(instant(at)),
            recorded_at: Set(self.test.app.now().fixed_offset()),
            status: Set(status.to_owned()),
            paused: Set(paused),
            items: Set(json!([])),
            currency: Set(Some(currency.to_owned())),
            arr_minor: Set(Some(arr)),
            discounted_arr_minor: Set(Some(arr)),
            cause: Set("test".to_owned()),
            ..Default::default()
        };
        subscription_versions::Entity::insert(row).exec_without_returning(self.test.app.db.schema()).await.unwrap();
    }

    /// The movements as lines `day kind before after currency cause`, oldest first: of the account alone, which are computed,
    /// and of the list of all, before and after the job has made their rows.
    async fn moved(&self, wanted: &[&str]) {
        assert_eq!(self.alone().await, wanted, "computed");
        assert_eq!(self.listed().await, wanted, "listed before the job");
        self.test.advance(TimeDelta::minutes(1));
        self.test.run_jobs().await;
        assert_eq!(sql::number(self.test.app.db.schema(), "SELECT COUNT(*) FROM analytics_marks").await, 0);
        assert_eq!(self.listed().await, wanted, "listed after the job");
    }

    async fn alone(&self) -> Vec<String> {
        let query = "query($id: ID!) { analytics { customerMovements(accountId: $id) {
            day movementKind churnCause currency arrBefore { amount } arrAfter { amount } } } }";
        let found = self.test.admin().data(query, json!({"id": global_id("Account", self.account)})).await;
        found["analytics"]["customerMovements"].as_array().unwrap().iter().map(line).collect()
    }

    async fn listed(&self) -> Vec<String> {
        let query = "query { analytics { allMovements(from: \"2022-01-01\", to: \"2027-01-01\", first: 100) { nodes {
            account { id } day movementKind churnCause currency arrBefore { amount } arrAfter { amount } } } } }";
        let found = self.test.admin().data(query, json!({})).await;
        let id = json!(global_id("Account", self.account));
        let rows = found["analytics"]["allMovements"]["nodes"].as_array().unwrap().iter().rev();
        rows.filter(|row| row["account"]["id"] == id).map(line).collect()
    }
}

fn line(row: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let (before, after) = (word(&row["arrBefore"]["amount"]), word(&row["arrAfter"]["amount"]));
    let cause = row["churnCause"].as_str().map_or(String::new(), |cause| format!(" {cause}"));
    format!("{} {} {before} {after} {}{cause}", word(&row["day"]), word(&row["movementKind"]), word(&row["currency"]))
}

async fn changes_within_a_day_are_one_movement(test: &TestApp) {
    let ann = Customer::new(test, "ann").await;
    // Bought, raised and lowered on one day; then a change of plan as an end and a beginning.
    let states = [
        ("2024-02-29T08:00:00Z", "active", 12_000, "EUR"),
        ("2024-02-29T09:00:00Z", "active", 24_000, "EUR"),
        ("2024-02-29T10:00:00Z", "active", 18_000, "EUR"),
        ("2024-03-31T10:00:00Z", "canceled", 0, "EUR"),
    ];
    ann.subscribe(Some("2024-02-29T08:00:00Z"), &states).await;
    let later = ("2024-03-31T11:00:00Z", "active", 20_000, "EUR");
    ann.subscribe(Some("2024-03-31T11:00:00Z"), &[later]).await;
    // Bought and refunded on one day is nothing.
    let day = [("2024-05-01T01:00:00Z", "active", 900, "USD"), ("2024-05-01T23:00:00Z", "canceled", 0, "USD")];
    ann.subscribe(Some("2024-05-01T01:00:00Z"), &day).await;
    ann.moved(&["2024-02-29 NEW 0 18000 EUR", "2024-03-31 EXPANSION 18000 20000 EUR"]).await;
}

async fn an_instant_on_a_boundary_belongs_to_the_later_day(test: &TestApp) {
    let ann = Customer::new(test, "ann").await;
    let states = [
        ("2023-12-31T23:59:59.999999Z", "active", 1_200, "EUR"),
        ("2024-02-01T00:00:00Z", "active", 2_400, "EUR"),
        // Another offset, which is still the 31st in UTC.
        ("2024-04-01T01:59:59+02:00", "active", 600, "EUR"),
        ("2024-05-31T22:00:00-02:00", "canceled", 0, "EUR"),
    ];
    ann.subscribe(Some("2023-12-31T23:59:59.999999Z"), &states).await;
    let wanted = [
        "2023-12-31 NEW 0 1200 EUR",
        "2024-02-01 EXPANSION 1200 2400 EUR",
        "2024-03-31 CONTRACTION 2400 600 EUR",
        "2024-06-01 CHURN 600 0 EUR VOLUNTARY",
    ];
    ann.moved(&wanted).await;
}

async fn who_never_paid_never_moves(test: &TestApp) {
    let ann = Customer::new(test, "ann").await;
    let failed = [
        ("2024-01-01", "trialing", 12_000, "EUR"),
        ("2024-01-15", "past_due", 12_000, "EUR"),
        ("2024-02-01", "unpaid", 12_000, "EUR"),
        ("2024-02-15", "canceled", 0, "EUR"),
    ];
    ann.subscribe(None, &failed).await;
    ann.subscribe(None, &[("2024-03-01", "incomplete", 12_000, "EUR"), ("2024-03-02", "incomplete_expired", 0, "EUR")])
        .await;
    // A plan that costs nothing makes no customer, paid for or not.
    ann.subscribe(Some("2024-04-01"), &[("2024-04-01", "active", 0, "EUR")]).await;
    ann.moved(&[]).await;
    // Paid late: from the payment on, not from the beginning.
    let bob = Customer::new(test, "bob").await;
    let late = [("2024-01-01", "trialing", 12_000, "JPY"), ("2024-01-15", "past_due", 12_000, "JPY")];
    bob.subscribe(Some("2024-01-20"), &late).await;
    bob.moved(&["2024-01-20 NEW 0 12000 JPY"]).await;
}

async fn pauses_failures_and_free_plans_are_churn_with_their_causes(test: &TestApp) {
    let ann = Customer::new(test, "ann").await;
    let states = [
        ("2024-01-01", "active", 4_900, "EUR"),
        ("2024-02-01", "active but paused", 4_900, "EUR"),
        ("2024-03-01", "active", 4_900, "EUR"),
        // Not a movement after a first payment.
        ("2024-04-01", "past_due", 4_900, "EUR"),
        ("2024-05-01", "unpaid", 4_900, "EUR"),
        ("2024-06-01", "active", 4_900, "EUR"),
        ("2024-07-01", "active", 0, "EUR"),
        ("2024-08-01", "active", 9_800, "EUR"),
        ("2024-09-01", "canceled", 0, "EUR"),
    ];
    ann.subscribe(Some("2024-01-01"), &states).await;
    let wanted = [
        "2024-01-01 NEW 0 4900 EUR",
        "2024-02-01 CHURN 4900 0 EUR PAUSED",
        "2024-03-01 REACTIVATION 0 4900 EUR",
        "2024-05-01 CHURN 4900 0 EUR PAYMENT_FAILED",
        "2024-06-01 REACTIVATION 0 4900 EUR",
        "2024-07-01 CHURN 4900 0 EUR DOWNGRADE_TO_FREE",
        "2024-08-01 REACTIVATION 0 9800 EUR",
        "2024-09-01 CHURN 9800 0 EUR VOLUNTARY",
    ];
    ann.moved(&wanted).await;
}

async fn two_subscriptions_are_one_customer_in_each_currency(test: &TestApp) {
    let ann = Customer::new(test, "ann").await;
    let ends = |at, currency| [("2024-01-10", "active", 1_000, currency), (at, "canceled", 0, currency)];
    ann.subscribe(Some("2024-01-10"), &ends("2024-03-10", "EUR")).await;
    ann.subscribe(Some("2024-01-12"), &[("2024-01-12", "active", 500, "EUR"), ("2024-04-30", "canceled", 0, "EUR")])
        .await;
    ann.subscribe(Some("2024-01-10"), &ends("2024-02-29", "JPY")).await;
    // A subscription that changes its currency leaves one and enters the other.
    ann.subscribe(Some("2024-05-01"), &[("2024-05-01", "active", 70, "USD"), ("2024-05-31", "active", 80, "EUR")])
        .await;
    let mut found = ann.alone().await;
    found.sort();
    let wanted = [
        "2024-01-10 NEW 0 1000 EUR",
        "2024-01-10 NEW 0 1000 JPY",
        "2024-01-12 EXPANSION 1000 1500 EUR",
        "2024-02-29 CHURN 1000 0 JPY VOLUNTARY",
        // The loss of one of two is a contraction, the loss of the last a churn.
        "2024-03-10 CONTRACTION 1500 500 EUR",
        "2024-04-30 CHURN 500 0 EUR VOLUNTARY",
        "2024-05-01 NEW 0 70 USD",
        "2024-05-31 CHURN 70 0 USD VOLUNTARY",
        "2024-05-31 REACTIVATION 0 80 EUR",
    ];
    assert_eq!(found, wanted);
}

async fn each_account_has_what_was_its_own_at_the_time(test: &TestApp) {
    let (ann, bob) = (Customer::new(test, "ann").await, Customer::new(test, "bob").await);
    let subscription = ann.subscribe(Some("2024-01-01"), &[("2024-01-01", "active", 1_200, "EUR")]).await;
    // The account is merged into another: the subscription is Bob's from then on, and its past stays Ann's.
    bob.state(subscription, ("2024-03-01", "active", 1_200, "EUR")).await;
    let give = "UPDATE subscriptions SET account_id = $1 WHERE id = $2";
    sql::rows(test.app.db.schema(), give, [bob.account.into(), subscription.into()]).await;
    bob.state(subscription, ("2024-06-01", "active", 2_400, "EUR")).await;
    let (of_ann, of_bob) = (ann.alone().await, bob.alone().await);
    assert_eq!(of_ann, ["2024-01-01 NEW 0 1200 EUR", "2024-03-01 CHURN 1200 0 EUR VOLUNTARY"]);
    bob.moved(&["2024-03-01 NEW 0 1200 EUR", "2024-06-01 EXPANSION 1200 2400 EUR"]).await;
    assert_eq!((ann.listed().await, bob.listed().await), (of_ann, of_bob));
}

async fn late_and_repeated_versions_leave_the_figures_alike(test: &TestApp) {
    let (ann, bob) = (Customer::new(test, "ann").await, Customer::new(test, "bob").await);
    let states = [
        ("2024-01-31", "active", 1_000, "EUR"),
        ("2024-02-29", "active", 3_000, "EUR"),
        ("2024-03-31", "active", 2_000, "EUR"),
        ("2024-04-30", "canceled", 0, "EUR"),
    ];
    ann.subscribe(Some("2024-01-31"), &states).await;
    let wanted = [
        "2024-01-31 NEW 0 1000 EUR",
        "2024-02-29 EXPANSION 1000 3000 EUR",
        "2024-03-31 CONTRACTION 3000 2000 EUR",
        "2024-04-30 CHURN 2000 0 EUR VOLUNTARY",
    ];
    ann.moved(&wanted).await;
    // The last one first, the second twice, with the job in between.
    let subscription = bob.subscribe(Some("2024-01-31"), &states[3..]).await;
    bob.moved(&[]).await;
    for place in [1, 1, 2, 0] {
        bob.state(subscription, states[place]).await;
        test.advance(TimeDelta::minutes(1));
        test.run_jobs().await;
    }
    bob.moved(&wanted).await;
    ann.moved(&wanted).await;
}

async fn rates_of_a_month_are_those_worked_out_by_hand(test: &TestApp) {
    // At the end of January 2024: Ann 1,000, Bob 3,000, Cid 6,000, of the currency with no decimals.
    let began = "2024-01-05";
    for (subject, arr, then) in [
        ("ann", 1_000, ("2024-02-10", "canceled", 0, "JPY")),
        ("bob", 3_000, ("2024-02-29", "active", 5_000, "JPY")),
        ("cid", 6_000, ("2024-02-01", "active", 4_500, "JPY")),
    ] {
        let customer = Customer::new(test, subject).await;
        customer.subscribe(Some(began), &[(began, "active", arr, "JPY"), then]).await;
    }
    // Dan comes in February; Eve comes and goes within it.
    Customer::new(test, "dan").await.subscribe(Some("2024-02-20"), &[("2024-02-20", "active", 2_500, "JPY")]).await;
    let brief = [("2024-02-03", "active", 800, "JPY"), ("2024-02-05", "canceled", 0, "JPY")];
    Customer::new(test, "eve").await.subscribe(Some("2024-02-03"), &brief).await;
    let query = "{ analytics { rates(from: \"2024-02-01\", to: \"2024-03-01\") {
        currency start { arr { amount } customerCount } end { arr { amount } mrr { amount } customerCount }
        logoChurn grossRetention netRetention grossRevenueChurn netRevenueChurn quickRatio averageRevenueMinor
        lifetimeValueMinor } cohorts(from: \"2024-01-01\", to: \"2024-03-01\") { startsOn customerCount } } }";
    let wanted = json!([{
        "currency": "JPY",
        "start": {"arr": {"amount": "10000"}, "customerCount": 3},
        "end": {"arr": {"amount": "12000"}, "mrr": {"amount": "1000"}, "customerCount": 3},
        // One of three; 3,000 and 4,500 of 10,000 are left; they pay 9,500 now.
        "logoChurn": "0.333333333333",
        "grossRetention": "0.75",
        "netRetention": "0.95",
        // 1,000 and 800 left and 1,500 less; 2,000 more; 2,500 and 800 new.
        "grossRevenueChurn": "0.33",
        "netRevenueChurn": "0.13",
        "quickRatio": "1.606060606061",
        "averageRevenueMinor": "333.333333",
        // Nobody paid at the start of the months before.
        "lifetimeValueMinor": null,
    }]);
    for _ in 0..2 {
        let found = test.admin().data(query, json!({})).await["analytics"].take();
        assert_eq!(found["rates"], wanted);
        let sizes =
            json!([{"startsOn": "2024-01-01", "customerCount": 3}, {"startsOn": "2024-02-01", "customerCount": 2}]);
        assert_eq!(found["cohorts"], sizes);
        test.advance(TimeDelta::minutes(1));
        test.run_jobs().await;
    }
}
