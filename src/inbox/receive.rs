//! Receives webhooks: verifies the signature, then stores the event with the job that applies it.

use super::envelope::{self, Envelope};
use super::intake::{self, NewEvent, Receipt};
use super::jobs::ApplyObject;
use super::state::{EventSource, EventState};
use crate::app::App;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::metrics::WebhookOutcome;
use crate::providers::{Forgery, Provider, paddle, stripe};
use crate::security::{self, SecurityEventKind};
use entity::inbox_events::Model;
use serde_json::Value;
use std::net::IpAddr;

/// A webhook as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'d> {
    /// The provider that it claims to come from.
    pub provider: Provider,
    /// The header with the signature, where there is one; a text that is no signature where there are several.
    pub signature: Option<&'d str>,
    /// The body, byte for byte.
    pub body: &'d [u8],
    /// The address of the sender, if it is known.
    pub peer: Option<IpAddr>,
}

/// A webhook that is not stored.
#[derive(Debug)]
pub enum Declined {
    /// No secret of the provider is configured.
    NotConfigured,
    /// The signature does not prove that it is the provider's.
    Forged,
    /// It is the provider's but no event, for this reason.
    Unreadable(&'static str),
    /// It could not be stored.
    Failed(Error),
}

/// Receives `delivery`. Nothing is parsed before its signature is verified.
pub async fn receive(app: &App, delivery: Delivery<'_>) -> Result<Receipt, Declined> {
    let outcome = verify_and_store(app, delivery).await;
    let counted = match &outcome {
        Ok(Receipt::Accepted) => WebhookOutcome::Accepted,
        Ok(Receipt::Ignored) => WebhookOutcome::Ignored,
        Ok(Receipt::Duplicate) => WebhookOutcome::Duplicate,
        Err(Declined::NotConfigured) => return outcome,
        Err(Declined::Forged) => WebhookOutcome::Forged,
        Err(Declined::Unreadable(_)) => WebhookOutcome::Unreadable,
        Err(Declined::Failed(_)) => WebhookOutcome::Failed,
    };
    app.metrics.count_webhook(delivery.provider, counted);
    outcome
}

async fn verify_and_store(app: &App, delivery: Delivery<'_>) -> Result<Receipt, Declined> {
    let Delivery { provider, body, .. } = delivery;
    let providers = &app.config.providers;
    let secrets = match provider {
        Provider::Stripe => &providers.stripe.webhook_secrets,
        Provider::Paddle => &providers.paddle.webhook_secrets,
    };
    if secrets.is_empty() {
        let setting = provider.secrets_setting();
        tracing::warn!(provider = provider.name(), "a webhook is declined: {setting} is not set");
        return Err(Declined::NotConfigured);
    }
    if let Err(forgery) = verify(app, delivery) {
        report(app, delivery, forgery).await;
        return Err(Declined::Forged);
    }
    let (envelope, payload) = envelope::read(provider, providers, body).map_err(|reason| {
        tracing::error!(provider = provider.name(), reason, "a genuine webhook is no event");
        Declined::Unreadable(reason)
    })?;
    let row = event_of(app, provider, envelope, payload, EventSource::Webhook);
    intake::store(app, new_event(row)).await.map_err(Declined::Failed)
}

fn verify(app: &App, Delivery { provider, signature, body, .. }: Delivery<'_>) -> Result<(), Forgery> {
    let (providers, now) = (&app.config.providers, app.now());
    match provider {
        Provider::Stripe => stripe::signature::verify(&providers.stripe, signature, body, now),
        Provider::Paddle => paddle::signature::verify(&providers.paddle, signature, body, now),
    }
}

async fn report(app: &App, delivery: Delivery<'_>, forgery: Forgery) {
    let (provider, reason) = (delivery.provider.name(), forgery.reason());
    let peer = delivery.peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_canonical().to_string());
    tracing::warn!(provider, peer, reason, "a webhook is declined: its signature is not valid");
    let kind = match forgery {
        Forgery::Missing => SecurityEventKind::WebhookUnsigned,
        Forgery::TooOld | Forgery::FromTheFuture => SecurityEventKind::WebhookMistimed,
        Forgery::Malformed | Forgery::NoTimestamp | Forgery::NoMatch => SecurityEventKind::WebhookForged,
    };
    security::record(app, kind, peer, format!("{provider}: {reason}")).await;
}

/// Inserts an event, once, and enqueues the job that applies it.
pub(super) async fn insert_with_job(app: &App, row: Model) -> Result<Receipt> {
    let event = new_event(row);
    let receipts = app.db.write(move |txn| Box::pin(async move { intake::insert_with_jobs(txn, &[&event]).await }));
    Ok(receipts.await?.first().copied().unwrap_or(Receipt::Duplicate))
}

/// Inserts an event; returns false if it exists already.
pub(super) async fn insert(txn: &Txn, row: Model) -> Result<bool> {
    let receipts = intake::insert_with_jobs(txn, &[&NewEvent { row, job: None }]).await?;
    Ok(!receipts.contains(&Receipt::Duplicate))
}

/// Adds the job that applies the event, if it has an effect.
fn new_event(row: Model) -> NewEvent {
    let is_ignored = row.state == EventState::Ignored.as_str();
    let object = Provider::named(&row.provider).zip(row.object_id.clone()).filter(|_| !is_ignored);
    let job = object.and_then(|(provider, object_id)| {
        let kind = provider.kind_named(row.object_kind.as_deref()?)?;
        Some(ApplyObject { provider, kind: Some(kind), object_id })
    });
    NewEvent { row, job }
}

/// Returns the row of an event.
pub(super) fn event_of(
    app: &App,
    provider: Provider,
    envelope: Envelope,
    payload: Value,
    source: EventSource,
) -> Model {
    let state = if envelope.ignored.is_some() { EventState::Ignored } else { EventState::Received };
    Model {
        id: app.new_id(),
        provider: provider.name().to_owned(),
        external_id: envelope.external_id,
        kind: envelope.event_type,
        api_version: envelope.api_version,
        object_id: envelope.object_id,
        occurred_at: envelope.occurred_at.fixed_offset(),
        received_at: app.now().fixed_offset(),
        payload,
        state: state.as_str().to_owned(),
        attempts: 0,
        next_attempt_at: None,
        error: None,
        applied_at: None,
        source: source.as_str().to_owned(),
        waits_for: None,
        note: envelope.ignored.map(str::to_owned),
        object_kind: envelope.object_kind,
    }
}
