//! The facts of cash, and their sums in SQL.

use sea_orm::DbBackend;

/// The names of the sums, in the order of the columns.
pub(super) const SUMS: [&str; 9] = [
    "gross_minor",
    "payment_count",
    "fee_minor",
    "unknown_fee_count",
    "refunded_minor",
    "refund_count",
    "tax_minor",
    "disputed_minor",
    "lost_minor",
];

/// One kind of facts: rows that count on the day of an instant.
pub(super) struct Fact {
    /// The tables and the condition. The instant is compared with each marked day.
    from: &'static str,
    at: &'static str,
    currency: &'static str,
    pub(super) stream: &'static str,
    pub(super) plan: Plan,
    /// The sums that are not zero.
    sums: &'static [(&'static str, &'static str)],
}

/// The columns that the plan of a fact follows from.
pub(super) struct Plan {
    subscription: &'static str,
    /// The time whose plan of the subscription counts.
    at: &'static str,
    /// The end of a comparison with the payment, which can be that of a gift.
    payment: &'static str,
}

const OWN_PLAN: Plan = Plan { subscription: "f.subscription_id", at: "f.paid_at", payment: "= f.id" };
const PLAN_OF_PAYMENT: Plan = Plan { subscription: "p.subscription_id", at: "p.paid_at", payment: "= p.id" };
const PLAN_OF_INVOICE: Plan = Plan {
    subscription: "f.subscription_id",
    at: "f.paid_at",
    payment: "IN (SELECT p.id FROM payments p WHERE p.invoice_id = f.id AND p.status || '' = 'succeeded')",
};

/// The stream of an invoice: that of the payments for it, or of what an invoice without one is for. The status is compared
/// in a form that no index serves, so that the payments are found by their invoice.
const INVOICE_STREAM: &str = "COALESCE((SELECT MIN(p.stream) FROM payments p WHERE p.invoice_id = f.id \
     AND p.status || '' = 'succeeded'), CASE WHEN f.subscription_id IS NULL THEN 'other' ELSE 'subscription' END)";

const FACTS: [Fact; 5] = [
    Fact {
        from: "payments f WHERE f.status = 'succeeded'",
        at: "f.paid_at",
        currency: "f.currency",
        stream: "f.stream",
        plan: OWN_PLAN,
        sums: &[
            ("gross_minor", "SUM(f.received_minor)"),
            ("payment_count", "COUNT(*)"),
            ("fee_minor", "COALESCE(SUM(f.fee_minor), 0)"),
            ("unknown_fee_count", "COUNT(*) - COUNT(f.fee_minor)"),
        ],
    },
    Fact {
        from: "refunds f JOIN payments p ON p.id = f.payment_id WHERE p.status = 'succeeded' AND f.status = 'processed'",
        at: "f.processed_at",
        currency: "f.currency",
        stream: "p.stream",
        plan: PLAN_OF_PAYMENT,
        sums: &[("refunded_minor", "SUM(f.amount_minor)"), ("refund_count", "COUNT(*)")],
    },
    Fact {
        from: "invoices f WHERE f.status = 'paid' AND f.tax_minor > 0",
        at: "f.paid_at",
        currency: "f.currency",
        stream: INVOICE_STREAM,
        plan: PLAN_OF_INVOICE,
        sums: &[("tax_minor", "SUM(f.tax_minor)")],
    },
    Fact {
        from: "disputes f JOIN payments p ON p.id = f.payment_id WHERE f.status <> 'warning'",
        at: "f.created_at",
        currency: "f.currency",
        stream: "p.stream",
        plan: PLAN_OF_PAYMENT,
        sums: &[("disputed_minor", "SUM(f.amount_minor)")],
    },
    Fact {
        from: "disputes f JOIN payments p ON p.id = f.payment_id WHERE f.status = 'lost'",
        at: "f.closed_at",
        currency: "f.currency",
        stream: "p.stream",
        plan: PLAN_OF_PAYMENT,
        sums: &[("lost_minor", "SUM(f.amount_minor)")],
    },
];

impl Plan {
    /// Returns the id of the version of the plan as SQL: that of the subscription's state in force at the time, or of its
    /// first one if it began later; for a payment without a subscription that of the gift which it paid for.
    pub(super) fn sql(&self) -> String {
        let Plan { subscription, at, payment } = self;
        let states = format!("FROM subscription_versions v WHERE v.subscription_id = {subscription}");
        let until = format!("{states} AND v.effective_at <= {at}");
        format!(
            "(CASE WHEN {subscription} IS NULL THEN (SELECT pr.product_version_id FROM gifts g \
             JOIN prices pr ON pr.id = g.price_id WHERE g.payment_id {payment} ORDER BY g.id LIMIT 1) \
             ELSE COALESCE((SELECT v.product_version_id {until} \
             ORDER BY v.effective_at DESC, v.recorded_at DESC, v.id DESC LIMIT 1), \
             CASE WHEN NOT EXISTS (SELECT 1 {until}) THEN (SELECT v.product_version_id {states} \
             ORDER BY v.effective_at, v.recorded_at DESC, v.id DESC LIMIT 1) END) END)"
        )
    }
}

/// Returns the sums over the facts of the days in `marked`, day by day, so that without marked days nothing is read, each
/// with its currency and its `key`.
pub(super) fn facts(backend: DbBackend, key: &str, key_of: impl Fn(&Fact) -> String) -> String {
    let sums_of = |fact: &Fact| {
        let sums = SUMS.iter().map(|name| {
            let sum = fact.sums.iter().find(|(known, _)| known == name).map_or("0", |(_, sum)| sum);
            format!("CAST({sum} AS BIGINT) AS {name}")
        });
        let sums = sums.collect::<Vec<_>>().join(", ");
        let names = SUMS.map(|name| format!("s.{name}")).join(", ");
        let (Fact { from, at, currency, .. }, value) = (fact, key_of(fact));
        match backend {
            DbBackend::Postgres => format!(
                "SELECT m.day, s.currency, s.{key}, {names} FROM marked m CROSS JOIN LATERAL \
                 (SELECT {currency} AS currency, {value} AS {key}, {sums} FROM {from} \
                 AND {at} >= CAST(m.day AS timestamp) AT TIME ZONE 'UTC' \
                 AND {at} < CAST(m.day + 1 AS timestamp) AT TIME ZONE 'UTC' GROUP BY 1, 2) AS s"
            ),
            // SQLite joins in the order that CROSS JOIN states.
            _ => format!(
                "SELECT m.day AS day, {currency} AS currency, {value} AS {key}, {sums} FROM marked m CROSS JOIN {from} \
                 AND {at} >= m.day AND {at} < date(m.day, '+1 days') GROUP BY 1, 2, 3"
            ),
        }
    };
    FACTS.iter().map(sums_of).collect::<Vec<_>>().join(" UNION ALL ")
}
