//! Refunds that are requested and decided at random, against a model of the money that is left.

use crate::support::gifts::REFUSED;
use crate::support::refunds::{APPROVE, DENY, REQUEST, bought, credits, tell_all_again};
use crate::support::{Shop, both_engines, sql};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

both_engines!(refunds_at_random_leave_the_money_that_the_model_has);

/// The amount of each payment, for which the buyer has a tenth in credits.
const PAID: i64 = 1_000;

/// A refund as the model has it.
#[derive(Debug, Clone)]
struct Refund {
    id: String,
    payment: usize,
    amount: i64,
    status: &'static str,
}

#[derive(Default)]
struct Model {
    refunds: Vec<Refund>,
}

/// The error that a rule gives.
type Told = Option<(&'static str, &'static str, String)>;

impl Model {
    /// Returns the part of a payment that may still be refunded, not counting one refund.
    fn left(&self, payment: usize, except: Option<usize>) -> i64 {
        let counts = |(number, refund): &(usize, &Refund)| {
            refund.payment == payment
                && Some(*number) != except
                && ["REQUESTED", "APPROVED", "PROCESSED"].contains(&refund.status)
        };
        PAID - self.refunds.iter().enumerate().filter(counts).map(|(_, refund)| refund.amount).sum::<i64>()
    }

    /// Returns the amount that has gone back.
    fn gone(&self, payment: usize) -> i64 {
        let processed = |refund: &&Refund| refund.payment == payment && refund.status == "PROCESSED";
        self.refunds.iter().filter(processed).map(|refund| refund.amount).sum()
    }
}

/// Returns the error for an amount, of which so much is left.
fn refusal(amount: i64, left: i64) -> Told {
    if left == 0 {
        Some(("NOTHING_LEFT", "amount", "Nothing is left to refund.".to_owned()))
    } else if amount < 1 {
        Some(("AMOUNT_INVALID", "amount", "`amount` must be at least 1.".to_owned()))
    } else if amount > left {
        Some(("AMOUNT_TOO_LARGE", "amount", format!("`amount` must be at most {left}.")))
    } else {
        None
    }
}

/// Compares the user errors of a payload with the error of the model; returns whether there is none.
fn compare(payload: &Value, told: &Told) -> bool {
    let errors = payload["userErrors"].as_array().unwrap();
    match told {
        None => assert!(errors.is_empty(), "{payload}"),
        Some((code, field, message)) => {
            assert_eq!(errors.len(), 1, "{payload}");
            let error = &errors[0];
            assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!([field])), "{payload}");
            // The mutation that denies selects no message.
            assert!(error["message"].is_null() || error["message"] == *message, "{payload}: {message}");
            assert_eq!(payload["refund"], Value::Null, "{payload}");
        }
    }
    told.is_none()
}

/// Returns an amount in steps of ten, sometimes one that nobody can have.
fn amount(dice: &mut ChaCha8Rng) -> Option<i64> {
    match dice.random_range(0..12) {
        0 => None,
        1 => Some(0),
        2 => Some(-10),
        3 => Some(PAID + 10),
        _ => Some(dice.random_range(1..=40) * 10),
    }
}

struct Play<'a> {
    shop: &'a Shop,
    payments: Vec<String>,
    model: Model,
    steps: usize,
}

