//! Spending, holding, reversing and transferring credits, one at a time or many at once.

use super::checks::{check_amount, check_reason};
use super::grant::NewGrant;
use super::operation::{Moved, Operation, Unit, Verb};
use super::store::wallets;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::IdempotencyKey;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::HashMap;
use uuid::Uuid;

/// The most operations in one request.
const MAX_OPERATIONS: usize = 1_000;
/// The time after which a hold releases itself where the request gives none.
const DEFAULT_HOLD: TimeDelta = TimeDelta::hours(1);
/// The longest hold.
const MAX_HOLD: TimeDelta = TimeDelta::days(366);

/// A change of credits.
#[derive(Debug, Clone, Serialize)]
pub enum Request {
    /// Grants credits.
    Grant(NewGrant),
    /// Spends credits.
    Spend {
        /// The account.
        account_id: Uuid,
        /// The code of the credit unit.
        unit: String,
        /// Amount in the smallest step of the unit.
        amount: i64,
    },
    /// Reserves credits.
    Hold {
        /// The account.
        account_id: Uuid,
        /// The code of the credit unit.
        unit: String,
        /// Amount in the smallest step of the unit.
        amount: i64,
        /// Time at which the hold releases itself; `None` for an hour from now.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Spends credits of a hold.
    Capture {
        /// The hold.
        hold_id: Uuid,
        /// Amount in the smallest step of the unit; `None` for all that is left.
        amount: Option<i64>,
        /// True to keep the rest of the hold.
        keep_open: bool,
    },
    /// Releases a hold.
    Release {
        /// The hold.
        hold_id: Uuid,
    },
    /// Reverses a ledger transaction.
    Reverse {
        /// The transaction.
        transaction_id: Uuid,
    },
    /// Moves credits to another account of the same owner.
    Transfer {
        /// The account that gives.
        account_id: Uuid,
        /// The account that receives.
        to_account_id: Uuid,
        /// The code of the credit unit.
        unit: String,
        /// Amount in the smallest step of the unit.
        amount: i64,
    },
}

/// The explanation of a request.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Note {
    /// A reason for people to read.
    pub reason: Option<String>,
    /// The kind and the id of the object in the host application that it is about.
    pub reference: Option<(String, String)>,
}

impl Note {
    /// Returns true if it says nothing.
    pub fn is_empty(&self) -> bool {
        self.reason.is_none() && self.reference.is_none()
    }

    /// Refuses an explanation that is too long.
    pub fn check(&self) -> Result<()> {
        check_reason(self.reason.as_deref())?;
        check_reference(self.reference.as_ref())
    }
}

/// The accounts and units of the rows that requests name.
type Places = HashMap<Uuid, (Uuid, Uuid)>;

/// Changes credits. A repetition with the same key and input returns the first result and changes nothing.
pub async fn change(app: &App, viewer: &Viewer, request: Request, note: Note, idempotency_key: &str) -> Result<Moved> {
    let mut results = change_all(app, viewer, vec![Ok((request, note, idempotency_key.to_owned()))]).await?;
    results.pop().unwrap_or_else(|| Err(Error::internal(anyhow::anyhow!("A request has no result."))))
}

/// Changes credits by up to 1,000 requests, each with a key and a result of its own, in their order for each account. One
/// that is malformed is refused alone.
pub async fn change_all(
    app: &App,
    viewer: &Viewer,
    requests: Vec<Result<(Request, Note, String)>>,
) -> Result<Vec<Result<Moved>>> {
    viewer.require(Permission::CreditsWrite)?;
    if requests.len() > MAX_OPERATIONS {
        let message = "A request can have at most 1,000 operations: split it.";
        return Err(Error::refused("TOO_MANY_OPERATIONS", &["changes"], message));
    }
    let places = places(app, &requests).await?;
    let now = app.now();
    let mut results: Vec<Option<Result<Moved>>> = Vec::with_capacity(requests.len());
    let mut operations = Vec::new();
    for request in requests {
        let (request, note, key) = match request {
            Ok(request) => request,
            Err(malformed) => {
                results.push(Some(Err(malformed)));
                continue;
            }
        };
        // Clients that leave out a field get a result that does not depend on the time of the request.
        let name = request.name();
        let prepared = IdempotencyKey::new(viewer.actor(), &key, name, &(&request, &note))
            .and_then(|key| Ok((operation(request, note, viewer.actor(), &places, now)?, Some(key))));
        match prepared {
            Ok(operation) => {
                operations.push(operation);
                results.push(None);
            }
            Err(error) => results.push(Some(Err(error))),
        }
    }
    let mut executed = app.db.combine_all(operations).await.into_iter();
    let missing = || Err(Error::internal(anyhow::anyhow!("A request has no result.")));
    Ok(results.into_iter().map(|result| result.or_else(|| executed.next()).unwrap_or_else(missing)).collect())
}

