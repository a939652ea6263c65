//! Rows of a version's prices, features and allowances.

use super::spec::{AllowanceSpec, FeatureSpec, PriceSpec, VersionSpec};
use super::store::{features_by_code, units_by_code};
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::{credit_allowances, credit_units, features, prices, product_features};
use sea_orm::{ActiveValue::Set, EntityTrait};
use std::collections::HashMap;
use uuid::Uuid;

/// The contents of a version, on their way into rows.
pub(super) struct Parts<'a> {
    txn: &'a Txn,
    version_id: Uuid,
}

impl Parts<'_> {
    pub(super) fn new(txn: &Txn, version_id: Uuid) -> Parts<'_> {
        Parts { txn, version_id }
    }

    pub(super) async fn insert(&self, spec: &VersionSpec) -> Result<()> {
        let rows: Vec<_> = spec.prices.iter().map(|price| self.price(price)).collect();
        if !rows.is_empty() {
            prices::Entity::insert_many(rows).exec_without_returning(self.txn).await?;
        }
        self.insert_features(&spec.features).await?;
        self.insert_allowances(&spec.allowances).await
    }

    fn price(&self, price: &PriceSpec) -> prices::ActiveModel {
        prices::ActiveModel {
            id: Set(self.txn.new_id()),
            product_version_id: Set(self.version_id),
            currency: Set(price.currency.clone()),
            unit_amount_minor: Set(price.unit_amount_minor),
            interval: Set(price.interval.to_string()),
            interval_count: Set(price.interval_count),
            trial_days: Set(price.trial_days),
            active: Set(true),
            created_at: Set(self.txn.now().fixed_offset()),
        }
    }

    async fn insert_features(&self, specs: &[FeatureSpec]) -> Result<()> {
        let codes = specs.iter().map(|spec| spec.feature.as_str());
        let known = features_by_code(self.txn, codes).await?;
        let units = specs.iter().filter_map(|spec| spec.overage.as_ref()).map(|overage| overage.unit.as_str());
        let units = units_by_code(self.txn, units).await?;
        let rows = specs.iter().map(|spec| self.feature(spec, &known, &units)).collect::<Result<Vec<_>>>()?;
        if !rows.is_empty() {
            product_features::Entity::insert_many(rows).exec_without_returning(self.txn).await?;
        }
        Ok(())
    }

    fn feature(
        &self,
        spec: &FeatureSpec,
        known: &HashMap<String, features::Model>,
        units: &HashMap<String, credit_units::Model>,
    ) -> Result<product_features::ActiveModel> {
        let overage_unit = match &spec.overage {
            None => None,
            Some(overage) => Some(units.get(&overage.unit).ok_or_else(|| {
                let message = format!("Credit unit {:?} not found: create it with `createCreditUnit`.", overage.unit);
                Error::refused("FEATURE_INVALID", &["features"], message)
            })?),
        };
        let unknown = || {
            let message = format!("Feature {:?} not found: create it with `createFeature`.", spec.feature);
            Error::refused("FEATURE_INVALID", &["features"], message)
        };
        Ok(product_features::ActiveModel {
            id: Set(self.txn.new_id()),
            product_version_id: Set(self.version_id),
            feature_id: Set(known.get(&spec.feature).ok_or_else(unknown)?.id),
            value: Set(spec.value.clone()),
            limit_units: Set(spec.limit),
            limit_window: Set(spec.window.map(|window| window.to_string())),
            rollover_cap: Set(spec.rollover_cap),
            on_exceed: Set(spec.on_exceed.map(|on_exceed| on_exceed.to_string())),
            overage_unit_id: Set(overage_unit.map(|unit| unit.id)),
            overage_credits: Set(spec.overage.as_ref().map(|overage| overage.credits)),
        })
    }

    async fn insert_allowances(&self, specs: &[AllowanceSpec]) -> Result<()> {
        let known = units_by_code(self.txn, specs.iter().map(|spec| spec.unit.as_str())).await?;
        let rows = specs.iter().map(|spec| self.allowance(spec, &known)).collect::<Result<Vec<_>>>()?;
        if !rows.is_empty() {
            credit_allowances::Entity::insert_many(rows).exec_without_returning(self.txn).await?;
        }
        Ok(())
    }

    fn allowance(
        &self,
        spec: &AllowanceSpec,
        known: &HashMap<String, credit_units::Model>,
    ) -> Result<credit_allowances::ActiveModel> {
        let unknown = || {
            let message = format!("Credit unit {:?} not found: create it with `createCreditUnit`.", spec.unit);
            Error::refused("ALLOWANCE_INVALID", &["creditAllowances"], message)
        };
        Ok(credit_allowances::ActiveModel {
            id: Set(self.txn.new_id()),
            product_version_id: Set(self.version_id),
            credit_unit_id: Set(known.get(&spec.unit).ok_or_else(unknown)?.id),
            amount: Set(spec.amount),
            cadence: Set(spec.cadence.to_string()),
            expires_after_days: Set(spec.expires_after_days),
            rollover_cap: Set(spec.rollover_cap),
            priority: Set(spec.priority),
            on_plan_change: Set(spec.on_plan_change.to_string()),
        })
    }
}
