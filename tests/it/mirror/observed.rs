//! A customer's life as a provider shows it: each thing in its newest state.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tollgate::accounts::ObservedCustomer;
use tollgate::credits::ObservedPurchase;
use tollgate::discounts::{ObservedCoupon, ObservedPromoCode, ObservedRedemption};
use tollgate::payments::{
    DisputeStatus, InvoiceStatus, ObservedDispute, ObservedInvoice, ObservedPayment, ObservedRefund, PaymentStatus,
    RefundStatus, RevenueStream,
};
use tollgate::plans::{ObservedPrice, ObservedProduct, PriceInterval, ProductKind};
use tollgate::subscriptions::{
    DiscountDuration, DiscountOff, DiscountScope, DiscountTerms, Exact, ObservedChange, ObservedDiscount, ObservedItem,
    ObservedPlannedItem, ObservedState, ObservedSubscription, Pricing, ScheduledChangeKind, SubscriptionStatus,
};
use uuid::Uuid;

/// Something that is mirrored by one call.
#[derive(Debug, Clone)]
pub(crate) enum Observed {
    Customer(ObservedCustomer),
    Price(ObservedPrice),
    Subscription(ObservedSubscription, Vec<ObservedState>),
    Invoice(ObservedInvoice),
    Payment(ObservedPayment),
    Coupon(ObservedCoupon),
    PromoCode(ObservedPromoCode),
    Redemption(ObservedRedemption),
    Purchase(ObservedPurchase),
}

/// So many hours after the beginning of the story.
pub(crate) fn at(hours: i64) -> DateTime<Utc> {
    "2025-06-01T00:00:00.123456Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
}

/// A coupon and a code that gives it.
fn discounts(name: &str) -> [Observed; 2] {
    let id = |id: &str| format!("{id}{name}");
    [
        Observed::Coupon(ObservedCoupon {
            provider: "stripe",
            external_id: id("coupon"),
            name: None,
            percent_basis_points: Some(2_000),
            amount_off: None,
            duration: DiscountDuration::Repeating,
            duration_months: Some(3),
            max_redemptions: None,
            redeem_by: None,
            times_redeemed: 1,
            valid: true,
            once_per_account: false,
            created_at: at(0),
        }),
        Observed::PromoCode(ObservedPromoCode {
            provider: "stripe",
            external_id: id("promo"),
            coupon_external_id: id("coupon"),
            code: format!("LAUNCH20{name}"),
            customer_external_id: None,
            max_redemptions: Some(5),
            first_purchase_only: true,
            expires_at: Some(at(1_000)),
            times_redeemed: 1,
            active: true,
            created_at: at(0),
        }),
    ]
}

/// All of it, with ids and codes that hold `name`.
pub(crate) fn everything(name: &str, event: Uuid) -> Vec<Observed> {
    let id = |id: &str| format!("{id}{name}");
    let mut things = vec![
        Observed::Customer(ObservedCustomer {
            provider: "stripe",
            external_id: id("cus"),
            email: Some("zoë@example.com".to_owned()),
            name: None,
            delinquent: true,
            deleted: false,
            created_at: at(0),
        }),
        subscription(name, event),
    ];
    things.extend(discounts(name));
    for (redeemed, ended) in [(1, 40), (60, 90)] {
        things.push(Observed::Redemption(ObservedRedemption {
            provider: "stripe",
            coupon_external_id: id("coupon"),
            promo_code_external_id: Some(id("promo")),
            subscription_external_id: Some(id("sub")),
            redeemed_at: at(redeemed),
            ends_at: Some(at(ended)),
        }));
    }
    things.push(Observed::Redemption(ObservedRedemption {
        provider: "stripe",
        coupon_external_id: id("coupon"),
        promo_code_external_id: None,
        subscription_external_id: None,
        redeemed_at: at(2),
        ends_at: None,
    }));
    things.extend(prices(name).map(Observed::Price));
    things.extend(invoices(name).map(Observed::Invoice));
    things.extend(payments(name).map(Observed::Payment));
    things.push(Observed::Purchase(ObservedPurchase {
        business_key: id("stripe:cs"),
        unit: "credit".to_owned(),
        credits: 1_000,
        amount_minor: 3_000,
        returned_minor: 1_000,
        payment_id: None,
        paid_at: at(50),
    }));
    things
}

/// The prices of three products.
pub(crate) fn prices(name: &str) -> impl Iterator<Item = ObservedPrice> {
    let price = |id: &str, code: &str, (amount, rank, hours): (Option<i64>, i64, i64)| ObservedPrice {
        provider: "stripe",
        external_id: format!("{id}{name}"),
        product_external_id: format!("prod_{code}{name}"),
        product: ObservedProduct {
            code: format!("{code}{name}"),
            kind: if code == "Seat!" { ProductKind::Addon } else { ProductKind::Plan },
            rank,
            name: format!("As {id} says"),
        },
        currency: "USD".to_owned(),
        unit_amount_minor: amount,
        interval: PriceInterval::Month,
        interval_count: 1,
        trial_days: (hours == 4).then_some(14),
        active: hours != 4,
        credits: None,
        own_id: None,
        created_at: at(hours),
    };
    [
        price("pro_old", "pro", (Some(1_900), 20, 1)),
        price("pro_same", "pro", (Some(1_900), 21, 2)),
        price("pro_new", "pro", (Some(2_900), 22, 3)),
        price("pro_gone", "pro", (Some(3_900), 23, 4)),
        price("basic", "basic", (Some(900), 10, 1)),
        price("seats", "Seat!", (None, 0, 1)),
    ]
    .into_iter()
}

