//! Takes a webhook in: shown to be genuine, written down with the job that applies it, and nothing else.

use super::ApplyObject;
use super::envelope::{self, Envelope};
use crate::app::App;
use crate::changes::{self, Change};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::meter::WebhookOutcome;
use crate::providers::{Forgery, Provider, paddle, stripe};
use crate::security::{self, SecurityEventKind};
use entity::inbox_events::{Column, Entity, Model};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::Value;
use std::net::IpAddr;

/// A webhook as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'d> {
    /// In whose name it comes.
    pub provider: Provider,
    /// The header with the signature, where there is one; a text that is no signature where there are several.
    pub signature: Option<&'d str>,
    /// The body, byte for byte.
    pub body: &'d [u8],
    /// Who sent it, where that is known.
    pub peer: Option<IpAddr>,
}

/// A webhook that is kept: the commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// New, and to be applied.
    Accepted,
    /// New, and of no effect here.
    Ignored,
    /// Kept before.
    Duplicate,
}

/// A webhook that is not kept.
#[derive(Debug)]
pub enum Declined {
    /// No secret of this provider is configured.
    NotConfigured,
    /// It is not shown to be the provider's.
    Forged,
    /// It is the provider's, and no event: what it lacks.
    Unreadable(&'static str),
    /// It could not be written down.
    Failed(Error),
}

/// Takes in `delivery`. The order is what protects the inbox: nothing is parsed before its signature has passed.
pub async fn receive(app: &Arc<App>, delivery: Delivery<'_>) -> Result<Receipt, Declined> {
    let outcome = take(app, delivery).await;
    let counted = match &outcome {
        Ok(Receipt::Accepted) => WebhookOutcome::Accepted,
        Ok(Receipt::Ignored) => WebhookOutcome::Ignored,
        Ok(Receipt::Duplicate) => WebhookOutcome::Duplicate,
        Err(Declined::NotConfigured) => return outcome,
        Err(Declined::Forged) => WebhookOutcome::Forged,
        Err(Declined::Unreadable(_)) => WebhookOutcome::Unreadable,
        Err(Declined::Failed(_)) => WebhookOutcome::Failed,
    };
    app.meter.count_webhook(delivery.provider, counted);
    outcome
}

async fn take(app: &Arc<App>, delivery: Delivery<'_>) -> Result<Receipt, Declined> {
    let Delivery { provider, body, .. } = delivery;
    let providers = &app.config.providers;
    let secrets = match provider {
        Provider::Stripe => &providers.stripe.webhook_secrets,
        Provider::Paddle => &providers.paddle.webhook_secrets,
    };
    if secrets.is_empty() {
        let setting = provider.secrets_setting();
        tracing::warn!(provider = provider.name(), "a webhook is not taken in, as {setting} is not set");
        return Err(Declined::NotConfigured);
    }
    if let Err(forgery) = verify(app, delivery) {
        report(app, delivery, forgery).await;
        return Err(Declined::Forged);
    }
    let (envelope, payload) = envelope::read(provider, providers, body).map_err(|lacking| {
        tracing::error!(provider = provider.name(), lacking, "a genuine webhook is no event");
        Declined::Unreadable(lacking)
    })?;
    keep(app, provider, envelope, payload).await.map_err(Declined::Failed)
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
    tracing::warn!(provider, peer, reason, "a webhook is refused");
    let suspicion = match forgery {
        Forgery::Missing => SecurityEventKind::WebhookUnsigned,
        Forgery::TooOld | Forgery::FromTheFuture => SecurityEventKind::WebhookMistimed,
        Forgery::Malformed | Forgery::NoTimestamp | Forgery::NoMatch => SecurityEventKind::WebhookForged,
    };
    security::record(app, suspicion, peer, format!("{provider}: {reason}")).await;
}

/// Writes the event down, once; with it the job that applies it.
async fn keep(app: &App, provider: Provider, envelope: Envelope, payload: Value) -> Result<Receipt> {
    keep_row(app, provider, row(app, provider, envelope, payload, "webhook")).await
}

/// The same for an event as it is to be written down.
pub(super) async fn keep_row(app: &App, provider: Provider, row: Model) -> Result<Receipt> {
    let object = row.object_id.clone().filter(|_| row.state != "ignored");
    let job = object.map(|object_id| ApplyObject { provider, object_id });
    app.db
        .write(move |txn| {
            Box::pin(async move {
                if !insert(txn, row).await? {
                    return Ok(Receipt::Duplicate);
                }
                let Some(job) = job else { return Ok(Receipt::Ignored) };
                txn.enqueue(&job).await?;
                Ok(Receipt::Accepted)
            })
        })
        .await
}

/// Writes an event down that is not there yet; whether it is new.
pub(super) async fn insert(txn: &Txn, row: Model) -> Result<bool> {
    let id = row.id;
    let once = OnConflict::columns([Column::Provider, Column::ExternalId]).do_nothing().to_owned();
    let row = row.into_active_model().reset_all();
    if Entity::insert(row).on_conflict(once).exec_without_returning(txn).await? != 1 {
        return Ok(false);
    }
    changes::record(txn, Change::WebhookEventReceived(id)).await?;
    Ok(true)
}

/// An event as it is written down; `source` says how it was learned of.
pub(super) fn row(app: &App, provider: Provider, envelope: Envelope, payload: Value, source: &str) -> Model {
    let state = if envelope.ignored.is_some() { "ignored" } else { "received" };
    Model {
        id: app.new_id(),
        provider: provider.name().to_owned(),
        external_id: envelope.external_id,
        kind: envelope.kind,
        api_version: envelope.api_version,
        object_id: envelope.object_id,
        occurred_at: envelope.occurred_at.fixed_offset(),
        received_at: app.now().fixed_offset(),
        payload,
        state: state.to_owned(),
        attempts: 0,
        next_attempt_at: None,
        error: None,
        applied_at: None,
        source: source.to_owned(),
        waits_for: None,
        note: envelope.ignored.map(str::to_owned),
    }
}