impl Request {
    /// Returns the name of the change, as part of what an idempotency key identifies.
    fn name(&self) -> &'static str {
        match self {
            Request::Grant(_) => "credits.grant",
            Request::Spend { .. } => "credits.spend",
            Request::Hold { .. } => "credits.hold",
            Request::Capture { .. } => "credits.capture",
            Request::Release { .. } => "credits.release",
            Request::Reverse { .. } => "credits.reverse",
            Request::Transfer { .. } => "credits.transfer",
        }
    }
}

/// Returns the accounts and units of the holds and transactions that requests name, as far as they exist.
async fn places(app: &App, requests: &[Result<(Request, Note, String)>]) -> Result<Places> {
    let (mut holds, mut txns) = (Vec::new(), Vec::new());
    for (request, ..) in requests.iter().flatten() {
        match request {
            Request::Capture { hold_id, .. } | Request::Release { hold_id } => holds.push(*hold_id),
            Request::Reverse { transaction_id } => txns.push(*transaction_id),
            _ => {}
        }
    }
    let mut places = Places::new();
    if !holds.is_empty() {
        let rows = wallets::holds_by_id(app.db.read(), &holds).await?;
        places.extend(rows.into_iter().map(|row| (row.id, (row.account_id, row.credit_unit_id))));
    }
    if !txns.is_empty() {
        let rows = wallets::gains(app.db.read(), &txns).await?;
        places.extend(rows.into_iter().map(|row| (row.txn_id, (row.account_id, row.credit_unit_id))));
    }
    Ok(places)
}

fn operation(request: Request, note: Note, actor: &str, places: &Places, now: DateTime<Utc>) -> Result<Operation> {
    note.check()?;
    let at = |id: Uuid, code, field, message: &'static str| {
        let place = places.get(&id).map(|(account_id, unit_id)| (*account_id, Unit::Id(*unit_id)));
        place.ok_or_else(|| Error::refused(code, field, message))
    };
    let hold = |id| at(id, "HOLD_NOT_FOUND", &["holdId"], "Hold not found.");
    let ((account_id, unit), verb) = match request {
        Request::Grant(new) => return new.operation(actor),
        Request::Spend { account_id, unit, amount } => {
            check_amount(amount)?;
            ((account_id, Unit::Code(unit)), Verb::Spend { amount })
        }
        Request::Hold { account_id, unit, amount, expires_at } => {
            check_amount(amount)?;
            let expires_at = expires_at.unwrap_or(now + DEFAULT_HOLD);
            if expires_at > now + MAX_HOLD {
                let message = "A hold can last at most 366 days.";
                return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], message));
            }
            ((account_id, Unit::Code(unit)), Verb::Hold { amount, expires_at })
        }
        Request::Capture { hold_id, amount, keep_open } => {
            amount.map_or(Ok(()), check_amount)?;
            (hold(hold_id)?, Verb::Capture { hold_id, amount, keep_open })
        }
        Request::Release { hold_id } => (hold(hold_id)?, Verb::Release { hold_id }),
        Request::Reverse { transaction_id } => {
            let code = "TRANSACTION_NOT_FOUND";
            let place = at(transaction_id, code, &["transactionId"], "Ledger transaction not found.")?;
            (place, Verb::Reverse { transaction_id })
        }
        Request::Transfer { account_id, to_account_id, unit, amount } => {
            check_amount(amount)?;
            ((account_id, Unit::Code(unit)), Verb::Transfer { to_account_id, amount })
        }
    };
    Ok(Operation { account_id, unit, verb, actor: actor.to_owned(), reason: note.reason, reference: note.reference })
}

fn check_reference(reference: Option<&(String, String)>) -> Result<()> {
    let is_valid = |text: &String| (1..=255).contains(&text.len());
    if reference.is_some_and(|(kind, id)| !is_valid(kind) || !is_valid(id)) {
        let message = "`refType` and `refId` must each have 1 to 255 bytes.";
        return Err(Error::refused("REFERENCE_INVALID", &["refType"], message));
    }
    Ok(())
}
