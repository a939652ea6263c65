//! The credit ledger: the credit events of an account in time order, each posted as a double entry.

use super::calendar::At;
use super::credit_events::{Event, Grant};
use super::customer::Customer;
use ::entity::{balances, credit_grants, ledger_entries, ledger_txns};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An event to post; a grant is named by its index among the rows.
enum Step {
    Expire(usize),
    Event(Event),
}

/// The credits of an account in one unit.
struct Wallet {
    row: balances::Model,
    grants: Vec<usize>,
}

/// A posting to be written.
struct Posting {
    kind: &'static str,
    business_key: String,
    at: At,
    actor: String,
    reason: Option<String>,
    reference: Option<(&'static str, String)>,
    from: &'static str,
    to: &'static str,
}

/// Posts the customer's credit events, and makes grants, balances and refunds consistent.
pub(super) fn settle(customer: &mut Customer<'_>) {
    let mut queue: BTreeMap<(At, u8, usize), Step> = BTreeMap::new();
    for (index, event) in std::mem::take(&mut customer.credits).into_iter().enumerate() {
        let (at, rank) = match &event {
            Event::Grant(grant) => (grant.at, 1),
            Event::Spend { at, .. } => (*at, 2),
            Event::Revoke { at, .. } => (*at, 3),
        };
        queue.insert((at, rank, index), Step::Event(event));
    }
    let now = customer.world.calendar.now;
    let mut wallets: BTreeMap<Uuid, Wallet> = BTreeMap::new();
    while let Some(((at, ..), step)) = queue.pop_first() {
        match step {
            Step::Event(Event::Grant(grant)) => {
                let place = open(customer, &mut wallets, grant);
                if let Some(expires_at) = customer.rows.credit_grants[place].expires_at.filter(|end| *end <= now) {
                    queue.insert((expires_at, 0, place), Step::Expire(place));
                }
            }
            Step::Event(Event::Spend { unit, amount, subject, .. }) => {
                if let Some(wallet) = wallets.get_mut(&unit) {
                    spend(customer, wallet, at, amount, subject);
                }
            }
            Step::Event(Event::Revoke { payment_id, refund, share, .. }) => {
                let place = wallets.values().flat_map(|wallet| &wallet.grants).copied();
                let mut found =
                    place.filter(|place| customer.rows.credit_grants[*place].payment_id == Some(payment_id));
                if let Some(place) = found.next() {
                    revoke(customer, &mut wallets, (at, place), refund, share);
                }
            }
            Step::Expire(place) => expire(customer, &mut wallets, at, place),
        }
    }
    for mut wallet in wallets.into_values() {
        let grants = wallet.grants.iter().map(|place| &customer.rows.credit_grants[*place]);
        wallet.row.next_due_at = grants.filter(|grant| grant.remaining > 0).filter_map(|grant| grant.expires_at).min();
        customer.rows.balances.push(wallet.row);
    }
}

fn open(customer: &mut Customer<'_>, wallets: &mut BTreeMap<Uuid, Wallet>, grant: Grant) -> usize {
    let (id, at, unit) = (grant.id, grant.at, grant.unit);
    let place = customer.rows.credit_grants.len();
    let actor = grant.granted_by.clone();
    customer.rows.credit_grants.push(credit_grants::Model {
        id,
        account_id: customer.account_id,
        credit_unit_id: unit,
        source: grant.source.to_owned(),
        amount: grant.amount,
        remaining: 0,
        priority: grant.priority,
        starts_at: at,
        expires_at: grant.expires_at,
        business_key: grant.business_key,
        payment_id: grant.payment_id,
        reason: grant.reason.map(str::to_owned),
        granted_by: grant.granted_by,
        created_at: at,
        started: true,
        allowance_id: None,
        subscription_id: None,
        unrecovered: 0,
    });
    let wallet = wallets.entry(unit).or_insert_with(|| Wallet {
        row: balances::Model {
            id: customer.dice.id(at),
            account_id: customer.account_id,
            credit_unit_id: unit,
            entry_count: 0,
            updated_at: at,
            owed: 0,
            next_due_at: None,
            available: 0,
            held: 0,
            spent: 0,
            expired: 0,
            issued: 0,
            revoked: 0,
        },
        grants: Vec::new(),
    });
    wallet.grants.push(place);
    let (kind, business_key) = ("grant", format!("grant:{id}"));
    let reason = grant.reason.map(str::to_owned);
    let posting = Posting { kind, business_key, at, actor, reason, reference: None, from: "issued", to: "available" };
    post(customer, wallet, posting, &[(place, grant.amount)]);
    place
}

fn spend(customer: &mut Customer<'_>, wallet: &mut Wallet, at: At, amount: i64, subject: &'static str) {
    let mut left = amount.min(wallet.row.available);
    if left == 0 {
        return;
    }
    let grants = &customer.rows.credit_grants;
    wallet.grants.retain(|place| grants[*place].remaining > 0);
    wallet.grants.sort_by_key(|place| {
        let grant = &grants[*place];
        (grant.priority, grant.expires_at.is_none(), grant.expires_at, grant.id)
    });
    let mut parts = Vec::new();
    for &place in &wallet.grants {
        let part = left.min(customer.rows.credit_grants[place].remaining);
        if part > 0 {
            parts.push((place, part));
            left -= part;
        }
    }
    let subject_id = customer.dice.token("");
    let (kind, business_key) = ("spend", format!("spend:{subject}:{subject_id}"));
    let (actor, reference) = ("service:app".to_owned(), Some((subject, subject_id)));
    let (from, to) = ("available", "spent");
    post(customer, wallet, Posting { kind, business_key, at, actor, reason: None, reference, from, to }, &parts);
}

fn expire(customer: &mut Customer<'_>, wallets: &mut BTreeMap<Uuid, Wallet>, at: At, place: usize) {
    let grant = &customer.rows.credit_grants[place];
    let (unit, id, remaining) = (grant.credit_unit_id, grant.id, grant.remaining);
    let Some(wallet) = wallets.get_mut(&unit).filter(|_| remaining > 0) else { return };
    let (kind, business_key) = ("expire", format!("expire:{id}"));
    let (actor, from, to) = ("system:worker".to_owned(), "available", "expired");
    let posting = Posting { kind, business_key, at, actor, reason: None, reference: None, from, to };
    post(customer, wallet, posting, &[(place, remaining)]);
}

/// Revokes the refunded share of the credits of a payment, as far as they are unused.
fn revoke(
    customer: &mut Customer<'_>,
    wallets: &mut BTreeMap<Uuid, Wallet>,
    (at, place): (At, usize),
    refund: usize,
    (part, whole): (i64, i64),
) {
    let grant = &customer.rows.credit_grants[place];
    let taken = (grant.amount * part / whole).min(grant.remaining);
    let unit = grant.credit_unit_id;
    let Some(wallet) = wallets.get_mut(&unit).filter(|_| taken > 0) else { return };
    let refund = &mut customer.rows.refunds[refund];
    refund.credits_taken_back = taken;
    let (kind, business_key) = ("revoke", format!("revoke:{}", refund.id));
    let (actor, reason) = ("system:inbox".to_owned(), Some("the payment was refunded".to_owned()));
    let reference = Some(("refund", refund.id.to_string()));
    let (from, to) = ("available", "revoked");
    post(customer, wallet, Posting { kind, business_key, at, actor, reason, reference, from, to }, &[(place, taken)]);
}

/// Writes one transaction, which moves an amount of each grant from one bucket to another.
fn post(customer: &mut Customer<'_>, wallet: &mut Wallet, posting: Posting, parts: &[(usize, i64)]) {
    let recorded_at = posting.at.max(wallet.row.updated_at);
    let txn_id = customer.dice.id(recorded_at);
    let mut ids: Vec<Uuid> = (0..2 * parts.len()).map(|_| customer.dice.id(recorded_at)).collect();
    ids.sort_by(|a, b| b.cmp(a));
    for &(place, amount) in parts {
        for (bucket, amount) in [(posting.from, -amount), (posting.to, amount)] {
            let id = ids.pop().expect("two ids for each part");
            let grant = &mut customer.rows.credit_grants[place];
            grant.remaining += if bucket == "available" { amount } else { 0 };
            let grant_id = Some(grant.id);
            let balance = bucket_of(&mut wallet.row, bucket);
            *balance += amount;
            let balance_after = *balance;
            wallet.row.entry_count += 1;
            customer.rows.ledger_entries.push(ledger_entries::Model {
                id,
                txn_id,
                account_id: customer.account_id,
                credit_unit_id: wallet.row.credit_unit_id,
                grant_id,
                bucket: bucket.to_owned(),
                amount,
                balance_after,
                seq: wallet.row.entry_count,
                recorded_at,
                effective_at: Some(recorded_at),
            });
        }
    }
    wallet.row.updated_at = recorded_at;
    let (ref_type, ref_id) = posting.reference.map_or((None, None), |(kind, id)| (Some(kind.to_owned()), Some(id)));
    customer.rows.ledger_txns.push(ledger_txns::Model {
        id: txn_id,
        account_id: customer.account_id,
        kind: posting.kind.to_owned(),
        business_key: posting.business_key,
        effective_at: posting.at,
        recorded_at,
        actor: posting.actor,
        reason: posting.reason,
        ref_type,
        ref_id,
        reverses_id: None,
    });
}

fn bucket_of<'r>(row: &'r mut balances::Model, bucket: &str) -> &'r mut i64 {
    match bucket {
        "available" => &mut row.available,
        "spent" => &mut row.spent,
        "expired" => &mut row.expired,
        "issued" => &mut row.issued,
        _ => &mut row.revoked,
    }
}