fn item(name: &str, id: &str, price: &str, amount: i128, month: i64) -> ObservedItem {
    ObservedItem {
        external_id: format!("{id}{name}"),
        price_external_id: format!("{price}{name}"),
        quantity: Some(2),
        metered: false,
        period: Some((at(month * 720), at(month * 720 + 720))),
        product_external_id: Some(format!("prod_{price}{name}")),
        pricing: Pricing::PerUnit(Exact::from_integer(amount)),
        package: None,
        interval: PriceInterval::Month,
        interval_count: 1,
    }
}

/// The subscription and its history.
pub(crate) fn subscription(name: &str, event: Uuid) -> Observed {
    let id = |id: &str| format!("{id}{name}");
    let discount = ObservedDiscount {
        external_id: id("di"),
        scope: DiscountScope::Subscription,
        item_external_id: None,
        products: None,
        coupon_external_id: Some(id("coupon")),
        terms: Some(DiscountTerms { duration: DiscountDuration::Repeating, off: DiscountOff::Part(Exact::new(1, 5)) }),
        starts_at: Some(at(1)),
        ends_at: Some(at(60)),
    };
    let before = vec![item(name, "si_1", "basic", 900, 0), item(name, "si_2", "unheard", 50, 0)];
    let now = vec![item(name, "si_3", "seats", 0, 1), item(name, "si_1", "pro_new", 2_900, 1)];
    let state = |hours: i64, status, items: &Vec<ObservedItem>, cause: &str| ObservedState {
        effective_at: at(hours),
        status,
        paused: false,
        currency: Some("USD".to_owned()),
        items: items.clone(),
        discounts: vec![discount.clone()],
        cause: cause.to_owned(),
        inbox_event_id: event,
    };
    let history = vec![
        state(1, SubscriptionStatus::Trialing, &before, "customer.subscription.created"),
        state(50, SubscriptionStatus::Active, &before, "customer.subscription.updated"),
        state(80, SubscriptionStatus::Active, &now, "customer.subscription.updated"),
    ];
    let newest = ObservedSubscription {
        provider: "stripe",
        external_id: id("sub"),
        customer_external_id: Some(id("cus")),
        status: SubscriptionStatus::Active,
        currency: Some("USD".to_owned()),
        started_at: at(1),
        trial: Some((at(1), at(50))),
        cancel_at: Some(at(2_160)),
        cancel_at_period_end: false,
        canceled_at: Some(at(75)),
        ended_at: None,
        paused_at: None,
        next_billed_at: None,
        schedule_external_id: Some(id("sched")),
        latest_invoice_external_id: Some(id("in_2")),
        metadata: json!({"user_id": "someone", "note": "a\0b"}),
        items: now,
        scheduled: vec![
            ObservedChange { kind: ScheduledChangeKind::Cancel, effective_at: at(2_160), items: Vec::new() },
            ObservedChange {
                kind: ScheduledChangeKind::PlanChange,
                effective_at: at(1_440),
                items: vec![ObservedPlannedItem { price_external_id: id("basic"), quantity: Some(1) }],
            },
        ],
        created_at: at(1),
        observed_at: at(80),
    };
    Observed::Subscription(newest, history)
}

fn invoices(name: &str) -> impl Iterator<Item = ObservedInvoice> {
    let invoice = |id: &str, hours: i64, payment: Option<&str>| ObservedInvoice {
        provider: "stripe",
        external_id: format!("{id}{name}"),
        customer_external_id: Some(format!("cus{name}")),
        subscription_external_id: Some(format!("sub{name}")),
        payment_external_id: payment.map(|payment| format!("{payment}{name}")),
        number: Some("A-1".to_owned()),
        status: InvoiceStatus::Paid,
        billing_reason: Some("subscription_cycle".to_owned()),
        currency: "USD".to_owned(),
        subtotal_minor: 1_900,
        discount_minor: 380,
        tax_minor: 100,
        total_minor: 1_620,
        due_minor: 1_620,
        paid_minor: 1_620,
        attempt_count: 2,
        period: Some((at(hours), at(hours + 720))),
        due_at: None,
        paid_at: Some(at(hours)),
        hosted_url: Some("https://pay.example.com/1".to_owned()),
        created_at: at(hours),
    };
    [invoice("in_1", 1, Some("pi_1")), invoice("in_2", 50, None)].into_iter()
}