impl Play<'_> {
    fn key(&mut self) -> String {
        self.steps += 1;
        format!("step {}", self.steps)
    }

    async fn request(&mut self, dice: &mut ChaCha8Rng) {
        let (payment, amount) = (dice.random_range(0..self.payments.len()), amount(dice));
        let left = self.model.left(payment, None);
        let told = refusal(amount.unwrap_or(left), left);
        let input = json!({"paymentId": self.payments[payment], "amount": amount, "idempotencyKey": self.key()});
        let owner = self.shop.test.user("ann");
        let caller = if dice.random_bool(0.5) { owner } else { self.shop.test.admin() };
        let payload = self.shop.ask(&caller, REQUEST, input).await;
        if compare(&payload, &told) {
            let (id, amount) = (payload["refund"]["id"].as_str().unwrap().to_owned(), amount.unwrap_or(left));
            assert_eq!(payload["refund"]["processingStatus"], "REQUESTED");
            assert_eq!(payload["refund"]["amount"]["amount"], amount.to_string());
            self.model.refunds.push(Refund { id, payment, amount, status: "REQUESTED" });
        }
    }

    async fn approve(&mut self, dice: &mut ChaCha8Rng) {
        if self.model.refunds.is_empty() {
            return;
        }
        let number = dice.random_range(0..self.model.refunds.len());
        let Refund { id, payment, amount: asked, status } = self.model.refunds[number].clone();
        let lower = if dice.random_bool(0.4) { amount(dice) } else { None };
        let most = self.model.left(payment, Some(number)).min(asked);
        let decided = ("REFUND_DECIDED", "refundId", format!("The refund is already {}.", status.to_lowercase()));
        let told = if status == "REQUESTED" { refusal(lower.unwrap_or(asked), most) } else { Some(decided) };
        let is_refused_by_stripe = told.is_none() && dice.random_bool(0.35);
        let input = json!({"refundId": id, "amount": lower, "idempotencyKey": self.key()});
        if is_refused_by_stripe {
            self.shop.stripe.fail_next(REFUSED);
        }
        let payload = self.shop.ask(&self.shop.test.admin(), APPROVE, input).await;
        self.shop.stripe.clear_faults();
        let refund = &mut self.model.refunds[number];
        if is_refused_by_stripe {
            assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_REFUSED", "{payload}");
            (refund.status, refund.amount) = ("FAILED", lower.unwrap_or(asked));
        } else if compare(&payload, &told) {
            (refund.status, refund.amount) = ("PROCESSED", lower.unwrap_or(asked));
            assert_eq!(payload["refund"]["processingStatus"], "PROCESSED", "{payload}");
            assert_eq!(payload["refund"]["amount"]["amount"], refund.amount.to_string());
            assert_eq!(payload["refund"]["requestedAmount"]["amount"], asked.to_string());
        }
    }

    async fn deny(&mut self, dice: &mut ChaCha8Rng) {
        if self.model.refunds.is_empty() {
            return;
        }
        let number = dice.random_range(0..self.model.refunds.len());
        let Refund { id, status, .. } = self.model.refunds[number].clone();
        let decided = ("REFUND_DECIDED", "refundId", format!("The refund is already {}.", status.to_lowercase()));
        let told = if status == "REQUESTED" { None } else { Some(decided) };
        let input = json!({"refundId": id, "reason": "by chance", "idempotencyKey": self.key()});
        let payload = self.shop.ask(&self.shop.test.admin(), DENY, input).await;
        if compare(&payload, &told) {
            assert_eq!(payload["refund"]["denialReason"], "by chance");
            self.model.refunds[number].status = "DENIED";
        }
    }

    /// Compares what the API shows of each payment with the model.
    async fn check(&self) {
        let query = "query($id: ID!) { payment(id: $id) { refunded { amount } received { amount } fullyRefunded
            refunds(first: 100, orderBy: {field: CREATED_AT, direction: ASC}) { totalCount nodes {
                id processingStatus amount { amount } } } } }";
        for (number, payment) in self.payments.iter().enumerate() {
            let shown = self.shop.test.user("ann").data(query, json!({"id": payment})).await["payment"].take();
            let gone = self.model.gone(number);
            assert_eq!(shown["refunded"]["amount"], gone.to_string(), "{payment}");
            assert_eq!((&shown["received"]["amount"], &shown["fullyRefunded"]), (&json!("1000"), &json!(gone == PAID)));
            let of_payment = self.model.refunds.iter().filter(|refund| refund.payment == number);
            let expected: Vec<_> = of_payment
                .map(|refund| {
                    json!({"id": refund.id, "processingStatus": refund.status,
                        "amount": {"amount": refund.amount.to_string()}})
                })
                .collect();
            assert_eq!(shown["refunds"], json!({"totalCount": expected.len(), "nodes": expected}));
        }
        let gone: i64 = (0..self.payments.len()).map(|payment| self.model.gone(payment)).sum();
        let granted = PAID / 10 * i64::try_from(self.payments.len()).unwrap();
        assert_eq!(credits(self.shop, "ann").await, (granted - gone / 10).to_string(), "credits go with the money");
    }
}

async fn refunds_at_random_leave_the_money_that_the_model_has(shop: &Shop) {
    let mut payments = Vec::new();
    for _ in 0..5 {
        payments.push(bought(shop, "ann").await.0);
    }
    let mut play = Play { shop, payments, model: Model::default(), steps: 0 };
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    for round in 0..110 {
        match dice.random_range(0..10) {
            0..5 => play.request(&mut dice).await,
            5..8 => play.approve(&mut dice).await,
            _ => play.deny(&mut dice).await,
        }
        if round % 10 == 9 {
            shop.deliver().await;
            play.check().await;
        }
    }
    shop.deliver().await;
    tell_all_again(shop).await;
    play.check().await;
    let statuses: Vec<_> = play.model.refunds.iter().map(|refund| refund.status).collect();
    for status in ["PROCESSED", "DENIED", "FAILED"] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    // Stripe has the same refunds, and no payment gave back more than it had.
    let at_stripe: i64 = shop.stripe.objects("refund").iter().map(|refund| refund["amount"].as_i64().unwrap()).sum();
    assert_eq!(at_stripe, (0..5).map(|payment| play.model.gone(payment)).sum::<i64>());
    let too_much = "SELECT COUNT(*) FROM payments WHERE refunded_minor > received_minor";
    assert_eq!(sql::number(shop.test.app.db.read(), too_much).await, 0);
}
