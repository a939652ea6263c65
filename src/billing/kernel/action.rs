//! A change at Stripe that a caller asks for under an idempotency key.

use super::admission::Admission;
use super::answer::Answer;
use super::pending_purchases::PendingPurchases;
use super::refusal::{error_of_refusal, error_without_card};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::Viewer;
use crate::db::{IdempotencyKey, Txn, stored_response};
use crate::error::{Error, Result};
use crate::outbox::{self, Operation, OutboxEntry, Outcome, ProviderRequest};
use futures_util::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// The number of times that a purchase starts over because the same person began another one meanwhile.
const MAX_ATTEMPTS: usize = 4;

/// The rules of a verb: decide the request under the locks that they take.
type Rules = Box<dyn for<'c> FnOnce(&'c Txn, &'c Viewer) -> BoxFuture<'c, Result<ProviderRequest>> + Send>;

/// A change at Stripe that a caller asks for under an idempotency key.
pub(in crate::billing) struct StripeAction<'a> {
    app: &'a App,
    viewer: &'a Viewer,
    key: &'a str,
    idempotency_key: IdempotencyKey,
    involves_card: bool,
}

impl<'a> StripeAction<'a> {
    /// Creates the action `operation` with `input`, asked for by `viewer` under `key`.
    pub(in crate::billing) fn new(
        app: &'a App,
        viewer: &'a Viewer,
        operation: Operation,
        key: &'a str,
        input: &impl Serialize,
    ) -> Result<StripeAction<'a>> {
        let idempotency_key = IdempotencyKey::new(viewer.actor(), key, operation.as_str(), input)?;
        Ok(StripeAction { app, viewer, key, idempotency_key, involves_card: true })
    }

    /// Reports refusals that are about cards and promotion codes as `PROVIDER_REFUSED`, because this action involves
    /// neither.
    pub(in crate::billing) fn without_card(self) -> Self {
        StripeAction { involves_card: false, ..self }
    }

    /// Returns the answer to an earlier request under the caller's key; `None` for the first.
    pub(in crate::billing) async fn previous_result(&self) -> Result<Option<Answer<'a>>> {
        match stored_response::<Uuid>(self.app.db.read(), &self.idempotency_key).await? {
            Some(call_id) => self.execute(call_id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the key of the prerequisite `part` of this action.
    pub(in crate::billing) fn prerequisite_key(&self, part: &str) -> String {
        let digest =
            Sha256::new().chain_update(self.viewer.actor()).chain_update([0]).chain_update(self.key).finalize();
        format!("{part}-{}", hex::encode(&digest[..16]))
    }

    /// Executes the request that `rules` decide, or returns the answer to an earlier one under the caller's key.
    ///
    /// `rules` run in the transaction that commits the request, so what they read under their locks still holds then.
    pub(in crate::billing) async fn execute_once<F>(&self, rules: F) -> Result<Answer<'a>>
    where
        F: for<'c> FnOnce(&'c Txn, &'c Viewer) -> BoxFuture<'c, Result<ProviderRequest>> + Send + 'static,
    {
        let call_id = self.commit(Box::new(rules)).await?;
        self.execute(call_id).await
    }

    /// Executes a request as [`execute_once`](Self::execute_once) does, after the purchases of a person that are pending
    /// are completed. Of several requests for one person at the same moment, one executes after the other.
    pub(in crate::billing) async fn execute_exclusively<F>(
        &self,
        person: Uuid,
        operations: &'static [Operation],
        rules: F,
    ) -> Result<Answer<'a>>
    where
        F: for<'c> FnOnce(&'c Txn, &'c Viewer) -> BoxFuture<'c, Result<ProviderRequest>> + Clone + Send + 'static,
    {
        let pending = PendingPurchases::new(self.app, person, operations);
        for _ in 0..MAX_ATTEMPTS {
            let purchases = pending.list(self.app.db.read()).await?;
            // After the list, so that a purchase under the same key is answered and not completed.
            if let Some(answer) = self.previous_result().await? {
                return Ok(answer);
            }
            for purchase in purchases {
                pending.complete(self.app, self.viewer, purchase).await?;
            }
            let (rules, is_blocked) = (rules.clone(), Arc::new(AtomicBool::new(false)));
            let blocked = Arc::clone(&is_blocked);
            let executed = self.execute_once(move |txn, viewer| {
                Box::pin(async move {
                    // Requests at the same moment see each other only under the lock on the person.
                    if pending.lock_and_check(txn).await? {
                        blocked.store(true, Ordering::Relaxed);
                        return Err(purchase_under_way());
                    }
                    rules(txn, viewer).await
                })
            });
            match executed.await {
                Err(_) if is_blocked.load(Ordering::Relaxed) => {}
                executed => return executed,
            }
        }
        Err(purchase_under_way())
    }

    /// Claims the caller's key and commits the request that `rules` decide. Returns the id of the call.
    async fn commit(&self, rules: Rules) -> Result<Uuid> {
        let viewer = self.viewer.clone();
        let admission = Admission::of(self.app, self.viewer);
        let (is_configured, takeover_after) = (self.app.stripe.is_some(), outbox::takeover_after(self.app));
        let committed = self.app.db.run_idempotent(self.idempotency_key.clone(), move |txn| {
            Box::pin(async move {
                let request = rules(txn, &viewer).await?;
                // Checked only after the rules, which decide whether the caller may ask for this at all.
                if !is_configured {
                    return Err(Error::NotConfigured("stripe_api_key"));
                }
                admission.admit(&viewer)?;
                let (operation, account_id, params) = (request.operation, request.account_id, request.params.clone());
                let id = OutboxEntry { actor: viewer.actor(), request, takeover_after }.insert(txn).await?;
                let entry = AuditEntry::new(operation.as_str(), "ProviderCall", id).account(account_id).after(params);
                txn.audit(viewer.actor(), entry).await?;
                Ok(id)
            })
        });
        committed.await
    }

    async fn execute(&self, call_id: Uuid) -> Result<Answer<'a>> {
        match outbox::execute(self.app, call_id).await? {
            Outcome::Done(done) => Ok(Answer::new(self.app, done)),
            Outcome::Refused(refused) if self.involves_card => Err(error_of_refusal(refused)),
            Outcome::Refused(refused) => Err(error_without_card(refused)),
        }
    }
}

fn purchase_under_way() -> Error {
    Error::refused(
        "PURCHASE_UNDER_WAY",
        &[],
        "Another purchase of a plan by the same person is under way. Try again in a moment.",
    )
}