/// Payments of every kind.
pub(crate) fn payments(name: &str) -> impl Iterator<Item = ObservedPayment> {
    let id = |id: &str| format!("{id}{name}");
    let payment = |payment: &str, hours: i64| ObservedPayment {
        provider: "stripe",
        external_id: id(payment),
        customer_external_id: Some(id("cus")),
        charge_external_id: Some(format!("ch_{payment}{name}")),
        invoice_external_id: None,
        subscription_external_id: None,
        stream: RevenueStream::Subscription,
        status: PaymentStatus::Succeeded,
        provider_status: Some("succeeded".to_owned()),
        currency: "USD".to_owned(),
        amount_minor: 1_620,
        received_minor: 1_620,
        refunded_minor: 0,
        fee_minor: Some(77),
        disputed: false,
        failed_attempts: 1,
        failure_code: None,
        description: Some("Subscription update".to_owned()),
        paid_at: Some(at(hours)),
        created_at: at(hours),
        refunds: Vec::new(),
        disputes: Vec::new(),
    };
    let refund = |refund: &str, status: RefundStatus, amount_minor| ObservedRefund {
        external_id: id(refund),
        charge_external_id: Some(id("ch_pi_2")),
        refund_id: None,
        status,
        provider_status: status.to_string(),
        amount_minor,
        currency: "USD".to_owned(),
        reason: Some("requested_by_customer".to_owned()),
        created_at: at(70),
        processed_at: (status == RefundStatus::Processed).then(|| at(71)),
        failure_code: None,
    };
    let dispute = ObservedDispute {
        external_id: id("dp"),
        charge_external_id: Some(id("ch_pi_1")),
        status: DisputeStatus::Lost,
        provider_status: "lost".to_owned(),
        amount_minor: 1_620,
        currency: "USD".to_owned(),
        lost_minor: Some(1_620),
        reason: Some("fraudulent".to_owned()),
        created_at: at(72),
        closed_at: Some(at(73)),
    };
    [
        ObservedPayment { disputes: vec![dispute], ..payment("pi_1", 1) },
        ObservedPayment {
            invoice_external_id: Some(id("in_2")),
            refunded_minor: 100,
            refunds: vec![refund("re_1", RefundStatus::Processed, 100), refund("re_2", RefundStatus::Failed, 50)],
            ..payment("pi_2", 50)
        },
        ObservedPayment {
            subscription_external_id: Some(id("sub")),
            status: PaymentStatus::Failed,
            failure_code: Some("card_declined".to_owned()),
            // Contradictions are corrected, not refused.
            refunded_minor: 100,
            ..payment("pi_3", 0)
        },
    ]
    .into_iter()
}

/// The thing as it was before; `None` for one that never was otherwise.
pub(crate) fn earlier(newest: &Observed) -> Option<Observed> {
    Some(match newest.clone() {
        Observed::Customer(it) => {
            Observed::Customer(ObservedCustomer { email: None, name: Some("Zoë".to_owned()), delinquent: false, ..it })
        }
        Observed::Price(it) => {
            let code = format!("former-{}", it.product.code);
            let product = ObservedProduct { code, ..it.product.clone() };
            Observed::Price(ObservedPrice {
                product,
                active: !it.active,
                credits: Some(7),
                unit_amount_minor: None,
                ..it
            })
        }
        Observed::Subscription(it, history) => {
            let mut items = history[0].items.clone();
            items[0].quantity = Some(9);
            let scheduled =
                vec![ObservedChange { kind: ScheduledChangeKind::Pause, effective_at: at(1_440), items: Vec::new() }];
            let wrong =
                ObservedState { status: SubscriptionStatus::Incomplete, items: items.clone(), ..history[0].clone() };
            let before = ObservedSubscription {
                status: SubscriptionStatus::Trialing,
                cancel_at: None,
                canceled_at: None,
                schedule_external_id: None,
                latest_invoice_external_id: None,
                items,
                scheduled,
                observed_at: at(1),
                ..it
            };
            Observed::Subscription(before, vec![wrong])
        }
        Observed::Invoice(it) => Observed::Invoice(ObservedInvoice {
            status: InvoiceStatus::Open,
            number: None,
            paid_minor: 0,
            paid_at: None,
            subscription_external_id: None,
            ..it
        }),
        Observed::Payment(it) => Observed::Payment(ObservedPayment {
            status: PaymentStatus::Pending,
            paid_at: None,
            refunds: it.refunds.iter().take(1).map(pending).collect(),
            disputes: Vec::new(),
            invoice_external_id: None,
            fee_minor: None,
            ..it
        }),
        Observed::Purchase(it) => Observed::Purchase(ObservedPurchase { returned_minor: 2_999, ..it }),
        Observed::Coupon(it) => Observed::Coupon(ObservedCoupon { times_redeemed: 0, valid: false, ..it }),
        Observed::PromoCode(_) | Observed::Redemption(_) => return None,
    })
}

fn pending(refund: &ObservedRefund) -> ObservedRefund {
    ObservedRefund { status: RefundStatus::Approved, processed_at: None, ..refund.clone() }
}
