//! The definition of experiments, and their end.

use super::store;
use crate::analytics::events::is_event_name;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::plans::{check_code, check_name, code_taken};
use entity::experiments::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use uuid::Uuid;

/// The longest window: a leap year.
const MAX_WINDOW_SECONDS: i64 = 31_622_400;
/// The greatest planned number of units.
const MAX_PLANNED_UNITS: i64 = 1_000_000_000;
/// The greatest weight.
const MAX_WEIGHT: i64 = 1_000_000;

/// An experiment to be created.
#[derive(Debug, Clone)]
pub struct NewExperiment {
    /// The stable code.
    pub code: String,
    /// A name for people to read.
    pub name: String,
    /// The name of the event that is a conversion.
    pub conversion_event: String,
    /// Time from the assignment in which a conversion counts.
    pub window_seconds: i64,
    /// Units whose window must be over before anything is decided.
    pub planned_units: i64,
    /// The part of units that see the control, relative to the other weight.
    pub control_weight: i64,
    /// The part of units that see the treatment, relative to the other weight.
    pub treatment_weight: i64,
}

/// Creates an experiment; units can be assigned from then on.
pub async fn create_experiment(app: &App, viewer: &Viewer, new: NewExperiment) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = check_code(&new.code, &["code"])?;
    let name = check_name(&new.name, &["name"])?;
    check(&new)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let row = ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    name: Set(name),
                    conversion_event: Set(new.conversion_event),
                    window_seconds: Set(new.window_seconds),
                    planned_units: Set(new.planned_units),
                    control_weight: Set(new.control_weight),
                    treatment_weight: Set(new.treatment_weight),
                    created_at: Set(txn.now().fixed_offset()),
                    ended_at: Set(None),
                };
                let made = Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let entry = AuditEntry::new("experiments.create", "Experiment", made.id).after(summary(&made));
                txn.audit(&actor, entry).await?;
                Ok(made)
            })
        })
        .await
}

/// Ends an experiment: nobody is assigned from then on. Conversions of those who were go on counting in their windows.
pub async fn end_experiment(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let unknown = Error::refused("NOT_FOUND", &["experimentId"], "Experiment not found.");
                let before = store::lock_experiment(txn, id).await?.ok_or(unknown)?;
                if before.ended_at.is_some() {
                    let message = "The experiment has already ended.";
                    return Err(Error::refused("ALREADY_ENDED", &["experimentId"], message));
                }
                let now = txn.now().fixed_offset();
                let row = ActiveModel { id: Set(id), ended_at: Set(Some(now)), ..Default::default() };
                let ended = Entity::update(row).exec(txn).await?;
                let entry = AuditEntry::new("experiments.end", "Experiment", id).after(json!({"endedAt": now}));
                txn.audit(&actor, entry).await?;
                Ok(ended)
            })
        })
        .await
}

fn check(new: &NewExperiment) -> Result<()> {
    if !is_event_name(&new.conversion_event) {
        let message =
            "`conversionEvent` must be 1 to 64 bytes long, without control characters and surrounding spaces.";
        return Err(Error::refused("EVENT_INVALID", &["conversionEvent"], message));
    }
    if !(1..=MAX_WINDOW_SECONDS).contains(&new.window_seconds) {
        let message = "`windowSeconds` must be 1 to 31,622,400.";
        return Err(Error::refused("WINDOW_INVALID", &["windowSeconds"], message));
    }
    if !(1..=MAX_PLANNED_UNITS).contains(&new.planned_units) {
        let message = "`plannedUnitCount` must be 1 to 1,000,000,000.";
        return Err(Error::refused("PLANNED_UNITS_INVALID", &["plannedUnitCount"], message));
    }
    if !(1..=MAX_WEIGHT).contains(&new.control_weight) {
        let message = "`controlWeight` must be 1 to 1,000,000.";
        return Err(Error::refused("WEIGHT_INVALID", &["controlWeight"], message));
    }
    if !(1..=MAX_WEIGHT).contains(&new.treatment_weight) {
        let message = "`treatmentWeight` must be 1 to 1,000,000.";
        return Err(Error::refused("WEIGHT_INVALID", &["treatmentWeight"], message));
    }
    Ok(())
}

fn summary(row: &Model) -> Value {
    json!({
        "code": row.code, "name": row.name, "conversionEvent": row.conversion_event,
        "windowSeconds": row.window_seconds, "plannedUnitCount": row.planned_units,
        "controlWeight": row.control_weight, "treatmentWeight": row.treatment_weight,
    })
}
