//! Meters, and the features whose limits count on them.

use super::path::is_path;
use super::store;
use super::values::MeterAggregation;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::plans::{self, FeatureKind, NewFeature, code_taken};
use entity::{features, meters};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// A meter to be created.
#[derive(Debug, Clone)]
pub struct NewMeter {
    /// The stable code.
    pub code: String,
    /// A name for people to read.
    pub name: String,
    /// The way in which events become one number.
    pub aggregation: MeterAggregation,
    /// The path of the value in the dimensions; `None` for the event's own value.
    pub value_path: Option<String>,
    /// The path of the dimension by which daily sums are kept apart; `None` for one sum a day.
    pub group_by: Option<String>,
}

/// Creates a meter.
pub async fn create_meter(app: &App, viewer: &Viewer, new: NewMeter) -> Result<meters::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = plans::check_code(&new.code, &["code"])?;
    let name = plans::check_name(&new.name, &["name"])?;
    check_paths(&new)?;
    let new = NewMeter { code, name, ..new };
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let meter = insert(txn, new).await?;
                let after = json!({
                    "code": meter.code, "name": meter.name, "aggregation": meter.aggregation,
                    "valuePath": meter.value_path, "groupBy": meter.group_by,
                });
                txn.audit(&actor, AuditEntry::new("meters.create", "Meter", meter.id).after(after)).await?;
                Ok(meter)
            })
        })
        .await
}

/// Creates a feature. The limits of one of the kind LIMIT count on `meter`, or else on a meter with the feature's own
/// code, which is created if there is none.
pub async fn create_feature(
    app: &App,
    viewer: &Viewer,
    new: NewFeature,
    meter: Option<String>,
) -> Result<features::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let new = new.check()?;
    if meter.is_some() && new.kind != FeatureKind::Limit {
        let message = "Only a feature of the kind LIMIT counts on a meter: omit `meter`.";
        return Err(Error::refused("METER_INVALID", &["meter"], message));
    }
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let meter = if new.kind == FeatureKind::Limit { Some(meter_of(txn, &new, meter).await?) } else { None };
                plans::insert_feature(txn, &actor, new, meter.as_ref()).await
            })
        })
        .await
}

async fn meter_of(txn: &Txn, feature: &NewFeature, meter: Option<String>) -> Result<meters::Model> {
    if let Some(found) = store::meter_by_code(txn, meter.as_ref().unwrap_or(&feature.code)).await? {
        return Ok(found);
    }
    if meter.is_some() {
        let message = "Meter not found: create it with `createMeter`, or omit `meter` to get one of the feature's own.";
        return Err(Error::refused("METER_NOT_FOUND", &["meter"], message));
    }
    let new = NewMeter {
        code: feature.code.clone(),
        name: feature.name.clone(),
        aggregation: MeterAggregation::Sum,
        value_path: None,
        group_by: None,
    };
    insert(txn, new).await
}

async fn insert(txn: &Txn, new: NewMeter) -> Result<meters::Model> {
    let id: Uuid = txn.new_id();
    let row = meters::ActiveModel {
        id: Set(id),
        code: Set(new.code),
        name: Set(new.name),
        aggregation: Set(new.aggregation.to_string()),
        value_path: Set(new.value_path),
        group_by: Set(new.group_by),
        created_at: Set(txn.now().fixed_offset()),
    };
    meters::Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)
}

fn check_paths(new: &NewMeter) -> Result<()> {
    let wrong_path = |path: &Option<String>| path.as_ref().is_some_and(|path| !is_path(path));
    let refused = |code, field, message| Err(Error::refused(code, field, message));
    let is_unique = new.aggregation == MeterAggregation::Unique;
    if wrong_path(&new.value_path) {
        let message = "`valuePath` must be up to five names of letters, digits, `_` and `-`, separated by dots.";
        return refused("VALUE_PATH_INVALID", &["valuePath"], message);
    }
    if is_unique && new.value_path.is_none() {
        let message = "A meter that counts different values needs `valuePath`, the path of that value.";
        return refused("VALUE_PATH_INVALID", &["valuePath"], message);
    }
    if new.aggregation == MeterAggregation::Count && new.value_path.is_some() {
        let message = "A meter that counts events takes no value: omit `valuePath`.";
        return refused("VALUE_PATH_INVALID", &["valuePath"], message);
    }
    if wrong_path(&new.group_by) {
        let message = "`groupBy` must be up to five names of letters, digits, `_` and `-`, separated by dots.";
        return refused("GROUP_BY_INVALID", &["groupBy"], message);
    }
    if is_unique && new.group_by.is_some() {
        let message = "The different values of parts do not add up: omit `groupBy`.";
        return refused("GROUP_BY_INVALID", &["groupBy"], message);
    }
    Ok(())
}
